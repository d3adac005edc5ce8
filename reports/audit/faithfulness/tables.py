"""The tables of the section on faithfulness."""

from collections.abc import Iterable, Iterator

from pipeline.plan.axes import CONTROLS
from pipeline.plan.schema import REASONS, Reason
from reports.audit.asked_again import REMOVAL_SCORES
from reports.audit.faithfulness.fields import FaithfulnessFields, RemovalLead
from reports.audit.qualities import removal_score
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import NONE, signed_interval, signed_value, size
from reports.result import Estimate
from srd.registry import METRICS

GROUP = "orders that never saw the network"
TITLES = {"random": "Random order", "edges": "Order of the edges"}
"""Control -> its title as a removal order."""
ARROWS = {"higher": "higher is better", "lower": "lower is better", None: ""}
IN_WORDS = {
    "mu_fidelity": "do sums of the map over groups of cells rank as what the logit loses without them",
    "single_deletion": "the same of each cell alone",
    "infidelity": "how far these losses are from proportional to the sums, as a mean square",
    "sensitivity_n": "the correlation of losses and sums, over groups of several sizes",
    "completeness": "how far the sum of the whole map is from the logit less that of the black image, as a share of it",
}
"""Quality without a removal order -> what it asks."""
NOT_CLAIMED = REASONS[Reason.NOT_CLAIMED]


def faithfulness_tables(result: FaithfulnessFields) -> Iterator[Table]:
    """Yield a table for each fill of removed pixels, then that of the qualities without a removal order."""
    for fill in dict.fromkeys(each.fill for each in result.removal_leads):
        yield removal_table(result, fill)
    if result.faithfulness:
        yield subsets_table(result)


def removal_table(result: FaithfulnessFields, fill: str) -> Table:
    """Return the table of removal scores with one fill, the controls below."""
    names = [removal_score(score, fill) for score in REMOVAL_SCORES]
    scores = {(each.method, each.metric): each.estimate for each in result.faithfulness}
    controls = {(each.control, each.metric): each.estimate for each in result.control_scores}
    leads = {(each.method, each.is_control, each.over): each for each in result.removal_leads if each.fill == fill}
    rows = [
        (
            method_heading(each.name, result.caveats),
            *(estimate_cell(scores[each.name, name]) for name in names),
            *(_lead_cell(leads.get((each.name, False, over))) for over in CONTROLS),
        )
        for each in result.methods
    ]
    rows += [
        (
            Cell(TITLES[control], "", "control", GROUP),
            *(estimate_cell(controls[control, name]) for name in names),
            *(_lead_cell(leads.get((control, True, over))) for over in CONTROLS),
        )
        for control in CONTROLS
    ]
    caption = (
        f"Removal of pixels, which {_fill_in_words(fill)} replaces: means over images with 95 % intervals; "
        "differences are paired by image, with t intervals."
    )
    header = ("method", *map(_heading, names), "SRG above random order", "SRG above edges")
    return Table(caption, header, tuple(rows))


def subsets_table(result: FaithfulnessFields) -> Table:
    """Return the table of the qualities that compare sums of a map with drops of the answer."""
    names = [name for name in dict.fromkeys(each.metric for each in result.faithfulness) if is_of_sums(name)]
    found = {(each.method, each.metric): each.estimate for each in result.faithfulness}
    rows = (
        (
            method_heading(each.name, result.caveats),
            *(_sum_cell(found[each.name, name]) for name in names),
        )
        for each in result.methods
    )
    caption = (
        "Do the values of a map add up to what the answer loses without them? Cells of a 9 x 9 grid are replaced by "
        f"the mean colour; means over images with 95 % intervals. {_meanings(names)}"
    )
    return Table(caption, ("method", *map(_heading, names)), tuple(rows))


def _meanings(names: Iterable[str]) -> str:
    return " ".join(f"{METRICS[name].title}: {IN_WORDS[name]}." for name in names)


def is_of_sums(name: str) -> bool:
    """Return whether a quality compares sums of a map with answers; else it is made of removal curves."""
    return METRICS[name].of != "curves"


def _sum_cell(estimate: Estimate) -> Cell:
    is_claimed = estimate.value is not None or NOT_CLAIMED not in estimate.excluded
    return estimate_cell(estimate) if is_claimed else Cell(NONE, NOT_CLAIMED)


def _lead_cell(lead: RemovalLead | None) -> Cell:
    if lead is None:
        return Cell(NONE)
    if lead.difference.value is None:
        return estimate_cell(lead.difference)
    return Cell(signed_value(lead.difference), f"{signed_interval(lead.difference)}\n{size(lead.difference)}")


def _heading(name: str) -> str:
    arrow = ARROWS[METRICS[name].better]
    return f"{METRICS[name].title} ({arrow})" if arrow else METRICS[name].title


def _fill_in_words(fill: str) -> str:
    return {"blur": "a blur of the image (sigma: a twentieth of the side)", "black": "black"}[fill]
