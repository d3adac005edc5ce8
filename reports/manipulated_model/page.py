"""The page of a manipulated model, rendered from the result alone."""

from collections.abc import Iterator

from reports.cells import Cell, Mark, Table, estimate_cell, method_heading
from reports.formatting import Caveats, enumeration, estimate_in_words, plural, title_with_caveat, toml
from reports.manipulated_model.result import TITLES, Answers, GoalProgress, ManipulationResult, SimilarityToOriginal
from reports.page import Exhibit, template_environment
from reports.plot_primitives import Picture, short_number
from reports.result import MEASURE, shown_metrics
from srd.registry import METRICS


def html(result: ManipulationResult, picture: Picture) -> str:
    """Return the page as HTML."""
    attacked = [each for each in result.exhibits if each.role == "attacked"]
    return template_environment().get_template("manipulated_model.html.j2").render(
        result=result,
        asked=result.spec["manipulation"],
        summary=list(_summary(result)),
        titles=TITLES,
        answers=_answers_table(result),
        methods=Exhibit(picture, tuple(_similarity(result, name) for name in _similarities(result))),
        reached=_goal_table(result),
        attacked=attacked,
        others=[each for each in result.exhibits if each.role != "attacked"],
        spec=toml(result.spec),
        full=estimate_in_words,
        plural=plural,
    )  # fmt: skip


def _answers_table(result: ManipulationResult) -> Table:
    """Return the table of each network's answers."""
    rows = (
        (Cell(TITLES[each.network]), estimate_cell(each.accuracy), estimate_cell(each.kept), estimate_cell(each.lost))
        for each in result.answers
    )
    header = ("network", "right class", "class of the original", "accuracy lost, paired")
    caption = "Answers on the held-out images (95 % Wilson intervals; of the paired loss BCa bootstrap)"
    return Table(caption, header, tuple(rows))


def _summary(result: ManipulationResult) -> Iterator[str]:
    attacked, reached = _attacked_similarity(result), next(each for each in result.reached if each.role == "attacked")
    title = title_with_caveat(attacked.method, result.caveats)
    control, manipulated = _answers(result, "control"), _answers(result, "manipulated")
    yield (
        f"Fine-tuned against {title} for {plural(result.spec['manipulation']['steps'], 'step')}, the network answers "
        f"{estimate_in_words(manipulated.accuracy)} of the held-out images rightly; the original "
        f"{estimate_in_words(result.answers[0].accuracy)}, a copy fine-tuned as long without manipulation "
        f"{estimate_in_words(control.accuracy)}. It keeps the original's class in "
        f"{estimate_in_words(manipulated.kept)}."
    )
    yield (
        f"On the same inputs the maps of {title} correlate with those of the original by "
        f"{estimate_in_words(attacked.manipulated)}; after fine-tuning alone by {estimate_in_words(attacked.control)}."
    )
    yield (
        f"Goal ({result.goal}), {reached.original.unit}: {estimate_in_words(reached.original)} by the original, "
        f"{estimate_in_words(reached.manipulated)} by the manipulated network."
    )
    yield from _transfer(result)


def _transfer(result: ManipulationResult) -> Iterator[str]:
    others = [each for each in result.moved if each.similarity == MEASURE and each.role == "transfer"]
    moved = [each for each in others if (each.beyond_control.low or 0) > 0]
    if others:
        names = enumeration(
            f"{title_with_caveat(each.method, result.caveats)} (to {short_number(each.manipulated.value)})"
            for each in moved
        )
        yield f"Methods that were not attacked but moved beyond fine-tuning alone all the same: {names}."
    if unmoved := [each for each in result.moved if each.role == "ignores the network" and each.similarity == MEASURE]:
        values = (
            f"{title_with_caveat(each.method, result.caveats)} {estimate_in_words(each.manipulated)}"
            for each in unmoved
        )
        yield f"Maps that ignore the network must stay at 1: {enumeration(values)}."


def _similarities(result: ManipulationResult) -> list[str]:
    return shown_metrics(each.similarity for each in result.moved)


def _similarity(result: ManipulationResult, similarity: str) -> Table:
    rows = (
        (
            method_heading(each.method, result.caveats, each.role),
            estimate_cell(each.control),
            estimate_cell(each.manipulated, "white-box" if each.role == "attacked" else ""),
            estimate_cell(each.beyond_control),
        )
        for each in result.moved
        if each.similarity == similarity
    )
    header = ("method", TITLES["control"], TITLES["manipulated"], "difference, paired")
    caption = f"{METRICS[similarity].title} of the original's maps and those of the copies (95 % intervals)"
    return Table(caption, header, tuple(rows))


def _goal_table(result: ManipulationResult) -> Table:
    rows = (_goal_row(each, result.caveats) for each in result.reached)
    header = ("method", *TITLES.values(), "gained, paired")
    caption = f"Goal, {result.goal}: {result.reached[0].original.unit} (95 % intervals)"
    return Table(caption, header, tuple(rows))


def _goal_row(each: GoalProgress, caveats: Caveats) -> tuple[Cell, ...]:
    mark: Mark = "white-box" if each.role == "attacked" else ""
    values = (
        estimate_cell(each.original),
        estimate_cell(each.control),
        estimate_cell(each.manipulated, mark),
        estimate_cell(each.gained),
    )
    return (method_heading(each.method, caveats, each.role), *values)


def _attacked_similarity(result: ManipulationResult) -> SimilarityToOriginal:
    return next(each for each in result.moved if each.role == "attacked" and each.similarity == MEASURE)


def _answers(result: ManipulationResult, network: str) -> Answers:
    return next(each for each in result.answers if each.network == network)
