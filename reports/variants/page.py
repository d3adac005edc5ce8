"""The page of the variants of a network, rendered from the result alone."""

from collections.abc import Iterator

from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import (
    NONE,
    enumeration,
    estimate_in_words,
    interval,
    method_title,
    plural,
    size,
    title_with_caveat,
    toml,
)
from reports.page import Exhibit, template_environment
from reports.plot_primitives import Picture
from reports.result import Estimate, shown_metrics
from reports.variants.figures import CHANGE, small
from reports.variants.result import NETWORK, MapMovement, VariantAnswers, VariantsResult
from srd.registry import ATTRIBUTORS, METRICS


def html(result: VariantsResult, picture: Picture) -> str:
    """Return the page as HTML."""
    return template_environment().get_template("variants.html.j2").render(
        result=result,
        summary=list(_summary(result)),
        answers=_answers_table(result),
        methods=Exhibit(picture, tuple(_movement_table(result, name) for name in _quantities(result))),
        refused=_refused_table(result),
        spec=toml(result.spec),
        plural=plural,
    )  # fmt: skip


def _summary(result: VariantsResult) -> Iterator[str]:
    yield from (_answer_sentence(each) for each in result.answers)
    yield from (_movement_sentence(result, each.variant) for each in result.answers)
    for each in result.refused:
        if not each.method:
            yield f"{each.variant} was not measured: {each.reason}."
    if blind := _broken_controls(result):
        yield f"Maps that ignore the network must stay the same, but did not: {enumeration(blind)}."


def _answer_sentence(each: VariantAnswers) -> str:
    change = "" if each.change == each.variant else f" ({each.change})"
    return (
        f"{each.variant}{change} answers {estimate_in_words(each.kept)} of the images as the network does. "
        f"The largest change of a probability is {_small_in_words(each.probability_change)} on average, "
        f"{small(each.largest)} on one image."
    )


def _movement_sentence(result: VariantsResult, variant: str) -> str:
    own = [each for each in _movements_by(result, CHANGE) if each.variant == variant and _reads_network(each.method)]
    known = [each for each in own if each.estimate.value is not None]
    absent = [each.method for each in result.refused if each.variant == variant]
    not_run = f" It cannot run {plural(len(absent), 'method')}, see below." if absent else ""
    if not known:
        return f"By {variant} no map that depends on the network could be compared.{not_run}"
    most = max(known, key=lambda each: each.estimate.value or 0.0)
    scale = next(each for each in result.scale if (each.method, each.quantity) == (most.method, CHANGE))
    repeat = f", to a repeat by other draws {small(scale.repeat.value)}" if scale.repeat else ""
    return (
        f"By {variant}, of {plural(len(known), 'method')} that read the network and run, the maps of "
        f"{title_with_caveat(most.method, result.caveats)} move most: by {_small_in_words(most.estimate)} of their "
        f"size (L2 norm). To the map of another image the change is {small(scale.other_image.value)}{repeat}.{not_run}"
    )


def _broken_controls(result: VariantsResult) -> list[str]:
    return [
        f"{title_with_caveat(each.method, result.caveats)} by {each.variant}"
        for each in _movements_by(result, CHANGE)
        if not _reads_network(each.method) and each.estimate.value
    ]


def _answers_table(result: VariantsResult) -> Table:
    own = (Cell(NETWORK, "the network as it is audited"), estimate_cell(result.accuracy), *[Cell(NONE)] * 4)
    rows = (
        (
            Cell(each.variant, each.change),
            estimate_cell(each.accuracy),
            estimate_cell(each.kept),
            estimate_cell(each.lost),
            _small_cell(each.probability_change),
            Cell(small(each.largest)),
        )
        for each in result.answers
    )
    header = (
        "variant",
        "right class",
        "answer of the network",
        "accuracy lost, paired",
        "largest change of a probability, mean",
        "the largest of all images",
    )
    caption = "Answers (95 % Wilson intervals of rates; of means BCa bootstrap)"
    return Table(caption, header, (own, *rows))


def _movement_table(result: VariantsResult, quantity: str) -> Table:
    moved = {(each.variant, each.method): each.estimate for each in _movements_by(result, quantity)}
    variants = [each.variant for each in result.answers]
    cell = _small_cell if quantity == CHANGE else estimate_cell
    rows = []
    for scale in (each for each in result.scale if each.quantity == quantity):
        found = (moved.get((variant, scale.method)) for variant in variants)
        cells = (Cell(NONE, "cannot run") if each is None else cell(each) for each in found)
        repeat = Cell(NONE, "draws nothing") if scale.repeat is None else cell(scale.repeat)
        rows.append((method_heading(scale.method, result.caveats), *cells, cell(scale.other_image), repeat))
    header = ("method", *variants, "another image", "repeat, other draws")
    caption = f"{METRICS[quantity].title} of the network's maps and those of the variants (95 % intervals)"
    return Table(caption, header, tuple(rows))


def _refused_table(result: VariantsResult) -> Table:
    rows = (
        (Cell(each.variant), Cell(method_title(each.method) if each.method else "all"), Cell(each.reason))
        for each in result.refused
    )
    return Table("What a variant cannot run", ("variant", "method", "reason"), tuple(rows))


def _quantities(result: VariantsResult) -> list[str]:
    return shown_metrics(each.quantity for each in result.scale)


def _movements_by(result: VariantsResult, quantity: str) -> list[MapMovement]:
    return [each for each in result.moved if each.quantity == quantity]


def _reads_network(method: str) -> bool:
    return ATTRIBUTORS[method].uses_network


def _small_cell(estimate: Estimate) -> Cell:
    """Return the cell of an estimate that may be as small as rounding."""
    return Cell(small(estimate.value), f"{_small_interval(estimate)}\n{size(estimate)}")


def _small_in_words(estimate: Estimate) -> str:
    ends = _small_interval(estimate).strip("[]").replace(", ", " to ")
    return f"{small(estimate.value)} ({ends}, {size(estimate)})"


def _small_interval(estimate: Estimate) -> str:
    known = estimate.low is not None
    return f"[{small(estimate.low)}, {small(estimate.high)}]" if known else interval(estimate)
