"""The change from one run to another, in sentences and as a table."""

from collections.abc import Callable, Iterable, Iterator

from reports.audit.verdicts.criteria import CLEAN, Criterion
from reports.cells import Cell, Mark, Table
from reports.comparison.change_result import CHANGES, Change, ChangeOutcome, CriterionChange
from reports.formatting import NONE, TIGHT, method_title, number, plural, signed_number

MARKS: dict[ChangeOutcome, Mark] = {
    "BETTER": "passed", "NO WORSE": "passed", "WORSE": "failed", "UNDECIDED": "unreliable", "NOT COMPARED": "unreliable"
}  # fmt: skip
SHAPES: dict[ChangeOutcome, str] = {
    "BETTER": "\N{UPWARDS ARROW}",
    "NO WORSE": "=",
    "WORSE": "\N{DOWNWARDS ARROW}",
    "UNDECIDED": "?",
    "NOT COMPARED": NONE,
}
MOST = 5
"""The cases that one sentence names."""
HEADER = ("method", "criterion", "change", "before", "after", "difference", "n")
Teller = Callable[[CriterionChange, Criterion], str]


def summarise_change(change: Change) -> tuple[str, ...]:
    """Return the outcome, a sentence for each criterion that became worse, and one for each other outcome."""
    return (headline(change), *_worse(change), *_others(change))


def headline(change: Change) -> str:
    """Return the outcome of the comparison as a sentence."""
    worse, total = len(_of(change, "WORSE")), len(change.changes)
    runs = f"from {change.before} to {change.after}"
    if not total:
        return f"INCONCLUSIVE {runs}: {change.before} measured nothing that a criterion bounds."
    if change.outcome == "REGRESSION":
        return f"REGRESSION {runs}: {worse} of {plural(total, 'comparison')} {'is' if worse == 1 else 'are'} worse."
    if change.outcome == "NO REGRESSION":
        return f"NO REGRESSION {runs}: none of {plural(total, 'comparison')} lost more than its margin."
    left = total - len(_of(change, "BETTER")) - len(_of(change, "NO WORSE"))
    return f"INCONCLUSIVE {runs}: nothing is shown to be worse, but {left} of {plural(total, 'comparison')} are open."


def change_table(change: Change) -> Table:
    """Return the table of all changes, the worst first."""
    ordered = sorted(change.changes, key=lambda each: -CHANGES.index(each.outcome))
    caption = (
        f"What changed from {change.before} to {change.after}, paired by image. In brackets the one-sided 95 % bounds "
        "of the difference; worse: all of it is a loss beyond the margin, or the criterion is newly failed."
    )
    return Table(caption, HEADER, tuple(_row(each, change.criteria[each.criterion]) for each in ordered))


def sentence_of_change(change: CriterionChange, criterion: Criterion) -> str:
    """Return a change that was measured as a sentence."""
    text = f"{_case(change, criterion)}: {_values_in_words(change, criterion)}."
    if change.lost is not None and change.gained is not None:
        text += f" {plural(change.lost, 'image')} lost it, {change.gained} gained it."
    least = _least_loss(change, criterion)
    if least is not None and least > criterion.margin:
        allowed = _amount(criterion.margin, criterion)
        text += f" The loss is at least {_amount(least, criterion)} (95 % bound); {allowed} would be within the margin."
    return f"{text} {change.reason[0].upper()}{change.reason[1:]}." if change.reason else text


def _worse(change: Change) -> Iterator[str]:
    for each in _of(change, "WORSE"):
        yield sentence_of_change(each, change.criteria[each.criterion])


def _others(change: Change) -> Iterator[str]:
    better, same = _of(change, "BETTER"), _of(change, "NO WORSE")
    if better:
        yield f"Better: {_list_cases(better, change, _values_in_words)}."
    if same:
        yield f"No worse: {plural(len(same), 'comparison')}, each within its margin by the 95 % bound."
    if open_ := _of(change, "UNDECIDED"):
        count = plural(len(open_), "comparison")
        why = "the images do not exclude a loss beyond the margin"
        yield f"Undecided: {count}, of which {why}. {_losses(open_, change)}"
    if left := _of(change, "NOT COMPARED"):
        yield f"Not compared: {_list_cases(left, change, lambda each, _: each.reason)}."


def _of(change: Change, outcome: ChangeOutcome) -> list[CriterionChange]:
    return [each for each in change.changes if each.outcome == outcome]


def _losses(changes: Iterable[CriterionChange], change: Change) -> str:
    """Name the largest losses that were seen."""
    seen = [(_seen_loss(each, change.criteria[each.criterion]), each) for each in changes]
    lost = [each for loss, each in sorted(seen, key=lambda one: -one[0]) if loss > 0]
    return (
        f"The largest losses seen: {_list_cases(lost, change, _possible_loss)}."
        if lost
        else "No loss was seen in them."
    )


def _list_cases(changes: Iterable[CriterionChange], change: Change, tell: Teller) -> str:
    cases = [
        f"{_case(each, change.criteria[each.criterion])} ({tell(each, change.criteria[each.criterion])})"
        for each in changes
    ]
    more = [f"{len(cases) - MOST} more"] if len(cases) > MOST else []
    return "; ".join([*cases[:MOST], *more])


def _case(change: CriterionChange, criterion: Criterion) -> str:
    where = "" if change.condition in ("", CLEAN) else f" under {change.heading}"
    direction = "" if criterion.is_lower else ", lower is better"
    return f"{method_title(change.method)}, {criterion.quantity.title}{where}{direction}"


def _values_in_words(change: CriterionChange, criterion: Criterion) -> str:
    before, after = (_value(each, criterion) for each in (change.before, change.after))
    return f"{before} before, {after} after, {plural(change.n, change.unit)}"


def _possible_loss(change: CriterionChange, criterion: Criterion) -> str:
    most = _loss(change.low, change.high, criterion)
    possible = f"up to {_amount(most, criterion)} may be lost" if most is not None else ""
    return "; ".join(filter(None, (_values_in_words(change, criterion), possible, change.reason)))


def _least_loss(change: CriterionChange, criterion: Criterion) -> float | None:
    return _loss(change.high, change.low, criterion)


def _seen_loss(change: CriterionChange, criterion: Criterion) -> float:
    difference = (change.after or 0.0) - (change.before or 0.0)
    return -difference if criterion.is_lower else difference


def _loss(if_lower: float | None, if_upper: float | None, criterion: Criterion) -> float | None:
    """Return a bound of the difference as a loss: the first where values must be above a bound, else the second."""
    if criterion.is_lower:
        return None if if_lower is None else -if_lower
    return if_upper


def _value(value: float | None, criterion: Criterion) -> str:
    if value is not None and criterion.quantity.kind == "outcome":
        return f"{100 * value:.0f}{TIGHT}%"
    return number(value)


def _amount(amount: float, criterion: Criterion) -> str:
    return f"{100 * amount:.0f} points" if criterion.quantity.kind == "outcome" else number(amount)


def _row(change: CriterionChange, criterion: Criterion) -> tuple[Cell, ...]:
    difference = None if change.before is None or change.after is None else change.after - change.before
    bounds = "" if change.low is None or change.high is None else f"[{change.low:+.3f},{TIGHT}{change.high:+.3f}]"
    moved = "" if change.lost is None else f"{change.lost} lost, {change.gained} gained"
    direction = "higher is better" if criterion.is_lower else "lower is better"
    verdicts = " to ".join(dict.fromkeys(change.verdicts)) if change.verdicts else ""
    return (
        Cell(method_title(change.method)),
        Cell(criterion.quantity.title, "\n".join(filter(None, (change.heading, direction)))),
        Cell(f"{SHAPES[change.outcome]}{TIGHT}{change.outcome}", change.reason, MARKS[change.outcome]),
        Cell(_value(change.before, criterion)),
        Cell(_value(change.after, criterion), verdicts),
        Cell(signed_number(difference), "\n".join(filter(None, (bounds, moved)))),
        Cell(str(change.n) if change.unit == "image" else plural(change.n, change.unit)),
    )
