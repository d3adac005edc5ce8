"""The section that compares methods: one declared family of tests, and what is exploratory beside it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports.audit.comparisons.equivalences import noise_equivalences
from reports.audit.comparisons.family import SUBJECT, WHY, FamilyComparison, family_comparisons
from reports.audit.comparisons.fields import ComparisonFields
from reports.audit.comparisons.orders import concordances, rank_orders
from reports.audit.comparisons.tables import concordance_table, equivalence_table, family_table, rank_table
from reports.audit.estimates import fields_of, frame_of_rows
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Table
from reports.formatting import counts_in_words, enumeration, method_title, plural
from reports.page import Exhibit, fold_tables
from reports.statistics import LEVEL, MARGIN, POWER

SCOPE = (
    "Only the comparisons of the first table were declared as one family, and only their p-values are adjusted, by "
    "Holm's rule. Every other comparison of this report is exploratory."
)
READING = (
    "p: two-sided, from flipping the signs of the differences. Effect: rank-biserial correlation, -1 to 1. Detectable "
    f"difference: the one that as many images show with probability {POWER:g}; a smaller one may well go unseen. "
    "Better and worse: the number of methods that are significantly so, after Holm's rule over all pairs. Kendall's W: "
    "1 where all metrics order the methods alike, 0 where their orders are unrelated; no direction is the good one."
)
EQUIVALENCE = (
    f"An attack is called no worse than noise if the 90 % interval lies inside +-{MARGIN:g} of correlation (two "
    "one-sided t-tests). Where an attack is unreliable, that says something of the attack, not of the method."
)


def _numbers(readings: Readings, result: ComparisonFields) -> Fields:
    return {
        "family": family_comparisons(readings, result),
        "family_choice": WHY,
        "rank_orders": rank_orders(readings, result),
        "concordances": concordances(readings, result),
        "noise_equivalences": noise_equivalences(readings, result),
    }


def family_sentence(result: ComparisonFields) -> str:
    """Return the outcome of the family as a sentence, or why there is none."""
    if not any(method.name == SUBJECT for method in result.methods):
        return "The run does not explain with SRD, so no family of comparisons was declared."
    if not result.family:
        return "SRD has no other method, or no condition, to be compared with."
    refusal = next((each.reason for each in result.family if each.reason), "")
    if refusal and not any(each.adjusted is not None for each in result.family):
        return f"No difference of the family can be shown: {refusal}."
    better, worse = (
        [method_title(each.method) for each in result.family if each.is_significant and sign * _value(each) > 0]
        for sign in (1, -1)
    )
    told = [f"{side} than {enumeration(names)}" for side, names in (("better", better), ("worse", worse)) if names]
    outcome = f"SRD is {' and '.join(told)}" if told else "SRD is told apart from no other method"
    alike = sum(each.effect is None for each in result.family)
    same = f"; in {alike} of them no image tells the two methods apart" if alike else ""
    together = plural(len(result.family), "comparison")
    return f"By own image {outcome}, at {100 * LEVEL:.0f} % for all {together} together{same}."


def _value(each: FamilyComparison) -> float:
    return each.difference.value or 0.0


def _tables(result: ComparisonFields) -> Iterator[Table]:
    yield family_table(result)
    yield from (rank_table(order, result.caveats) for order in result.rank_orders)
    yield concordance_table(result)
    yield equivalence_table(result)


def _body(result: ComparisonFields, _: Pictures) -> Mapping[str, Any]:
    tables = [table for table in _tables(result) if table.rows]
    choice = (SCOPE, result.family_choice) if result.family else ()
    paragraphs = (family_sentence(result), *choice, READING)
    refusals = dict.fromkeys(rank.reason for order in result.rank_orders for rank in order.ranks if rank.reason)
    return {
        "paragraphs": (*paragraphs, *([EQUIVALENCE] if result.noise_equivalences else [])),
        "exhibits": (*(Exhibit(None, (table,)) for table in tables[:1]), *fold_tables("Exploratory", tables[1:])),
        "items": tuple(f"Ranks: {reason}." for reason in refusals),
    }


def _frames(result: ComparisonFields) -> Mapping[str, pd.DataFrame]:
    family = (
        each.model_dump(exclude={"difference", "conditions", "reason"})
        | {"condition_of_srd": each.conditions[0], "condition": each.conditions[1], "why_not_adjusted": each.reason}
        | fields_of(each.difference)
        for each in result.family
    )
    ranks = (
        {"setting": order.setting, **rank.model_dump(exclude={"better", "worse"}), "better": "; ".join(rank.better),
         "worse": "; ".join(rank.worse)}
        for order in result.rank_orders
        for rank in order.ranks
    )  # fmt: skip
    agreement = (
        {"category": each.category, "condition": each.condition, "metrics": "; ".join(each.metrics),
         "left_out": "; ".join(each.left_out), **fields_of(each.estimate)}
        for each in result.concordances
    )  # fmt: skip
    equivalences = (
        {**each.model_dump(exclude={"equivalence", "excluded"}), "excluded": counts_in_words(each.excluded),
         "margin": each.equivalence.margin, "low": each.equivalence.lower.value, "high": each.equivalence.upper.value,
         "holds": each.equivalence.holds}
        for each in result.noise_equivalences
    )  # fmt: skip
    return {
        "comparisons": frame_of_rows(family, ("method", "setting")),
        "ranks": frame_of_rows(ranks, ("method", "setting")),
        "concordance": frame_of_rows(agreement, ("category", "condition")),
        "noise-equivalence": frame_of_rows(equivalences, ("condition", "method")),
    }


COMPARISONS: Section[ComparisonFields] = Section(
    id="comparisons",
    title="Comparisons",
    heading="Which methods differ",
    body=_body,
    numbers=_numbers,
    frames=_frames,
    summary_tables=lambda result: [table for table in (family_table(result),) if table.rows],
)
