"""The page of a manipulated model: rendered from the result alone."""

from collections.abc import Iterator

from reports.cells import Cell, Mark, Table, measured, method_heading
from reports.formatting import full, listed, method_title, plural, toml
from reports.manipulated_model.result import TITLES, Answers, ManipulationResult, Moved, Reached
from reports.marks import Picture, short
from reports.page import Exhibit, environment
from reports.result import MEASURE
from srd.registry import METRICS


def html(result: ManipulationResult, picture: Picture) -> str:
    """Return the page."""
    attacked = [each for each in result.exhibits if each.role == "attacked"]
    return environment().get_template("manipulated_model.html.j2").render(
        result=result,
        asked=result.spec["manipulation"],
        summary=list(_summary(result)),
        titles=TITLES,
        answers=_answers_table(result),
        methods=Exhibit(picture, tuple(_similarity(result, name) for name in _similarities(result))),
        reached=_reached(result),
        attacked=attacked,
        others=[each for each in result.exhibits if each.role != "attacked"],
        spec=toml(result.spec),
        full=full,
        plural=plural,
    )  # fmt: skip


def _answers_table(result: ManipulationResult) -> Table:
    """Return how each network answers."""
    rows = (
        (Cell(TITLES[each.network]), measured(each.accuracy), measured(each.kept), measured(each.lost))
        for each in result.answers
    )
    header = ("network", "right class", "class of the original", "accuracy lost, paired")
    caption = "Answers on the held-out images (95 % Wilson intervals; of the paired loss BCa bootstrap)"
    return Table(caption, header, tuple(rows))


def _summary(result: ManipulationResult) -> Iterator[str]:
    attacked, reached = _attacked(result), next(each for each in result.reached if each.role == "attacked")
    title = method_title(attacked.method)
    control, manipulated = _answers(result, "control"), _answers(result, "manipulated")
    yield (
        f"Fine-tuned against {title} for {plural(result.spec['manipulation']['steps'], 'step')}, the network answers "
        f"{full(manipulated.accuracy)} of the held-out images rightly; the original "
        f"{full(result.answers[0].accuracy)}, a copy fine-tuned as long without manipulation "
        f"{full(control.accuracy)}. It keeps the original's class in {full(manipulated.kept)}."
    )
    yield (
        f"On the same inputs the maps of {title} correlate with those of the original by "
        f"{full(attacked.manipulated)}; after fine-tuning alone by {full(attacked.control)}."
    )
    yield (
        f"Goal ({result.goal}), {reached.original.unit}: {full(reached.original)} by the original, "
        f"{full(reached.manipulated)} by the manipulated network."
    )
    yield from _transfer(result)


def _transfer(result: ManipulationResult) -> Iterator[str]:
    others = [each for each in result.moved if each.similarity == MEASURE and each.role == "transfer"]
    moved = [each for each in others if (each.beyond_control.low or 0) > 0]
    if others:
        names = listed(f"{method_title(each.method)} (to {short(each.manipulated.value)})" for each in moved)
        yield f"Methods that were not attacked but moved beyond fine-tuning alone all the same: {names}."
    if unmoved := [each for each in result.moved if each.role == "ignores the network" and each.similarity == MEASURE]:
        values = (f"{method_title(each.method)} {full(each.manipulated)}" for each in unmoved)
        yield f"Maps that ignore the network must stay at 1: {listed(values)}."


def _similarities(result: ManipulationResult) -> list[str]:
    return list(dict.fromkeys(each.similarity for each in result.moved))


def _similarity(result: ManipulationResult, similarity: str) -> Table:
    rows = (
        (
            method_heading(each.method, each.role),
            measured(each.control),
            measured(each.manipulated, "white-box" if each.role == "attacked" else ""),
            measured(each.beyond_control),
        )
        for each in result.moved
        if each.similarity == similarity
    )
    header = ("method", TITLES["control"], TITLES["manipulated"], "difference, paired")
    caption = f"{METRICS[similarity].title} of the original's maps and those of the copies (95 % intervals)"
    return Table(caption, header, tuple(rows))


def _reached(result: ManipulationResult) -> Table:
    rows = (_reached_row(each) for each in result.reached)
    header = ("method", *TITLES.values(), "gained, paired")
    caption = f"Goal, {result.goal}: {result.reached[0].original.unit} (95 % intervals)"
    return Table(caption, header, tuple(rows))


def _reached_row(each: Reached) -> tuple[Cell, ...]:
    mark: Mark = "white-box" if each.role == "attacked" else ""
    values = measured(each.original), measured(each.control), measured(each.manipulated, mark), measured(each.gained)
    return (method_heading(each.method, each.role), *values)


def _attacked(result: ManipulationResult) -> Moved:
    return next(each for each in result.moved if each.role == "attacked" and each.similarity == MEASURE)


def _answers(result: ManipulationResult, network: str) -> Answers:
    return next(each for each in result.answers if each.network == network)
