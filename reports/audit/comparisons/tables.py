"""The tables of the section on comparisons."""

from reports.audit.comparisons.equivalences import NoiseEquivalence
from reports.audit.comparisons.family import FamilyComparison
from reports.audit.comparisons.fields import ComparisonFields
from reports.audit.comparisons.orders import Concordance, RankOrder
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import (
    Caveats,
    condition_in_words,
    counts_in_words,
    number,
    p_value,
    percent,
    plural,
    signed_interval,
    signed_number,
    signed_value,
    size,
)
from reports.statistics import RankInterval
from srd.registry import METRICS


def family_table(result: ComparisonFields) -> Table:
    """Return a table with a row for each comparison of the family."""
    header = ("SRD against", "condition", "difference of own image", "p by Holm", "effect", "detectable difference")
    caption = (
        "The declared family: own image of SRD minus that of the other method, paired by image, 95 % t interval. "
        "Above 0 SRD is better."
    )
    return Table(caption, header, tuple(_family_row(each, result.caveats) for each in result.family))


def _family_row(each: FamilyComparison, caveats: Caveats) -> tuple[Cell, ...]:
    difference = each.difference
    detail = "\n".join((signed_interval(difference), size(difference)))
    return (
        method_heading(each.method, caveats),
        Cell(each.setting, "each attacked itself" if each.is_attack else ""),
        Cell(signed_value(difference), detail),
        Cell(p_value(each.adjusted), f"{p_value(each.p)} alone"),
        Cell(signed_number(each.effect)),
        Cell(number(each.detectable)),
    )


def rank_table(order: RankOrder, caveats: Caveats) -> Table:
    """Return a table with a row for each ranked method."""
    where = f"{order.setting}{', each method attacked itself' if order.is_attack else ''}"
    rows = (_rank_row(rank, caveats) for rank in order.ranks)
    caption = (
        f"Exploratory: ranks by own image, 1 the best, under {where}. All rank intervals hold at once for 95 % of "
        "samples."
    )
    return Table(caption, ("method", "own image", "rank", "better", "worse"), tuple(rows))


def _rank_row(rank: RankInterval, caveats: Caveats) -> tuple[Cell, ...]:
    places = f"{rank.low}" if rank.low == rank.high else f"{rank.low} to {rank.high}"
    return (
        method_heading(rank.method, caveats),
        Cell(percent(rank.value), f"n = {rank.n}"),
        Cell(places),
        Cell(str(len(rank.better))),
        Cell(str(len(rank.worse))),
    )


def concordance_table(result: ComparisonFields) -> Table:
    """Return a table with a row for each category of metrics."""
    caption = "Exploratory: agreement of the metrics of a category on the order of the methods, controls left out."
    return Table(caption, ("category", "Kendall's W", "metrics"), tuple(map(_concordance_row, result.concordances)))


def _concordance_row(each: Concordance) -> tuple[Cell, ...]:
    names, absent = (", ".join(METRICS[name].title for name in group) for group in (each.metrics, each.left_out))
    without = f"without a value for one of the methods: {absent}" if absent else ""
    where = f"{condition_in_words(each.condition)}; {plural(len(each.methods), 'method')}"
    return Cell(each.category, where), estimate_cell(each.estimate), Cell(names, without)


def equivalence_table(result: ComparisonFields) -> Table:
    """Return a table with a row for each attack on a method."""
    caption = (
        "Exploratory: the similarity that an attack on the method itself costs beyond noise of equal size; above 0 "
        "the attack moves maps further."
    )
    header = ("method", "attack", "beyond noise", "no worse than noise")
    return Table(caption, header, tuple(_equivalence_row(each, result.caveats) for each in result.noise_equivalences))


def _equivalence_row(each: NoiseEquivalence, caveats: Caveats) -> tuple[Cell, ...]:
    found = each.equivalence
    interval = f"90 %: [{signed_number(found.lower.value)}, {signed_number(found.upper.value)}]"
    why = found.lower.reason or found.upper.reason
    answer = {True: "yes", False: "not shown", None: "not decided"}[found.holds]
    left_out = counts_in_words(each.excluded)
    details = (why or interval, f"n = {each.n}", f"left out {left_out}" if left_out else "")
    return (
        method_heading(each.method, caveats),
        Cell(condition_in_words(each.condition), f"against {condition_in_words(each.control)}"),
        Cell(signed_number(each.value), "\n".join(filter(None, details))),
        Cell(answer, each.attack_verdict, "unreliable" if each.attack_verdict else ""),
    )
