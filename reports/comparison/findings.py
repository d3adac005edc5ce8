"""What the numbers of a comparison say, in sentences made from them, and how far they carry."""

from collections.abc import Iterator, Sequence

from reports.audit.limits import NOT_CORRECTNESS, SMALL_N, UNCORRECTED
from reports.audit.scale import CLASS_BLIND
from reports.comparison.result import ComparisonResult, Kept, Row
from reports.families import by_family, position
from reports.formatting import TIGHT, full, listed, method_title, plural, signed, signed_interval, size
from srd.registry import ATTRIBUTORS, SRD

Cases = frozenset[tuple[str, str]]
"""Networks with columns."""
HALF = 0.5


def summary(result: ComparisonResult) -> Iterator[str]:
    """Tell SRD against the baselines, the least stable cases by family, and what makes stability no merit."""
    hardest = _hardest(result)
    baselines = dict.fromkeys(row.method for row in result.differences)
    for _, family in by_family(sorted(baselines, key=position), str):
        yield _against(result, family, hardest)
    yield from _least(result, hardest)
    yield from _lost(result, hardest)
    yield from _blind(result)


def limits(result: ComparisonResult) -> Iterator[str]:
    """Say how far the numbers carry."""
    yield (
        "Networks may differ in data, image size, training and depth at once: a difference between two of them is "
        "not the effect of the architecture alone."
    )
    few = [f"{each.name} ({each.identity.sizes['image']})" for each in result.networks
           if each.identity.sizes["image"] < SMALL_N]  # fmt: skip
    if few:
        yield f"Few images: {listed(few)}. Below about {SMALL_N} bootstrap intervals tend to be too narrow."
    yield UNCORRECTED
    yield (
        "A perturbation of the same size in pixels is not equally strong for every network, and an attack that failed "
        "shows only that this attack, with these options, failed."
    )
    yield NOT_CORRECTNESS


def _hardest(result: ComparisonResult) -> Cases:
    """Return of each network and perturbation the column of the largest strength."""
    hardest = {
        (row.network, column.perturbation): column.name
        for column in result.columns
        if column.perturbation
        for row in result.similarities
        if row.column == column.name
    }
    return frozenset((network, name) for (network, _), name in hardest.items())


def _against(result: ComparisonResult, baselines: Sequence[str], hardest: Cases) -> str:
    """Say how many intervals of the paired differences lie above and below 0, with the furthest of each."""
    rows = [row for row in result.differences if row.method in baselines and row.is_headline and _case(row) in hardest]
    doubted = [row for row in rows if row.doubt]
    bounded = [row for row in rows if not row.doubt and row.estimate.low is not None]
    above = [row for row in bounded if _low(row) > 0]
    below = [row for row in bounded if _high(row) < 0]
    counts = [
        f"{len(above)} lie above 0{_furthest(result, max(above, key=_value, default=None))}",
        f"{len(below)} below 0{_furthest(result, min(below, key=_value, default=None))}",
        f"{len(bounded) - len(above) - len(below)} across 0",
    ]
    if len(rows) > len(bounded) + len(doubted):
        counts.append(f"{len(rows) - len(bounded) - len(doubted)} without interval")
    if doubted:
        counts.append(f"{len(doubted)} not counted because an attack is in doubt")
    names = listed(method_title(name) for name in baselines)
    return (
        f"{SRD.title} minus {names}, correlations paired by image, at the largest strength of each perturbation: "
        f"of {plural(len(rows), 'difference')} {listed(counts)}."
    )


def _least(result: ComparisonResult, hardest: Cases) -> Iterator[str]:
    """Say how far each family falls, and the controls."""
    measured = [row for row in result.similarities if row.is_headline and _case(row) in hardest]
    measured = [row for row in measured if row.estimate.value is not None]
    families = by_family(sorted(measured, key=lambda row: position(row.method)), lambda row: row.method)
    least = [(family, min(rows, key=_value)) for family, rows in families]
    cases = [f"{family}: {method_title(row.method)} {_full(row)} on {row.network} under {_title(result, row.column)}"
             for family, row in least]  # fmt: skip
    if cases:
        yield f"Least stable case of each family, by the correlation of clean and perturbed maps: {'; '.join(cases)}."


def _lost(result: ComparisonResult, hardest: Cases) -> Iterator[str]:
    """Say where the network has turned to other classes than those that are explained."""
    rows = [row for row in result.kept if _case(row) in hardest and row.estimate.value is not None]
    lost = [row for row in rows if _value(row) < HALF]
    if lost:
        cases = (f"{full(row.estimate)} on {row.network} under {_title(result, row.column)}" for row in lost)
        yield (
            f"On less than half of the images the predicted class is kept: {listed(cases)}. There the maps explain a "
            "class that the network has left; a map that moves with the prediction is no fault of its method."
        )


def _blind(result: ComparisonResult) -> Iterator[str]:
    rows = [row for row in result.similarities if row.column == "other_class" and row.is_headline]
    blind = [row for row in rows if _uses_network(row) and _value(row) >= CLASS_BLIND]
    if blind:
        cases = (f"{method_title(row.method)} on {row.network} {_full(row)}" for row in blind)
        yield (
            f"Maps that change little when another class is explained on the same image (correlation of the two at "
            f"least {CLASS_BLIND}): {listed(cases)}. Their stability must not be taken for reliability."
        )


def _case(row: Kept | Row) -> tuple[str, str]:
    return row.network, row.column


def _uses_network(row: Row) -> bool:
    return ATTRIBUTORS[row.method].uses_network


def _value(row: Kept | Row) -> float:
    return row.estimate.value or 0.0


def _low(row: Row) -> float:
    return row.estimate.low or 0.0


def _high(row: Row) -> float:
    return row.estimate.high or 0.0


def _full(row: Row) -> str:
    return full(row.estimate) + (f" ({row.doubt})" if row.doubt else "")


def _furthest(result: ComparisonResult, row: Row | None) -> str:
    if row is None:
        return ""
    ends = signed_interval(row.estimate).strip("[]").replace(f",{TIGHT}", " to ")
    where = f"{method_title(row.method)} on {row.network} under {_title(result, row.column)}"
    return f" (furthest {where}: {signed(row.estimate)}, {ends}, {size(row.estimate)})"


def _title(result: ComparisonResult, column: str) -> str:
    return next(each.title for each in result.columns if each.name == column)
