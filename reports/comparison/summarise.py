"""From the stores of several audits to their comparison."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, product
from pathlib import Path
from urllib.parse import quote

from pipeline.integrity import blaming_damage, check_results
from pipeline.store import open_results
from reports import statistics
from reports.audit.estimates import difference
from reports.audit.facts import ConditionFacts, Option
from reports.audit.readings import Readings
from reports.audit.record import record_of
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise as summarise_audit
from reports.audit.verdicts import Verdict
from reports.comparison import findings
from reports.comparison.result import Column, ComparisonResult, Difference, Kept, Network, Similarity
from reports.families import is_control
from reports.formatting import listed, method_title
from reports.result import IMAGES, Images
from reports.runs import PAGE, location_of
from srd.errors import InputError
from srd.registry import SRD


@dataclass(frozen=True)
class Audit:
    """One of the audits."""

    name: str
    readings: Readings
    result: AuditResult

    @cached_property
    def entries(self) -> dict[tuple[str, str], str]:
        """(column, method) -> entry of the perturbation axis; an attack on explanations is the method's own."""
        return {
            (_column(facts).name, method): facts.id
            for facts in self.result.conditions
            for method in self.readings.methods
            if facts.against in {"", method}
        }

    @cached_property
    def verdicts(self) -> Mapping[tuple[str, str, str, Images], Verdict]:
        """(entry, method, similarity, images) -> verdict on the attack."""
        cells = ((table, row, cell) for table in self.result.transfer for row in table.rows for cell in row.cells)
        return {(row.condition, cell.evaluating, table.similarity, table.images): cell.verdict
                for table, row, cell in cells}  # fmt: skip


def summarise(folders: Sequence[Path], home: Path) -> ComparisonResult:
    """The comparison of finished audits for a page in `home`. Raises InputError if a folder is given twice."""
    audits = [_audit(name, folder) for name, folder in zip(_names(folders), folders, strict=True)]
    compared = ComparisonResult(
        summary=(),
        statistics=statistics.policy(),
        networks=tuple(_network(audit, folder, home) for audit, folder in zip(audits, folders, strict=True)),
        columns=_columns([audit.result for audit in audits]),
        kept=tuple(row for audit in audits for row in _kept(audit)),
        similarities=tuple(row for audit in audits for row in (*_stability(audit), *_references(audit))),
        differences=tuple(row for audit in audits for row in _differences(audit)),
        reference_meanings={name: text for audit in audits for name, text in audit.result.reference_meanings.items()},
        unlike=tuple(_unlike(audits)),
        limits=(),
    )
    sentences = {"summary": tuple(findings.summary(compared)), "limits": tuple(findings.limits(compared))}
    return compared.model_copy(update=sentences)


def _audit(name: str, folder: Path) -> Audit:
    store = location_of(folder)
    check_results(store)
    with blaming_damage(store):
        readings = Readings(open_results(store))
        return Audit(name, readings, summarise_audit(readings, record_of(folder, store)))


def _names(folders: Sequence[Path]) -> list[str]:
    """As much of the end of each path as sets them apart."""
    paths = [folder.resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path}: stands twice among the runs; name it once")
    ends = (["/".join(path.parts[-depth:]) for path in paths] for depth in count(1))
    return next(names for names in ends if len(set(names)) == len(names))


def _network(audit: Audit, folder: Path, home: Path) -> Network:
    page = folder / PAGE
    return Network(
        name=audit.name,
        report=quote(os.path.relpath(page, home)) if page.exists() else "",
        identity=audit.result.identity,
        accuracy=audit.result.accuracy[0].accuracy,
    )


def _columns(results: Sequence[AuditResult]) -> tuple[Column, ...]:
    found = [_column(facts) for result in results for facts in result.conditions]
    order = list(dict.fromkeys(column.perturbation for column in found))
    by_strength = sorted(found, key=lambda column: (order.index(column.perturbation), column.strength))
    others = dict.fromkeys(name for result in results for name in result.reference_meanings)
    references = [
        Column(name=name, title=f"clean map, {name.replace('_', ' ')}", perturbation="", strength=None)
        for name in others
    ]
    return tuple({column.name: column for column in (*by_strength, *references)}.values())


def _column(facts: ConditionFacts) -> Column:
    return Column(
        name=f"{facts.name}{'@' * bool(facts.strength_text)}{facts.strength_text}",
        title=f"{facts.heading}{', method itself' if facts.against else ''}",
        perturbation=facts.name,
        strength=facts.strength,
    )


def _kept(audit: Audit) -> Iterator[Kept]:
    columns = {facts.id: _column(facts).name for facts in audit.result.conditions if not facts.against}
    for row in audit.result.accuracy:
        if row.condition in columns:
            yield Kept(network=audit.name, column=columns[row.condition], estimate=row.kept)


def _stability(audit: Audit) -> Iterator[Similarity]:
    columns = {(entry, method): column for (column, method), entry in audit.entries.items()}
    for row in audit.result.stability:
        if (row.condition, row.method) in columns:
            yield Similarity(
                network=audit.name,
                column=columns[row.condition, row.method],
                method=row.method,
                similarity=row.similarity,
                images=row.images,
                estimate=row.estimate,
                doubt=audit.verdicts.get((row.condition, row.method, row.similarity, row.images), ""),
            )


def _references(audit: Audit) -> Iterator[Similarity]:
    for row in audit.result.references:
        yield Similarity(
            network=audit.name,
            column=row.reference,
            method=row.method,
            similarity=row.similarity,
            images="all",
            estimate=row.estimate,
            doubt="",
        )


def _differences(audit: Audit) -> Iterator[Difference]:
    methods = audit.readings.methods
    baselines = [name for name in methods if name != SRD.name and not is_control(name)]
    columns = [column for column, method in audit.entries if method == SRD.name]
    for column, baseline, similarity, images in product(columns, baselines, audit.readings.similarities, IMAGES):
        if (column, baseline) in audit.entries:
            own, other = ((audit.entries[column, name], name) for name in (SRD.name, baseline))
            doubts = {name: audit.verdicts.get((entry, name, similarity, images)) for entry, name in (own, other)}
            yield Difference(
                network=audit.name,
                column=column,
                method=baseline,
                similarity=similarity,
                images=images,
                estimate=difference(audit.readings, own, other, similarity, images),
                doubt=", ".join(f"{method_title(name)}: {doubt}" for name, doubt in doubts.items() if doubt),
            )


def _unlike(audits: Sequence[Audit]) -> Iterator[str]:
    """Settings that are not the same in all audits that have them."""
    settings = {audit.name: dict(_settings(audit.result)) for audit in audits}
    for setting in dict.fromkeys(name for each in settings.values() for name in each):
        values = {name: each[setting] for name, each in settings.items() if setting in each}
        distinct = dict.fromkeys(values.values())
        if len(distinct) > 1:
            where = (f"{value} in {listed(n for n, v in values.items() if v == value)}" for value in distinct)
            yield f"{setting}: {'; '.join(where)}."


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
