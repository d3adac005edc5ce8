"""Sentences made from the numbers of a comparison: what they show, and how far they carry."""

from collections.abc import Iterator, Sequence

from reports.audit.calibration import AT_FLOOR
from reports.audit.limits import NOT_CORRECTNESS, SMALL_N, UNCORRECTED
from reports.audit.scale import CLASS_BLIND
from reports.comparison.result import ComparisonResult, ComparisonRow, KeptPredictions
from reports.families import by_family, registry_position
from reports.formatting import (
    TIGHT,
    enumeration,
    estimate_in_words,
    method_title,
    plural,
    signed_interval,
    signed_value,
    size,
    title_with_caveat,
)
from srd.registry import ATTRIBUTORS, SRD

Cases = frozenset[tuple[str, str]]
"""Pairs of a network and a column."""
HALF = 0.5


def summary(result: ComparisonResult) -> Iterator[str]:
    """Compare SRD with the baselines, name the least stable cases by family, and say where stability is no merit."""
    hardest = _largest_strengths(result)
    baselines = dict.fromkeys(row.method for row in result.differences)
    for _, family in by_family(sorted(baselines, key=registry_position), str):
        yield _comparison_with(result, family, hardest)
    yield from _least_stable_cases(result, hardest)
    yield from _lost_predictions(result, hardest)
    yield from _class_blind_methods(result)


def limits(result: ComparisonResult) -> Iterator[str]:
    """Say how far the numbers carry."""
    yield (
        "Networks may differ in data, image size, training and depth at once: a difference between two of them is "
        "not the effect of the architecture alone."
    )
    few = [f"{each.name} ({each.identity.sizes['image']})" for each in result.networks
           if each.identity.sizes["image"] < SMALL_N]  # fmt: skip
    if few:
        yield f"Few images: {enumeration(few)}. Below about {SMALL_N} bootstrap intervals tend to be too narrow."
    yield UNCORRECTED
    yield (
        "A perturbation of the same size in pixels is not equally strong for every network, and an attack that failed "
        "shows only that this attack, with these options, failed."
    )
    yield NOT_CORRECTNESS


def _largest_strengths(result: ComparisonResult) -> Cases:
    """Return, for each network and perturbation, the column of the largest strength."""
    hardest = {
        (row.network, column.perturbation): column.name
        for column in result.columns
        if column.perturbation
        for row in result.similarities
        if row.column == column.name
    }
    return frozenset((network, name) for (network, _), name in hardest.items())


def _comparison_with(result: ComparisonResult, baselines: Sequence[str], hardest: Cases) -> str:
    """Say in how many cases SRD is the more and the less stable one, and name the furthest case of each side."""
    rows = [row for row in result.differences if row.method in baselines and row.is_headline and _case(row) in hardest]
    doubted = [row for row in rows if row.doubt]
    bounded = [row for row in rows if not row.doubt and row.estimate.low is not None]
    above = [row for row in bounded if _low(row) > 0]
    below = [row for row in bounded if _high(row) < 0]
    counts = [
        f"more stable in {len(above)}{_furthest_in_words(result, max(above, key=_value, default=None))}",
        f"less stable in {len(below)}{_furthest_in_words(result, min(below, key=_value, default=None))}",
        f"not to be told apart in {len(bounded) - len(above) - len(below)}",
    ]
    if len(rows) > len(bounded) + len(doubted):
        counts.append(f"without interval in {len(rows) - len(bounded) - len(doubted)}")
    if doubted:
        counts.append(f"not counted in {len(doubted)}, where an attack is in doubt")
    names = enumeration(_name_of_baseline(result, name) for name in baselines)
    return (
        f"{SRD.title} beside {names}, at the largest strength of each perturbation: of {plural(len(rows), 'case')} "
        f"{SRD.title} is {enumeration(counts)}."
    )


def _least_stable_cases(result: ComparisonResult, hardest: Cases) -> Iterator[str]:
    """Name the lowest calibrated stability of each family, and what is not on its scale. Attacks in doubt are left out.

    The images of two networks may differ, so that no interval tells whether a case is lower than all others.
    """
    rows = [row for row in result.calibrated if _case(row) in hardest and not row.doubt]
    measured = [row for row in rows if row.estimate.value is not None]
    families = by_family(sorted(measured, key=lambda row: registry_position(row.method)), lambda row: row.method)
    least = [(family, min(found, key=_value)) for family, found in families]
    cases = [f"{family}: {_place(result, row)} {estimate_in_words(row.estimate)}" for family, row in least]
    if cases:
        yield f"Lowest calibrated stability seen in each family: {'; '.join(cases)}."
    lost = [_place(result, row) for row in rows if row.estimate.reason.startswith(AT_FLOOR)]
    if lost:
        yield f"Perturbed and clean maps are {AT_FLOOR}: {enumeration(lost)}."


def _place(result: ComparisonResult, row: ComparisonRow) -> str:
    return f"{_name(result, row)} on {row.network} under {_title(result, row.column)}"


def _name(result: ComparisonResult, row: ComparisonRow) -> str:
    return title_with_caveat(row.method, result.caveats_on(row.network))


def _name_of_baseline(result: ComparisonResult, method: str) -> str:
    """Return the title of a method, with its caveats on all networks."""
    told = [f"on {each.name} {each.caveats[method]}" for each in result.networks if method in each.caveats]
    return f"{method_title(method)} ({'; '.join(told)})" if told else method_title(method)


def _lost_predictions(result: ComparisonResult, hardest: Cases) -> Iterator[str]:
    """Name the cases in which the network mostly predicts other classes than those that are explained."""
    rows = [row for row in result.kept if _case(row) in hardest and row.estimate.value is not None]
    lost = [row for row in rows if _value(row) < HALF]
    if lost:
        cases = (
            f"{estimate_in_words(row.estimate)} on {row.network} under {_title(result, row.column)}" for row in lost
        )
        yield (
            f"On less than half of the images the predicted class is kept: {enumeration(cases)}. "
            "There the maps explain a class that the network has left; a map that moves "
            "with the prediction is no fault of its method."
        )


def _class_blind_methods(result: ComparisonResult) -> Iterator[str]:
    rows = [row for row in result.similarities if row.column == "other_class" and row.is_headline]
    blind = [row for row in rows if _uses_network(row) and _value(row) >= CLASS_BLIND]
    if blind:
        cases = (f"{_name(result, row)} on {row.network} {estimate_in_words(row.estimate)}" for row in blind)
        yield (
            f"Maps that change little when another class is explained on the same image (correlation of the two at "
            f"least {CLASS_BLIND}): {enumeration(cases)}. Their stability must not be taken for reliability."
        )


def _case(row: KeptPredictions | ComparisonRow) -> tuple[str, str]:
    return row.network, row.column


def _uses_network(row: ComparisonRow) -> bool:
    return ATTRIBUTORS[row.method].uses_network


def _value(row: KeptPredictions | ComparisonRow) -> float:
    return row.estimate.value or 0.0


def _low(row: ComparisonRow) -> float:
    return row.estimate.low or 0.0


def _high(row: ComparisonRow) -> float:
    return row.estimate.high or 0.0


def _furthest_in_words(result: ComparisonResult, row: ComparisonRow | None) -> str:
    if row is None:
        return ""
    ends = signed_interval(row.estimate).strip("[]").replace(f",{TIGHT}", " to ")
    return f" (furthest {_place(result, row)}: {signed_value(row.estimate)}, {ends}, {size(row.estimate)})"


def _title(result: ComparisonResult, column: str) -> str:
    return next(each.title for each in result.columns if each.name == column)
