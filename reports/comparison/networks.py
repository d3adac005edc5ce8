"""Section: what was audited, how its predictions take each perturbation, and in what the audits differ."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from reports.audit.facts import Option
from reports.audit.sections import AuditResult
from reports.cells import Cell, Table, measured
from reports.comparison.audits import Audit, column_of
from reports.comparison.matrix import ABSENT
from reports.comparison.result import ComparisonResult, Kept, Network
from reports.formatting import listed
from reports.runs import PAGE


def network(audit: Audit, folder: Path, home: Path) -> Network:
    """Return what was audited in `folder`, with the way to its own page as seen from `home`."""
    page = folder / PAGE
    return Network(
        name=audit.name,
        report=quote(os.path.relpath(page, home)) if page.exists() else "",
        identity=audit.result.identity,
        accuracy=audit.result.accuracy[0].accuracy,
    )


def kept(audit: Audit) -> Iterator[Kept]:
    """Return how predictions take each perturbation but attacks on explanations, which keep every one."""
    columns = {facts.id: column_of(facts).name for facts in audit.result.conditions if not facts.against}
    for row in audit.result.accuracy:
        if row.condition in columns:
            yield Kept(network=audit.name, column=columns[row.condition], estimate=row.kept)


def unlike(audits: Sequence[Audit]) -> Iterator[str]:
    """Say which settings are not the same in all audits that have them."""
    settings = {audit.name: dict(_settings(audit.result)) for audit in audits}
    for setting in dict.fromkeys(name for each in settings.values() for name in each):
        values = {name: each[setting] for name, each in settings.items() if setting in each}
        distinct = dict.fromkeys(values.values())
        if len(distinct) > 1:
            where = (f"{value} in {listed(n for n, v in values.items() if v == value)}" for value in distinct)
            yield f"{setting}: {'; '.join(where)}."


def table(result: ComparisonResult) -> Table:
    """Return what was audited, and how its predictions take each perturbation."""
    shares = {(row.network, row.column): measured(row.estimate) for row in result.kept}
    columns = [column for column in result.columns if any(name == column.name for _, name in shares)]
    rows = (
        (*_facts(network), *(shares.get((network.name, column.name), ABSENT) for column in columns))
        for network in result.networks
    )
    header = ("network", "data", "right class, clean", *(f"class kept, {column.title}" for column in columns))
    return Table("Networks, and shares of their images (95 % Wilson intervals).", header, tuple(rows))


def _facts(network: Network) -> tuple[Cell, ...]:
    made, sizes = network.identity, network.identity.sizes
    images = f"{sizes['image']:,} images of {made.classes_present:,} of {sizes['class']:,} classes"
    return (
        Cell(network.name, f"{PurePath(made.model).name}, {made.parameters:,} parameters"),
        Cell("/".join(PurePath(made.data).parts[-2:]), f"{images}\n{sizes['channel']} x {sizes['y']} x {sizes['x']}"),
        measured(network.accuracy),
    )


def _settings(result: AuditResult) -> Iterator[tuple[str, str]]:
    made = result.identity
    yield "Explained class", made.target
    yield "Images per task", str(made.tile)
    yield "Seed", str(made.seed)
    yield "Auditing code, SHA-256", made.sources[:16]
    yield "Versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())
    yield "Hardware", made.hardware
    for method in result.methods:
        yield f"Options of {method.title}", _options(method.options)
    for perturbation in result.perturbations:
        yield f"Options of {perturbation.title}", _options((*perturbation.budget, *perturbation.options))


def _options(options: Iterable[Option]) -> str:
    return ", ".join(f"{option.name} = {option.value}" for option in options)
