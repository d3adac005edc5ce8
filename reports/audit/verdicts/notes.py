"""The note on stability and faithfulness together: a map that never moves may say nothing of the network."""

from collections.abc import Iterable
from typing import Literal

from reports.audit.verdicts.criteria import CLEAN, Criterion
from reports.audit.verdicts.decisions import Decision
from reports.audit.verdicts.reasons import Reason

Note = Literal["", "stable because unfaithful", "stable, not shown to be faithful"]
PASSED = ("PASS", "WARN")
NOT_TRIED = (Reason.NOT_ATTACKED, Reason.NO_RELIABLE_ATTACK, Reason.NOT_MEASURED)
"""The reasons of a stability that nothing tried."""


def note_of(decided: Iterable[tuple[Criterion, Decision]]) -> Note:
    """Return what the decisions on one method say together: a note where stability passes and SRG does not.

    Stability passes if every criterion on own image that the run tried does, one at least. SRG does not if it is no
    higher than that of a control, or, as its own note, if the images do not decide that.
    """
    known = list(decided)
    tried = [
        decision for criterion, decision in known
        if criterion.metric == "own_image" and criterion.condition != CLEAN and decision.reason not in NOT_TRIED
    ]  # fmt: skip
    leads = [decision for criterion, decision in known
             if criterion.quantity.source == "lead" and decision.reason != Reason.NOT_MEASURED]  # fmt: skip
    if not tried or not all(each.outcome in PASSED for each in tried):
        return ""
    if any(each.outcome == "FAIL" for each in leads):
        return "stable because unfaithful"
    undecided = any(each.outcome not in PASSED for each in leads)
    return "stable, not shown to be faithful" if undecided else ""
