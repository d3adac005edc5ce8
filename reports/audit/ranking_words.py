"""Rankings in words.

Maps are called the furthest or the least moved if they are told apart from all others, and among these if from some.
"""

from collections.abc import Callable, Iterator, Sequence

from reports.audit.calibration import CalibratedStability, CalibrationFields, Ranking, Rival
from reports.formatting import enumeration, estimate_in_words, number

SHOWN = 4  # names in a list

Name = Callable[[Rival], str]


def unaimed_in_words(result: CalibrationFields, ranking: Ranking) -> str:
    """Return a sentence on what moves maps the furthest where nothing attacks."""
    headings = {facts.id: facts.heading for facts in result.conditions}
    lost = dict.fromkeys(each.condition for each in ranking.unranked if each.is_at_floor)
    clauses = [f"{headings[condition]} {_lost_in_words(result, ranking, condition)}" for condition in lost]
    for last in ranking.ranked[-1:]:
        clauses.append(
            f"{headings[last.condition]} moves {_lowest_in_words(result, ranking)}"
            + _undecided_in_words(
                ranking.rivals_of_last, lambda each: f"{result.title_of(each.method)} under {headings[each.condition]}"
            )
        )
    return f"Without any attack, {_join(result, clauses, ranking)}." if clauses else ""


def attack_in_words(result: CalibrationFields, ranking: Ranking, control: str) -> str:
    """Return the sentence on an attack, from the verb on.

    Parameters
    ----------
    control
        The condition of the random change of equal size; empty if the run has none.
    """
    lost = dict.fromkeys(each.condition for each in ranking.unranked if each.is_at_floor)
    clauses = [_lost_in_words(result, ranking, condition) for condition in lost]
    for last in ranking.ranked[-1:]:
        clauses.append(
            f"moves {_lowest_in_words(result, ranking)}{_control_in_words(result, control, last.method)}"
            f"{_undecided_in_words(ranking.rivals_of_last, _titles(result))}"
            f"{_tie_in_words(ranking)}"
        )
    clauses += _highest_in_words(result, ranking)
    return f"{_join(result, clauses or ['moves no maps that can be ranked'], ranking)}."


def _lost_in_words(result: CalibrationFields, ranking: Ranking, condition: str) -> str:
    """Name the methods whose maps a condition moved out of their scale."""
    cells = {(each.condition, each.method): each for each in result.calibrated}
    lost = [cells[condition, each.method] for each in ranking.unranked
            if each.is_at_floor and each.condition == condition]  # fmt: skip
    whose = enumeration(
        f"{result.title_of(cell.method)} "
        f"({number(cell.similarity)} against {number(cell.floor)}, n = {cell.estimate.n})"
        for cell in lost
    )
    return f"leaves the maps of {whose} no more like the clean maps than those of another image are"


def _lowest_in_words(result: CalibrationFields, ranking: Ranking) -> str:
    last = ranking.ranked[-1]
    place = "" if _has_lost(ranking) else _place_in_words(ranking.rivals_of_last, "the furthest")
    furthest = f" {place}," if place else ""
    return f"the maps of {result.title_of(last.method)}{furthest} to {_stability_in_words(last)}"


def _highest_in_words(result: CalibrationFields, ranking: Ranking) -> Iterator[str]:
    """Name the highest of the ranking, unless it cannot be told apart from the lowest."""
    if not ranking.rivals_of_first or not ranking.rivals_of_first[-1].is_told_apart:
        return
    first, rivals = ranking.ranked[0], ranking.rivals_of_first
    place, undecided = _place_in_words(rivals, "the least moved"), _undecided_in_words(rivals, _titles(result))
    yield f"{place} are the maps of {result.title_of(first.method)}, at {_stability_in_words(first)}{undecided}"


def _place_in_words(rivals: Sequence[Rival], superlative: str) -> str:
    """Return the superlative if all rivals are told apart from the end of the ranking, `among` it if some are."""
    is_told_apart = [rival.is_told_apart for rival in rivals]
    if not any(is_told_apart):
        return ""
    return superlative if all(is_told_apart) else f"among {superlative}"


def _tie_in_words(ranking: Ranking) -> str:
    """Say that nothing is told apart from the lowest of the ranking, if this is so."""
    if _has_lost(ranking) or not ranking.rivals_of_last or _place_in_words(ranking.rivals_of_last, "the furthest"):
        return ""
    return ", so no method is called the most or the least moved"


def _has_lost(ranking: Ranking) -> bool:
    """Return whether the maps of a method moved out of their scale, further than any that are ranked."""
    return any(each.is_at_floor for each in ranking.unranked)


def _undecided_in_words(rivals: Sequence[Rival], name: Name) -> str:
    """Name the rivals that cannot be told apart from the end of the ranking."""
    names = [name(rival) for rival in rivals if not rival.is_told_apart]
    return f", from which {that_of(names)} cannot be told apart" if names else ""


def _control_in_words(result: CalibrationFields, control: str, method: str) -> str:
    found = (each for each in result.calibrated if (each.condition, each.method) == (control, method))
    told = [estimate_in_words(each.estimate) for each in found if each.estimate.value is not None]
    return f" (under a random change of the same size: {told[0]})" if told else ""


def _join(result: CalibrationFields, clauses: Sequence[str], ranking: Ranking) -> str:
    """Join clauses with the methods that are not ranked, and with the reasons, each once."""
    left_out = [each for each in ranking.unranked if not each.is_at_floor]
    told = []
    for reason in dict.fromkeys(each.reason for each in left_out):
        names = dict.fromkeys(result.title_of(each.method) for each in left_out if each.reason == reason)
        told.append(f"{enumeration(names)} ({reason})")
    return "; ".join((*clauses, f"not ranked: {', '.join(told)}") if told else clauses)


def _titles(result: CalibrationFields) -> Name:
    return lambda rival: result.title_of(rival.method)


def _stability_in_words(cell: CalibratedStability) -> str:
    return f"a calibrated stability of {estimate_in_words(cell.estimate)}"


def that_of(names: Sequence[str]) -> str:
    """Return `that of a`, or `those of a and b`; of many names only the first ones."""
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return f"{'that' if len(names) == 1 else 'those'} of {enumeration([*names[:SHOWN], *more])}"
