"""A manipulated copy of a network, a copy fine-tuned without manipulation, and their maps on held-out images."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from attacks.manipulated_models.fine_tuning import (
    CrossEntropy,
    Examples,
    Loss,
    Manipulation,
    Settings,
    explain_examples,
    fine_tune,
)
from attacks.manipulated_models.goals import MANIPULATION_GOALS, ManipulationGoal
from attacks.types import Model
from pipeline.demo import shapes
from pipeline.execution.admission import admit
from pipeline.execution.image_checks import refuse_small_images
from pipeline.execution.law_checks import check_laws
from pipeline.execution.preparation import try_methods
from pipeline.execution.subjects import Subject
from pipeline.experiments.manipulated_model_results import (
    COPIES,
    NETWORKS,
    DataFacts,
    ManipulationFindings,
    Measurement,
    NetworkRole,
    join,
)
from pipeline.inputs.answers import logits_of, refuse_unless_logits
from pipeline.inputs.data import Data, Subset
from pipeline.inputs.demo_data import Shapes
from pipeline.inputs.model_and_data import load_model_and_data
from pipeline.inputs.models import LoadedModel
from pipeline.machine import environment, seeds, sources
from pipeline.machine.environment import reproducible
from pipeline.spec.manipulation import ManipulatedModelSpec
from pipeline.spec.values import closest
from pipeline.stages.context import attributor
from pipeline.store.attributes import CheckResult
from srd.errors import DataError, ModelError, SpecError
from srd.registry import METRICS, SIMILARITIES
from srd.types import Maps, Scores, Target

CORE = tuple(name for name in SIMILARITIES if METRICS[name].core)
"""The similarities that are measured of a manipulated model."""


@dataclass(frozen=True)
class ManipulationExperiment:
    """The network and the images of a spec: those to fine-tune on, and those held out."""

    spec: ManipulatedModelSpec
    loaded: LoadedModel
    examples: Data
    held_out: Data
    notes: tuple[str, ...] = ()
    """Sentences on the input: what was left out or unwrapped, and an accuracy near chance."""
    checks: tuple[CheckResult, ...] = ()
    """What was asked of the original network and the methods, and found."""

    @property
    def goal(self) -> ManipulationGoal:
        return MANIPULATION_GOALS[self.spec.manipulation.goal]

    @property
    def tiles(self) -> list[range]:
        """Return the positions of the held-out images that a network reads at once."""
        return _tiles(self.held_out, self.spec.run.tile)

    @cached_property
    def targets(self) -> Target:
        """Return the classes that are explained on the held-out images."""
        return self._targets(self.held_out)

    def networks(self) -> Mapping[NetworkRole, Model]:
        """Return the original and its fine-tuned copies.

        Raises
        ------
        ModelError
            If fine-tuning has led to outputs that are not finite.
        """
        asked, model = self.spec.manipulation, self.loaded.model
        settings = Settings(asked.steps, asked.batch, asked.rate)
        with reproducible():
            examples = self._examples()
            losses: dict[NetworkRole, Loss] = {
                "control": CrossEntropy(examples),
                "manipulated": self._manipulation(examples),
            }
            n = len(examples.label)
            tuned = [fine_tune(model, losses[name], n, settings, self._stream("fine-tuning")) for name in COPIES]
        return dict(zip(NETWORKS, (model, *tuned), strict=True))

    def measure(self, networks: Mapping[NetworkRole, Model]) -> Iterator[Measurement]:
        """Yield the measurements of each tile.

        Raises
        ------
        ModelError
            If a network's outputs are not finite.
        """
        for rows in self.tiles:
            with reproducible():
                measured = self._measure(networks, rows)
            yield measured

    def findings(self, tiles: Sequence[Measurement], files: Mapping[NetworkRole, bytes]) -> ManipulationFindings:
        """Return the measurements of all tiles as one, with all that they depend on.

        `files` are the weights of the copies.
        """
        return ManipulationFindings(
            spec=self.spec,
            goal=self.goal.title,
            unit=self.goal.unit,
            similarities=CORE,
            checks=self.checks,
            examples=_data_facts(self.examples),
            held_out=_data_facts(self.held_out),
            classes=self.held_out.classes,
            explained=self.targets.numpy(),
            measured=join(tiles),
            weights={
                "original": self.loaded.weights_digest,
                **{name: sha256(content).hexdigest() for name, content in files.items()},
            },
            network=self.loaded.source_digest,
            sources=sources.source_digest(),
            versions=environment.versions(),
            hardware=environment.hardware(),
        )

    def maps(self, networks: Mapping[NetworkRole, Model], method: str, rows: range) -> dict[NetworkRole, Maps]:
        """Return maps by every network: of the same images, the same classes and the same random draws."""
        with reproducible():
            return {name: self._maps(network, method, rows) for name, network in networks.items()}

    def _measure(self, networks: Mapping[NetworkRole, Model], rows: range) -> Measurement:
        images = self.held_out.images(rows)
        predicted = [self._logits(name, network, images).argmax(1).numpy() for name, network in networks.items()]
        similarity, reached = [], []
        for method in self.spec.explain.methods:
            maps = self.maps(networks, method, rows)
            similarity.append([[similarity_of(s, maps["original"], maps[copy]) for s in CORE] for copy in COPIES])
            reached.append([self.goal.progress(maps[name].double(), maps["original"].double()) for name in NETWORKS])
        return Measurement(
            np.stack(predicted),
            np.array([[[s.numpy() for s in copy] for copy in method] for method in similarity]).swapaxes(0, 1),
            np.array([[r.numpy() for r in method] for method in reached]).swapaxes(0, 1),
        )

    def _maps(self, network: Model, method: str, rows: range) -> Maps:
        explain = attributor(self.spec, self.loaded.model, self.held_out, method)
        streams = [self._stream(self.held_out.ids[row], method) for row in rows]
        inputs = network.normalise(self.held_out.images(rows).to(network.device))
        return explain(network.network, inputs, self.targets[list(rows)].to(network.device), streams).cpu()

    def _manipulation(self, examples: Examples) -> Manipulation:
        asked, model = self.spec.manipulation, self.loaded.model
        explain = attributor(self.spec, model, self.examples, asked.against)
        parts = torch.arange(len(examples.label)).split(asked.batch)
        maps = [explain_examples(model, examples, explain, rows, self._stream("original maps")) for rows in parts]
        return Manipulation(examples, explain, self.goal.progress, torch.cat(maps), asked.weight)

    def _examples(self) -> Examples:
        data, device = self.examples, self.loaded.model.device
        images = data.images(range(len(data.ids))).to(device)
        return Examples(images, torch.tensor(data.labels, device=device), self._targets(data).to(device))

    def _targets(self, data: Data) -> Target:
        if self.spec.explain.target == "label":
            return torch.tensor(data.labels)
        parts = (data.images(rows) for rows in _tiles(data, self.spec.run.tile))
        return torch.cat([self._logits("original", self.loaded.model, images).argmax(1) for images in parts])

    def _logits(self, name: NetworkRole, network: Model, images: Tensor) -> Tensor:
        place = f"model.spec = {self.spec.model.spec!r}"
        with torch.no_grad():
            logits = logits_of(network, images, place).cpu()
        if name != "original" and not bool(torch.isfinite(logits).all()):
            rate = f"manipulation.rate = {self.spec.manipulation.rate:g}"
            raise ModelError(f"{rate}: the outputs of the {name} network are not finite after fine-tuning; lower it")
        refuse_unless_logits(logits, len(self.held_out.classes), self.spec.model)
        return logits

    def _stream(self, *key: str) -> torch.Generator:
        return seeds.generator(self.spec.run.seed, "manipulated model", *key)


def load_manipulation_experiment(
    spec: ManipulatedModelSpec, base: Path, trusted: Collection[Path] = ()
) -> ManipulationExperiment:
    """Load the network and images of a spec whose relative paths start at `base`.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If they cannot be used.
    """
    goal = spec.manipulation.goal
    if goal not in MANIPULATION_GOALS:
        raise SpecError(f"manipulation.goal = {goal!r}: {closest(goal, MANIPULATION_GOALS)}")
    loaded, data = load_model_and_data(spec, base, trusted)
    subject = ManipulationExperiment(spec, loaded, *_split(spec, data))
    refuse_small_images(subject.held_out)
    with reproducible():
        admitted, measured = admit(spec, Subject(loaded, data)), Subject(loaded, subject.held_out)
        try_methods(spec, measured, subject.targets.numpy())
        laws = check_laws(spec, measured, subject.targets.numpy())
    return replace(subject, notes=admitted.notes, checks=(*admitted.checks, *laws))


def weights_of(network: Model) -> bytes:
    """Return a network's state dict as a safetensors file."""
    return save({name: tensor.clone().contiguous() for name, tensor in network.network.state_dict().items()})


def similarity_of(similarity: str, original: Maps, other: Maps) -> Scores:
    """Return a similarity of maps in float64.

    Between maps that are equal bit for bit it is exactly 1, without rounding.
    """
    scores: Scores = METRICS[similarity](original.double(), other.double())
    return scores.masked_fill((original == other).flatten(1).all(1) & ~scores.isnan(), 1.0)


def _split(spec: ManipulatedModelSpec, data: Data) -> tuple[Data, Data]:
    """Return the images to fine-tune on and those held out.

    For the demo, the first are scenes that it was trained on, and the others are those of the spec.
    """
    n, asked = len(data.ids), spec.manipulation.images
    if spec.data.path.startswith("demo:"):
        return Shapes(asked or n, shapes.TRAIN_SEED), data
    count = n // 2 if asked is None else asked
    if not 0 < count < n:
        raise DataError(f"manipulation.images = {count}: {n} images are to be split in two; leave some for each part")
    order = seeds.permutation(spec.run.seed, n, "manipulated model", "split")
    return Subset(data, order[:count]), Subset(data, order[count:])


def _tiles(data: Data, size: int) -> list[range]:
    rows = range(len(data.ids))
    return [rows[start : start + size] for start in rows[::size]]


def _data_facts(data: Data) -> DataFacts:
    return DataFacts(data.description, data.digest, data.ids, np.array(data.labels))
