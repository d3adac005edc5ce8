"""The section on networks: their data, how perturbations change their predictions, how the audits differ."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from reports.audit.facts import OptionValue
from reports.audit.sections import AuditResult
from reports.cells import Cell, Table, estimate_cell
from reports.comparison.audits import Audit, column_of
from reports.comparison.matrix import ABSENT
from reports.comparison.result import ComparisonResult, KeptPredictions, NetworkFacts
from reports.formatting import enumeration
from reports.runs import PAGE


def network_facts(audit: Audit, folder: Path, home: Path) -> NetworkFacts:
    """Return the facts of the network that was audited in `folder`. The link to its page is relative to `home`."""
    page = folder / PAGE
    return NetworkFacts(
        name=audit.name,
        report=quote(os.path.relpath(page, home)) if page.exists() else "",
        identity=audit.result.identity,
        caveats=dict(audit.result.caveats),
        accuracy=audit.result.accuracy[0].accuracy,
    )


def kept_predictions(audit: Audit) -> Iterator[KeptPredictions]:
    """Return the shares of kept predictions, without attacks on explanations, which keep every prediction."""
    columns = {facts.id: column_of(facts).name for facts in audit.result.conditions if not facts.against}
    for row in audit.result.accuracy:
        if row.condition in columns:
            yield KeptPredictions(network=audit.name, column=columns[row.condition], estimate=row.kept)


def differing_settings(audits: Sequence[Audit]) -> Iterator[str]:
    """Name the settings that are not the same in all audits that have them."""
    settings = {audit.name: dict(_settings(audit.result)) for audit in audits}
    for setting in dict.fromkeys(name for each in settings.values() for name in each):
        values = {name: each[setting] for name, each in settings.items() if setting in each}
        distinct = dict.fromkeys(values.values())
        if len(distinct) > 1:
            where = (f"{value} in {enumeration(n for n, v in values.items() if v == value)}" for value in distinct)
            yield f"{setting}: {'; '.join(where)}."


def table(result: ComparisonResult) -> Table:
    """Return the table of the networks, with the share of kept predictions under each perturbation."""
    shares = {(row.network, row.column): estimate_cell(row.estimate) for row in result.kept}
    columns = [column for column in result.columns if any(name == column.name for _, name in shares)]
    rows = (
        (*_fact_cells(network), *(shares.get((network.name, column.name), ABSENT) for column in columns))
        for network in result.networks
    )
    header = ("network", "data", "right class, clean", *(f"class kept, {column.title}" for column in columns))
    return Table("Networks, and shares of their images (95 % Wilson intervals).", header, tuple(rows))


def _fact_cells(network: NetworkFacts) -> tuple[Cell, ...]:
    made, sizes = network.identity, network.identity.sizes
    images = f"{sizes['image']:,} images of {made.classes_present:,} of {sizes['class']:,} classes"
    return (
        Cell(network.name, f"{PurePath(made.model).name}, {made.parameters:,} parameters"),
        Cell("/".join(PurePath(made.data).parts[-2:]), f"{images}\n{sizes['channel']} x {sizes['y']} x {sizes['x']}"),
        estimate_cell(network.accuracy),
    )


def _settings(result: AuditResult) -> Iterator[tuple[str, str]]:
    made = result.identity
    yield "Explained class", made.target
    yield "Images per task", str(made.tile)
    yield "Seed", str(made.seed)
    yield "Auditing code, SHA-256", made.code
    yield "Versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())
    yield "Hardware", made.hardware
    for method in result.methods:
        yield f"Options of {method.title}", options_in_words(method.options)
    for perturbation in result.perturbations:
        yield f"Options of {perturbation.title}", options_in_words((*perturbation.budget, *perturbation.options))


def options_in_words(options: Iterable[OptionValue]) -> str:
    """Return options with their values, as text."""
    return ", ".join(f"{option.name} = {option.value}" for option in options)
