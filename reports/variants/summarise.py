"""The step from measured values to estimates."""

from collections.abc import Iterator

import numpy as np

from pipeline.experiments.variant_results import EVERYTHING, Numbers, VariantFindings
from pipeline.spec.variants import VariantSpec
from pipeline.store.attributes import caveats_of
from reports import statistics
from reports.formatting import enumeration
from reports.result import Estimate
from reports.statistics import SHARE, unit
from reports.variants.result import MapMovement, MapScale, Refusal, VariantAnswers, VariantsResult
from srd.registry import ATTRIBUTORS

UNDEFINED = "undefined: a map is constant or not finite"
ALONE = "there is no other image"


def summarise(found: VariantFindings) -> VariantsResult:
    """Return the estimates of the measured values."""
    return VariantsResult(
        spec=found.spec.model_dump(mode="json", exclude_none=True),
        caveats=caveats_of(found.checks),
        data=found.description,
        n=found.n,
        accuracy=statistics.rate(found.measured.right[0], SHARE, {}),
        answers=tuple(_answers(found)),
        moved=tuple(_movements(found)),
        scale=tuple(_scales(found)),
        refused=tuple(_refusals(found)),
        weights=dict(found.weights),
        network=found.network,
        data_digest=found.data,
        sources=found.sources,
        versions=dict(found.versions),
        hardware=found.hardware,
    )


def change_in_words(asked: VariantSpec) -> str:
    """Return what a variant changes."""
    changes = {
        f"weights of {asked.weights}": asked.weights,
        f"{asked.dtype}": asked.dtype,
        "linear layers in dynamic int8": asked.quantize,
        "compiled": asked.compile,
    }
    return enumeration(words for words, is_asked in changes.items() if is_asked)


def _answers(found: VariantFindings) -> Iterator[VariantAnswers]:
    measured = found.measured
    original = measured.right[0]
    for row, (name, asked) in enumerate(found.spec.variant.items()):
        if not _is_refused(found, name, EVERYTHING):
            right, change = measured.right[1 + row], measured.probability_change[row]
            yield VariantAnswers(
                variant=name,
                change=change_in_words(asked),
                accuracy=statistics.rate(right, SHARE, {}),
                kept=statistics.rate(measured.kept[row], SHARE, {}),
                lost=_mean(original.astype(float) - right, "share of images, -1 to 1"),
                probability_change=_mean(change, "largest change of a probability, 0 to 1"),
                largest=float(change.max()),
            )


def _movements(found: VariantFindings) -> Iterator[MapMovement]:
    for row, variant in enumerate(found.spec.variant):
        for column, method in enumerate(found.spec.explain.methods):
            if not (_is_refused(found, variant, EVERYTHING) or _is_refused(found, variant, method)):
                for place, quantity in enumerate(found.quantities):
                    values = found.measured.moved[row, column, place]
                    estimate = _mean(values, unit(quantity))
                    yield MapMovement(variant=variant, method=method, quantity=quantity, estimate=estimate)


def _scales(found: VariantFindings) -> Iterator[MapScale]:
    why = UNDEFINED if found.n > 1 else ALONE
    for column, method in enumerate(found.spec.explain.methods):
        for place, quantity in enumerate(found.quantities):
            other, repeat = found.measured.other_image[column, place], found.measured.repeat[column, place]
            yield MapScale(
                method=method,
                quantity=quantity,
                other_image=_mean(other, unit(quantity), why),
                repeat=_mean(repeat, unit(quantity)) if ATTRIBUTORS[method].stochastic else None,
            )


def _refusals(found: VariantFindings) -> Iterator[Refusal]:
    for variant in found.spec.variant:
        for method in (EVERYTHING, *found.spec.explain.methods):
            if _is_refused(found, variant, method):
                yield Refusal(variant=variant, method=method, reason=found.reasons[variant][method])


def _is_refused(found: VariantFindings, variant: str, method: str) -> bool:
    return method in found.reasons.get(variant, {})


def _mean(values: Numbers, of: str, why: str = UNDEFINED) -> Estimate:
    absent = int(np.isnan(values).sum())
    return statistics.mean(values[~np.isnan(values)], of, {why: absent} if absent else {})
