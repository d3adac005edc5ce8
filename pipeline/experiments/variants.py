"""Deployment equivalence: maps and answers of a network, and of the same network as it is shipped."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from attacks.types import Images, Model
from pipeline.execution.admission import admit
from pipeline.execution.image_checks import refuse_small_images
from pipeline.execution.law_checks import check_laws
from pipeline.execution.preparation import try_methods
from pipeline.execution.subjects import Subject
from pipeline.experiments.manipulated_models import similarity_of
from pipeline.experiments.variant_networks import make_variant, refuse_hidden_operations
from pipeline.experiments.variant_results import EVERYTHING, Measurement, Numbers, Reasons, VariantFindings, join
from pipeline.inputs.answers import find_right, logits_of
from pipeline.inputs.data import Data
from pipeline.inputs.model_and_data import load_model_and_data
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.inputs.outputs import settle_output
from pipeline.machine import environment, seeds, sources
from pipeline.machine.environment import reproducible
from pipeline.spec.variants import VariantSpec, VariantsSpec
from pipeline.stages.context import attributor
from pipeline.store.attributes import CheckResult
from srd.errors import AuditError, ModelError
from srd.registry import ATTRIBUTORS, METRICS, SIMILARITIES
from srd.types import Maps, Scores, Target

QUANTITIES = tuple(name for name, entry in METRICS.items() if entry.core and entry.of == "two maps")
"""The metrics of two maps by which maps are compared."""
LONG = 300  # characters of a reason
T = TypeVar("T")


@dataclass(frozen=True)
class VariantExperiment:
    """The network, the images and the variants of a spec."""

    spec: VariantsSpec
    loaded: LoadedModel
    data: Data
    origins: Mapping[str, LoadedModel]
    """The loaded model that each variant is a copy of: the network, or one with other weights."""
    notes: tuple[str, ...] = ()
    """Sentences on the input: what was left out or unwrapped, and an accuracy near chance."""
    checks: tuple[CheckResult, ...] = ()
    """What was asked of the network and the methods, and found."""
    reasons: Reasons = field(default_factory=dict)
    """What variants cannot do; filled as they are made and measured."""

    @property
    def tiles(self) -> list[range]:
        """Return the positions of the images that a network reads at once."""
        rows = range(len(self.data.ids))
        return [rows[start : start + self.spec.run.tile] for start in rows[:: self.spec.run.tile]]

    @cached_property
    def targets(self) -> Target:
        """Return the classes that are explained: of every variant those of the network."""
        if self.spec.explain.target == "label":
            return torch.tensor(self.data.labels)
        model = self.loaded.model
        return torch.cat([self._logits(model, self.data.images(rows)).argmax(1) for rows in self.tiles])

    def variants(self) -> dict[str, Model]:
        """Return the variants that can be made; `reasons` tells why the others cannot."""
        made = {}
        for name, asked in self.spec.variant.items():
            variant = self._try(name, EVERYTHING, partial(make_variant, self.origins[name].model, asked))
            if variant is not None:
                made[name] = variant
        return made

    def measure(self, variants: Mapping[str, Model]) -> Iterator[Measurement]:
        """Yield the measurements of each tile."""
        for rows in self.tiles:
            with reproducible():
                measured = self._measure(variants, rows)
            yield measured

    def findings(self, tiles: Sequence[Measurement]) -> VariantFindings:
        """Return the measurements of all tiles as one, with all that they depend on."""
        return VariantFindings(
            spec=self.spec,
            quantities=QUANTITIES,
            checks=self.checks,
            description=self.data.description,
            n=len(self.data.ids),
            measured=join(tiles),
            reasons=self.reasons,
            weights={"": self.loaded.weights_digest}
            | {name: own.weights_digest for name, own in self.origins.items() if own is not self.loaded},
            network=self.loaded.source_digest,
            data=self.data.digest,
            sources=sources.source_digest(),
            versions=environment.versions(),
            hardware=environment.hardware(),
        )

    def _measure(self, variants: Mapping[str, Model], rows: range) -> Measurement:
        images = self.data.images(rows)
        original = self._logits(self.loaded.model, images)
        answers = [self._variant_logits(name, variants, images) for name in self.spec.variant]
        labels = torch.tensor([self.data.labels[row] for row in rows])
        given = [original.new_full(original.shape, torch.nan) if each is None else each for each in answers]
        measured = [self._compare_method(method, variants, rows) for method in self.spec.explain.methods]
        return Measurement(
            right=np.stack([find_right(each, labels, self.spec.model).numpy() for each in (original, *given)]),
            kept=np.stack([(self._decide(each) == self._decide(original)).all(1).numpy() for each in given]),
            probability_change=np.stack([self._change(original, each).numpy() for each in given]),
            moved=np.stack([moved for moved, _, _ in measured], 1),
            other_image=np.stack([other for _, other, _ in measured]),
            repeat=np.stack([repeat for _, _, repeat in measured]),
        )

    def _compare_method(
        self, method: str, variants: Mapping[str, Model], rows: range
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Return how the network's maps by a method compare to the variants', to other images' and to a repeat."""
        original = self._maps(self.loaded.model, method, rows)
        moved = [compare(original, self._variant_maps(name, variants, method, rows)) for name in self.spec.variant]
        others = [self._other_image(row) for row in rows]
        other = None if None in others else self._maps(self.loaded.model, method, [o for o in others if o is not None])
        is_drawn = ATTRIBUTORS[method].stochastic
        repeat = self._maps(self.loaded.model, method, rows, "repeat") if is_drawn else None
        return np.stack(moved), compare(original, other), compare(original, repeat)

    def _variant_logits(self, name: str, variants: Mapping[str, Model], images: Images) -> Tensor | None:
        if name not in variants or EVERYTHING in self.reasons.get(name, {}):
            return None
        return self._try(name, EVERYTHING, partial(self._logits, variants[name], images))

    def _variant_maps(self, name: str, variants: Mapping[str, Model], method: str, rows: range) -> Maps | None:
        if {EVERYTHING, method} & self.reasons.get(name, {}).keys():
            return None

        def explain() -> Maps:
            refuse_hidden_operations(self.spec.variant[name], ATTRIBUTORS[method])
            return self._maps(variants[name], method, rows)

        return self._try(name, method, explain)

    def _try(self, name: str, method: str, work: Callable[[], T]) -> T | None:
        """Return what a variant makes, or None, and note the reason why it makes nothing."""
        try:
            return work()
        except OSError:
            raise
        except AuditError as error:
            reason = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - in any way, which the page tells
            reason = f"{type(error).__name__}: {error}"
        self.reasons.setdefault(name, {})[method] = shorten(reason, LONG)
        return None

    def _maps(self, model: Model, method: str, rows: Sequence[int], *key: str) -> Maps:
        """Return maps of images by their own streams, which are the same for all networks."""
        explain = attributor(self.spec, model, self.data, method)
        streams = [self._stream(self.data.ids[row], method, *key) for row in rows]
        inputs = model.normalise(self.data.images(rows).to(model.device))
        return explain(model.network, inputs, self.targets[list(rows)].to(model.device), streams).cpu()

    def _logits(self, model: Model, images: Images) -> Tensor:
        with torch.no_grad():
            logits = logits_of(model, images, f"model.spec = {self.spec.model.spec!r}").float().cpu()
        if not bool(torch.isfinite(logits).all()):
            raise ModelError("the answer to an image is not finite; check weights and dtype")
        return logits

    def _decide(self, logits: Tensor) -> Tensor:
        """Return the answer (n, 1), or of several labels at once whether each is found (n, labels)."""
        return logits > 0 if self.spec.model.multilabel else logits.argmax(1, keepdim=True)

    def _change(self, original: Tensor, other: Tensor) -> Tensor:
        """Return the largest change of a probability, for each image."""
        probabilities = [
            each.double().sigmoid() if self.spec.model.multilabel else each.double().softmax(1)
            for each in (original, other)
        ]
        return (probabilities[0] - probabilities[1]).abs().amax(1)

    def _other_image(self, row: int) -> int | None:
        """Return another image than that at `row`, which its own stream draws, or None if there is one image."""
        others = [other for other in range(len(self.data.ids)) if other != row]
        if not others:
            return None
        return others[seeds.index(self.spec.run.seed, len(others), "variants", self.data.ids[row], "other image")]

    def _stream(self, *key: str) -> torch.Generator:
        return seeds.generator(self.spec.run.seed, "variants", *key)


def load_variant_experiment(spec: VariantsSpec, base: Path, trusted: Collection[Path] = ()) -> VariantExperiment:
    """Load the network, the images and the weights of all variants of a spec whose relative paths start at `base`.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If they cannot be used, or if a method cannot explain the network itself.
    """
    loaded, data = load_model_and_data(spec, base, trusted)
    refuse_small_images(data)
    origins = {
        name: _other_weights(spec, name, data, base, trusted) if asked.weights else loaded
        for name, asked in spec.variant.items()
    }
    subject, read = VariantExperiment(spec, loaded, data, origins), Subject(loaded, data)
    with reproducible():
        admitted = admit(spec, read)
        try_methods(spec, read, subject.targets.numpy())
        laws = check_laws(spec, read, subject.targets.numpy())
    return replace(subject, notes=admitted.notes, checks=(*admitted.checks, *laws))


def compare(original: Maps, other: Maps | None) -> Numbers:
    """Return how two maps of each row compare: (quantity, row); NaN without other maps, or if one is not finite."""
    if other is None:
        return np.full((len(QUANTITIES), len(original)), np.nan)
    finite = torch.isfinite(original).flatten(1).all(1) & torch.isfinite(other).flatten(1).all(1)
    scores = [_score(name, original, other).masked_fill(~finite, torch.nan) for name in QUANTITIES]
    return torch.stack(scores).double().numpy()


def _score(name: str, original: Maps, other: Maps) -> Scores:
    """Return a metric of maps in float64: of maps that are equal bit for bit, a similarity is exactly 1."""
    if name in SIMILARITIES:
        return similarity_of(name, original.float(), other.float())
    scores: Scores = METRICS[name](original.double(), other.double())
    return scores


def _other_weights(spec: VariantsSpec, name: str, data: Data, base: Path, trusted: Collection[Path]) -> LoadedModel:
    """Return the network of the spec with a variant's weights."""
    asked: VariantSpec = spec.variant[name]
    own = {key: getattr(asked, key) for key in ("weights", "weights_key", "weights_prefix")}
    try:
        loaded = load_model(spec.model.model_copy(update=own), base, trusted)
        settle_output(loaded.model, spec.model, data.images(range(1)), len(data.classes))
    except ModelError as error:
        raise ModelError(f"variant.{name}: {error}") from error
    return loaded
