"""A test of non-inferiority on the paired differences of one criterion.

A difference is after - before, of one image. The mean is no loss beyond a margin m if its one-sided 95 % bound reaches
-m, in the direction that is better; it is one if its other bound lies below -m.
"""

from dataclasses import dataclass

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import UNDEFINED_SHARE, Outcome
from reports.comparison.change_result import ChangeOutcome
from reports.statistics import Kind, Values, bound_above, bound_below, non_inferiority

PASSED: tuple[Outcome, ...] = ("PASS", "WARN")
NEW_FAILURE = "the verdict of this criterion went from {} to FAIL"
UNCHANGED = "every image has the same value in both runs, which are of one network"


@dataclass(frozen=True)
class PairedDifferences:
    """The differences of what a criterion bounds, without NaN."""

    values: Values
    criterion: Criterion
    is_one_network: bool
    """Whether both runs are of one network, so that equal values say that nothing has changed."""

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Return the two one-sided bounds of the mean, None where there are none."""
        if self._is_unchanged:
            return 0.0, 0.0
        return bound_below(self.values, self._kind).value, bound_above(self.values, self._kind).value

    def count(self, difference: int) -> int:
        """Return how many images differ so."""
        return int((self.values == difference).sum())

    def judge(self, verdicts: tuple[Outcome, Outcome] | None, vanished: int) -> tuple[ChangeOutcome, str]:
        """Return the outcome, with a reason where the interval is not all.

        A new failure of the criterion is a loss, whatever the margin.

        Parameters
        ----------
        verdicts
            The verdict of the criterion in each run, if both were judged by it.
        vanished
            The number of images that had a value before and have none now.
        """
        if verdicts and verdicts[0] in PASSED and verdicts[1] == "FAIL":
            return "WORSE", NEW_FAILURE.format(verdicts[0])
        if vanished > UNDEFINED_SHARE * (len(self.values) + vanished):
            return "UNDECIDED", f"{vanished} images had a value before and have none now"
        if len(self.values) < self.criterion.min_n:
            return "UNDECIDED", f"{len(self.values)} pairs, where the criterion asks for {self.criterion.min_n}"
        if self._is_unchanged:
            return "NO WORSE", UNCHANGED
        return self._test()

    @property
    def _kind(self) -> Kind:
        own = self.criterion.quantity.kind
        return "outcome change" if own == "outcome" else "re-draws" if own == "re-draws" else "difference"

    @property
    def _is_unchanged(self) -> bool:
        return self.is_one_network and len(self.values) > 0 and not self.values.any()

    def _test(self) -> tuple[ChangeOutcome, str]:
        gains, margin = self.values if self.criterion.is_lower else -self.values, self.criterion.margin
        tested = non_inferiority(gains, self._kind, -margin)
        most = bound_above(gains, self._kind).value
        if tested.bound.value is None or most is None:
            return "UNDECIDED", tested.bound.reason
        if tested.holds:
            return ("BETTER" if tested.bound.value > 0 else "NO WORSE"), ""
        return ("WORSE" if most < -margin else "UNDECIDED"), ""
