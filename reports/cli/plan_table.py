"""The cost estimate of an audit, as tables on the terminal and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from pipeline.estimate.estimate import CostEstimate
from pipeline.machine.memory import in_units
from reports.cli.durations import time_in_words


def print_plan(estimates: Mapping[str, CostEstimate], console: Console) -> None:
    """Print the tables of each subject, and the assumptions."""
    for name, each in estimates.items():
        for table in (_stages(each, name), _costs(each), _store(each)):
            console.print(table)
        console.print(_memory(each), markup=False, highlight=False)
        console.print(
            f"measured on {' and then '.join(map(str, each.measured))} images, dear tasks by a step, "
            f"a part of the budget or an image, in {time_in_words(each.pilot_seconds)} on {each.machine}; "
            "imports and the start of a cluster come on top, and processes are taken not to slow each other",
            markup=False,
            highlight=False,
        )


def plan_json(estimates: Mapping[str, CostEstimate]) -> str:
    """Return the estimates as JSON, by subject, or that of a single audit alone."""
    facts = {name: _facts(each) for name, each in estimates.items()}
    return json.dumps(facts.get("", facts), indent=1)


def _facts(estimate: CostEstimate) -> dict[str, object]:
    return asdict(estimate) | {name: getattr(estimate, name) for name in ("store", "seconds", "elapsed")}


def _stages(estimate: CostEstimate, name: str) -> Table:
    workers = estimate.workers
    title = f"{name} {estimate.images} images in tiles of {estimate.tile}".strip()
    columns = ["1 process"] + [f"{workers} processes"] * (workers > 1)
    table = Table("stage", "tasks", *columns, title=title, show_footer=True)
    rows = [
        ("load", "", estimate.loading, estimate.loading),
        ("prepare", "", estimate.preparing, estimate.preparing),
        *((stage, str(cost.tasks), cost.seconds, cost.elapsed) for stage, cost in estimate.stages.items()),
    ]
    for stage, tasks, *seconds in rows:
        table.add_row(stage, tasks, *map(time_in_words, seconds[: len(columns)]))
    totals = (estimate.seconds, estimate.elapsed)[: len(columns)]
    footers = ("sum", str(sum(cost.tasks for cost in estimate.stages.values())), *map(time_in_words, totals))
    for column, footer in zip(table.columns, footers, strict=True):
        column.footer = footer
    return table


def _costs(estimate: CostEstimate) -> Table:
    """Return the table of the costs, the largest first."""
    table = Table("perturbed by / explained by", "1 process")
    for costs in (estimate.entries, estimate.methods):
        for name, seconds in sorted(costs.items(), key=lambda item: -item[1]):
            table.add_row(name, time_in_words(seconds))
        table.add_section()
    return table


def _store(estimate: CostEstimate) -> Table:
    table = Table("array", "compressed", show_footer=True)
    parts = {**estimate.arrays, "receipts": estimate.receipts, "metadata": estimate.metadata}
    for name, size in sorted(parts.items(), key=lambda item: -item[1]):
        table.add_row(name, in_units(size))
    table.columns[0].footer = "sum (in whole blocks of a disk)"
    table.columns[1].footer = f"{in_units(estimate.store)} ({in_units(estimate.disk)})"
    return table


def _memory(estimate: CostEstimate) -> str:
    memory, n = estimate.memory, estimate.workers
    of_all = f", {in_units(memory.of(n))} for {n} processes" if n > 1 else ""
    return (
        f"memory: about {in_units(memory.of(1))} for one process{of_all}, beside the driver; an estimate, by a line "
        "through the peaks at the measured tiles"
    )
