"""Activation-pattern-only prediction of a spec's images: the pattern of each, on an input that is not its own."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from attacks.types import Images, Model
from pipeline.execution.admission import admit
from pipeline.execution.subjects import Subject
from pipeline.experiments.apop_results import ApopFindings, ApopPredictions, Classes
from pipeline.inputs.answers import logits_of, refuse_unless_logits
from pipeline.inputs.data import Data
from pipeline.inputs.model_and_data import load_model_and_data
from pipeline.inputs.models import LoadedModel
from pipeline.machine import environment, seeds, sources
from pipeline.machine.environment import reproducible
from pipeline.spec.audit import AuditSpec
from srd.apop import activation_patterns, logits_from_patterns
from srd.errors import DataError
from srd.types import Generators, Inputs, Logits


@dataclass(frozen=True)
class Tile:
    """Some images, and for each of them one image of another class."""

    images: Images
    others: Images


Replacement = Callable[[Model, Tile, Generators], Inputs]
"""A function that returns what the network reads in place of images. It gets one random generator for each row,
which constants ignore."""


@dataclass(frozen=True)
class ApopExperiment:
    """The network and the images of a spec.

    Raises
    ------
    DataError
        If all images have one label.
    """

    spec: AuditSpec
    loaded: LoadedModel
    data: Data
    notes: tuple[str, ...] = ()
    """Sentences on the input: what was left out or unwrapped, and an accuracy near chance."""

    def __post_init__(self) -> None:
        if len(set(self.data.labels)) == 1:
            raise DataError(
                f"data.path = {self.spec.data.path}: every image has the same label, but patterns are also replayed "
                "on images of another class; add images of other classes"
            )

    @property
    def tiles(self) -> list[range]:
        """Return the positions of the images that the network reads at once."""
        rows = range(len(self.data.ids))
        return [rows[start : start + self.spec.run.tile] for start in rows[:: self.spec.run.tile]]

    def predictions(self) -> Iterator[ApopPredictions]:
        """Yield the predictions of each tile.

        Raises
        ------
        ModelError
            If the network does not give logits of the data's classes.
        UnsupportedOperation
            If the network has no activation patterns.
        """
        for rows in self.tiles:
            with reproducible():
                predictions = self._predictions(rows)
            yield predictions

    def findings(self, tiles: Sequence[ApopPredictions]) -> ApopFindings:
        """Return the predictions of all tiles as one, with all that they depend on."""
        clean = np.concatenate([tile.clean for tile in tiles])
        replaced = {name: np.concatenate([tile.replaced[name] for tile in tiles]) for name in REPLACEMENTS}
        return ApopFindings(
            spec=self.spec,
            labels=np.array(self.data.labels),
            n_classes=len(self.data.classes),
            predictions=ApopPredictions(clean, replaced),
            weights=self.loaded.weights_digest,
            network=self.loaded.source_digest,
            data=self.data.digest,
            sources=sources.source_digest(),
            versions=environment.versions(),
            hardware=environment.hardware(),
        )

    def tile(self, rows: range) -> Tile:
        """Return the images at `rows`, and the other image of each."""
        others = [self._other(row) for row in rows]
        device = self.loaded.model.device
        return Tile(self.data.images(rows).to(device), self.data.images(others).to(device))

    def generators(self, rows: range, name: str) -> Generators:
        """Return a random stream for each image and the replacement `name`."""
        return [self._generator(row, name) for row in rows]

    def _predictions(self, rows: range) -> ApopPredictions:
        model, tile = self.loaded.model, self.tile(rows)
        clean = self._clean_logits(tile.images)
        patterns = activation_patterns(model.network, model.normalise(tile.images))
        replaced = {}
        for name, replacement in REPLACEMENTS.items():
            inputs = replacement(model, tile, self.generators(rows, name))
            replaced[name] = _predicted_classes(logits_from_patterns(model.network, patterns, inputs))
        return ApopPredictions(_predicted_classes(clean), replaced)

    def _clean_logits(self, images: Images) -> Logits:
        place = f"model.spec = {self.spec.model.spec!r}"
        with torch.no_grad():
            logits = logits_of(self.loaded.model, images, place)
        refuse_unless_logits(logits, len(self.data.classes), self.spec.model)
        return logits

    def _other(self, row: int) -> int:
        """Return the position of an image with another label, drawn by the image's own stream."""
        others = np.flatnonzero(np.array(self.data.labels) != self.data.labels[row])
        return int(others[torch.randint(len(others), (), generator=self._generator(row, "other_image"))])

    def _generator(self, row: int, name: str) -> torch.Generator:
        return seeds.generator(self.spec.run.seed, "apop", self.data.ids[row], name)


def load_apop_experiment(spec: AuditSpec, base: Path, trusted: Collection[Path] = ()) -> ApopExperiment:
    """Load the network and images of a spec whose relative paths start at `base`.

    Raises
    ------
    ModelError, DataError
        If they cannot be used.
    """
    subject = ApopExperiment(spec, *load_model_and_data(spec, base, trusted))
    with reproducible():
        admitted = admit(spec, Subject(subject.loaded, subject.data))
    return replace(subject, notes=admitted.notes)


def _constant(value: float, model: Model, tile: Tile, _: Generators) -> Inputs:
    return model.normalise(torch.full_like(tile.images, value))


def _uniform(model: Model, tile: Tile, generators: Generators) -> Inputs:
    return model.normalise(_draw(torch.rand, tile, generators))


def _gaussian(model: Model, tile: Tile, generators: Generators) -> Inputs:
    return _draw(torch.randn, tile, generators)


def _other_images(model: Model, tile: Tile, _: Generators) -> Inputs:
    return model.normalise(tile.others)


REPLACEMENTS: Mapping[str, Replacement] = MappingProxyType(
    {
        "black": partial(_constant, 0.0),
        "grey": partial(_constant, 0.5),
        "white": partial(_constant, 1.0),
        "uniform_noise": _uniform,
        "gaussian_noise": _gaussian,
        "other_image": _other_images,
    }
)


def _draw(draw: Callable[..., Tensor], tile: Tile, generators: Generators) -> Tensor:
    drawn = [draw(tile.images.shape[1:], generator=generator) for generator in generators]
    return torch.stack(drawn).to(tile.images)


def _predicted_classes(logits: Tensor) -> Classes:
    classes: Classes = logits.argmax(1).cpu().numpy()
    return classes
