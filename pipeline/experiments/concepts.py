"""The concepts of one layer over the images of a run: vectors drawn by relevance, their clusters, their stability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.execution.job import Job
from pipeline.execution.subjects import context_of, load_subject
from pipeline.experiments.concept_results import FollowedVectors, VectorSample
from pipeline.machine import seeds
from pipeline.machine.environment import reproducible
from pipeline.spec.model import ModelSpec
from pipeline.stages.context import Context
from srd.concepts import Clusters, cluster_directions, draw_positions, feature_vectors
from srd.errors import DataError
from srd.layers import receptive_field, relevance
from srd.types import Inputs, Target


@dataclass(frozen=True)
class DrawnVectors:
    """Feature vectors of one clean image, drawn in proportion to their positive relevance."""

    row: int
    """The position of the image in the run."""
    positions: Int64[Tensor, "v d"]
    relevance: Float[Tensor, " v"]
    vectors: Float[Tensor, "v c"]


@dataclass(frozen=True)
class Exploration:
    """One layer of a run whose images are perturbed; draws come from `seed`."""

    context: Context
    layer: str
    seed: int

    @property
    def n_images(self) -> int:
        return len(self.context.data.ids)

    def draw(self, row: int, count: int) -> DrawnVectors:
        """Draw vectors of an image, by a stream of its own; none if no relevance is positive."""
        with reproducible():
            inputs = self._inputs(row)[:1]
            at, vectors = self._relevance(row, inputs)[0].cpu(), self._vectors(inputs)[0].cpu()
            positions = draw_positions(at, count, self._generator("draw", self.context.data.ids[row]))
        index = positions.unbind(1)
        return DrawnVectors(row, positions, at[index], vectors[index])

    def clusters(self, drawn: Sequence[DrawnVectors], count: int) -> Clusters:
        """Return the clusters of all the vectors.

        Raises
        ------
        DataError
            If there are no vectors, too few, or if they are too much alike.
        """
        if not drawn:
            raise DataError(f"layer {self.layer!r}: no image has positive relevance there; name another layer")
        try:
            return cluster_directions(torch.cat([each.vectors for each in drawn]), count, self._generator("cluster"))
        except ValueError as error:
            raise DataError(f"layer {self.layer!r}: {error}; ask for fewer --clusters or more --vectors") from error

    def follow(self, drawn: DrawnVectors, clusters: Clusters) -> FollowedVectors:
        """Return the vectors of an image under all conditions, which are one batch."""
        with reproducible():
            inputs = self._inputs(drawn.row)
            index: tuple[Any, ...] = (slice(None), *drawn.positions.unbind(1))
            vectors, at = self._vectors(inputs).cpu()[index], self._relevance(drawn.row, inputs).cpu()[index]
        vectors[0], at[0] = drawn.vectors, drawn.relevance  # alone in its batch, an image is rounded otherwise
        labels = clusters.labels(vectors.flatten(0, 1)).reshape(at.shape)
        return FollowedVectors(labels.T.numpy(), at.T.double().numpy())

    def field(self, row: int, position: Sequence[int]) -> NDArray[np.float32]:
        """Return the effective receptive field (h, w) of the vector at a position of a clean image."""
        with reproducible():
            places, operations = torch.tensor([position]), self.context.spec.model.operations
            network, inputs = self.context.model.network, self._inputs(row)[:1]
            fields = receptive_field(network, inputs, self.layer, places, operations=operations)
        return fields[0, 0].cpu().numpy()

    def _inputs(self, row: int) -> Inputs:
        """Return an image under each condition, as the network reads it."""
        plan, store = self.context.plan, self.context.store
        writers = plan.of_tile("perturb", row // plan.tile)
        images = np.concatenate([store.read_image(writer, "input", row) for writer in writers])
        return self.context.inputs(torch.from_numpy(images))

    def _vectors(self, inputs: Inputs) -> Float[Tensor, "p *positions c"]:
        model = self.context.spec.model
        return feature_vectors(self.context.model.network, inputs, self.layer, operations=model.operations)

    def _relevance(self, row: int, inputs: Inputs) -> Float[Tensor, "p *positions"]:
        target = self.context.target([row]).expand(len(inputs))
        return _relevance(self.context.model.network, inputs, target, self.layer, self.context.spec.model)

    def _generator(self, *key: str) -> torch.Generator:
        return seeds.generator(self.seed, "concepts", self.layer, *key)


def open_exploration(job: Job, layer: str, seed: int) -> Exploration:
    """Open the exploration of a run whose stage perturb is done."""
    return Exploration(context_of(job), layer, seed)


def sample(drawn: Sequence[DrawnVectors], followed: Sequence[FollowedVectors]) -> VectorSample:
    """Return all vectors of all images."""
    return VectorSample(
        row=np.concatenate([np.full(len(each.positions), each.row) for each in drawn]),
        position=np.concatenate([each.positions.numpy() for each in drawn]),
        labels=np.concatenate([each.labels for each in followed]),
        relevance=np.concatenate([each.relevance for each in followed]),
        channels=drawn[0].vectors.shape[1],
    )


def refuse_unfit(job: Job, layer: str, clusters: int, per_image: int) -> None:
    """Refuse what cannot be explored, before any work.

    Raises
    ------
    ModelError
        If the layer is unknown or has no relevance.
    UnsupportedOperation
        If SRD has no rules for the network.
    DataError
        If there are more clusters than vectors.
    """
    subject = load_subject(job)
    n = len(subject.data.ids) * per_image
    if n < clusters:
        raise DataError(f"--clusters {clusters}: {n} vectors are drawn; ask for fewer clusters, or for more --vectors")
    model = subject.model.model
    inputs = model.normalise(subject.data.images(range(1)).to(model.device))
    feature_vectors(model.network, inputs, layer, operations=job.spec.model.operations)
    target = torch.zeros(1, dtype=torch.int64, device=model.device)
    _relevance(model.network, inputs, target, layer, job.spec.model)


def _relevance(
    network: nn.Module, inputs: Inputs, target: Target, layer: str, model: ModelSpec
) -> Float[Tensor, "n *positions"]:
    return relevance(network, inputs, target, [layer], encoder=model.encoder, operations=model.operations)[layer]
