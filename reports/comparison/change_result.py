"""The result of comparing two runs of the same images: each criterion on each method, paired by image."""

from typing import Literal

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.samples import Unit
from reports.result import ResultModel

ChangeOutcome = Literal["BETTER", "NO WORSE", "NOT COMPARED", "UNDECIDED", "WORSE"]
CHANGES: tuple[ChangeOutcome, ...] = ("BETTER", "NO WORSE", "NOT COMPARED", "UNDECIDED", "WORSE")
"""The outcomes from the best to the worst."""
RunOutcome = Literal["NO REGRESSION", "INCONCLUSIVE", "REGRESSION"]


class CriterionChange(ResultModel):
    """The change of what a criterion bounds, under one condition, of one method."""

    method: str
    criterion: int
    """The position of the criterion in the list of all."""
    condition: str
    """Empty where none could be compared."""
    heading: str = ""
    """The condition as people say it."""
    outcome: ChangeOutcome
    reason: str = ""
    """Why it was not compared, or is undecided; or beside a number how it was decided."""
    before: float | None = None
    """Mean over the pairs."""
    after: float | None = None
    low: float | None = None
    """One-sided 95 % lower bound of the mean of after - before; with `high`, a two-sided 90 % interval."""
    high: float | None = None
    n: int = 0
    """Pairs: images that have a value in both runs."""
    unit: Unit = "image"
    gained: int | None = None
    """Of a rate: images that did not meet it before and do now."""
    lost: int | None = None
    vanished: int = 0
    """Images that had a value before and have none now."""
    verdicts: tuple[Outcome, Outcome] | None = None
    """The verdict of the criterion under this condition in each run."""


class Change(ResultModel):
    """The change from one run to another."""

    before: str
    """The name of the older run."""
    after: str
    is_one_network: bool
    """Whether both runs are of the same weights and the same source."""
    criteria: tuple[Criterion, ...]
    changes: tuple[CriterionChange, ...]
    """In the order of the methods and criteria. What neither run measured is left out."""
    outcome: RunOutcome
    notes: tuple[str, ...]
    """What else is unlike between the runs, and may be the cause."""
    summary: tuple[str, ...] = ()
    """Sentences, the outcome first."""
