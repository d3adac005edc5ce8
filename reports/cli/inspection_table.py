"""The facts about a network, as tables on the terminal and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.estimate.inspected import Inspection, Method
from reports.cli.durations import time_in_words

Row = tuple[str, ...]


def print_inspection(found: Inspection, console: Console) -> None:
    """Print the tables, the longest first: what a reader looks for most then stands above the prompt."""
    layers = [(each.name, each.kind, _size(each.shape), f"{each.parameters:,}") for each in found.layers]
    operations = [
        (each.name, str(each.calls), each.rule, "encoder" if each.in_encoder else "head") for each in found.operations
    ]
    methods = [(each.name, _cost(each), _size(each.resolution), each.law or each.refusal) for each in found.methods]
    checks = [(name, said) for name, said in found.self_checks.items()]
    reading = [(each.key, each.value, each.origin) for each in found.reading]
    tables: Sequence[tuple[Row, Sequence[Row]]] = (
        (("layer", "module", "output", "parameters"), layers),
        (("operation", "calls", "rule of relevance", "where"), operations),
        (("self-check", "found"), checks),
        (("method", "a map", "resolution", "law, or why not"), methods),
        (("an image is read by", "value", "as says"), reading),
        (("network", ""), list(_facts(found))),
    )
    for columns, rows in tables:
        if rows:
            console.print(_table(columns, rows))


def inspection_table(found: Inspection) -> dict[str, Any]:
    """Return the same facts as JSON holds them."""
    return asdict(found) | {"model": found.model.model_dump(mode="json", exclude_none=True)}


def _facts(found: Inspection) -> Iterator[tuple[str, str]]:
    weights = "drawn at random" if found.is_random else f"SHA-256 {found.weights_digest[:12]}"
    yield "model.spec", f"{found.model.spec}, {found.parameters:,} parameters"
    yield "weights", weights
    yield "input", f"{_size(found.input_shape)}, as says: {found.input_origin}"
    yield "encoder", _encoder(found)
    yield "output", f"{found.output.kind} ({found.output.n}){': ' * bool(found.output.part)}{found.output.part}"
    if found.data:
        yield "data", found.data
    if found.correct is not None:
        share = found.correct / found.n_images
        yield "accuracy", f"{share:.1%}: {found.correct} of {found.n_images} images as labelled"
    for note in found.notes:
        if not note.startswith("preprocessing of"):  # of which there is a table
            yield "note", note
    if found.refusal:
        yield "refused", found.refusal
    yield "measured on", found.machine


def _encoder(found: Inspection) -> str:
    encoder = found.encoder
    if not encoder.shape:
        return f"none: {encoder.refusal}"
    where = f"ends with {encoder.module}" if encoder.module else "ends where no module does"
    return f"{where}: {_size(encoder.shape)}{'; SRD refuses it: ' * bool(encoder.refusal)}{encoder.refusal}"


def _cost(method: Method) -> str:
    if method.seconds is None:
        return "refused"
    return time_in_words(method.seconds) if method.is_measured else f"about {time_in_words(method.seconds)}, not made"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _table(columns: Row, rows: Iterable[Row]) -> Table:
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
