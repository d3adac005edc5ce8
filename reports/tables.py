"""The result's tables, as text cells that the page and the summary both print."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.facts import Certificate, ConditionFacts, Option
from reports.findings import MEASURE, headline, title
from reports.result import AuditResult, Estimate, Images, Transfer, TransferRow
from reports.transfer import EXPLANATION
from reports.wording import NONE, interval, listed, size, value
from srd.registry import METRICS

Mark = Literal["", "control", "unreliable", "white-box", "failed", "passed"]


@dataclass(frozen=True)
class Cell:
    """One entry: what is read first, what is read second, and what sets it apart."""

    text: str
    detail: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first cell of a row is its heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def identity(result: AuditResult) -> Table:
    """What was audited."""
    made, sizes = result.identity, result.identity.sizes
    facts = {
        "Model": f"{made.model}, {made.parameters:,} parameters",
        "Weights, SHA-256": made.weights,
        "Network source, SHA-256": made.network,
        "Data": f"{made.data}: {made.description}",
        "Data, SHA-256": made.data_digest,
        "Images": f"{sizes['image']:,}, each {sizes['channel']} x {sizes['y']} x {sizes['x']}; "
        f"{made.classes_present:,} of {sizes['class']:,} classes; {'with' if made.has_masks else 'no'} object masks",
        "Explained class": f"the {made.target} class of the clean image, kept under perturbation",
        "Fingerprint of the run": made.fingerprint,
        "Auditing code, SHA-256": made.sources,
        "Versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "Hardware": made.hardware,
        "Tile and seed": f"{made.tile} images per task, seed {made.seed}",
        "Summarised with": ", ".join(f"{name} {version}" for name, version in result.statistics.versions.items()),
    }
    return Table("Model, data, code and machine.", ("what", "value"), _pairs(facts))


def completeness(result: AuditResult) -> Table:
    """Tasks planned and done."""
    counts = {s.stage: (s.done, s.planned, s.planned - s.done) for s in result.completeness.stages}
    rows = ((Cell(stage), *(Cell(f"{count:,}") for count in each)) for stage, each in counts.items())
    return Table("Tasks of each stage.", ("stage", "done", "planned", "missing"), tuple(rows))


def certificates(result: AuditResult) -> Table:
    """What was shown of the demo network beforehand."""
    return Table(
        "Certificates: the network answers by the object alone, so the masks are the truth about its evidence.",
        ("certificate", "share of right answers", "bound", "n", "verdict"),
        tuple(_certificate(each) for each in result.certificates),
    )


def methods(result: AuditResult) -> Table:
    """The methods with their options."""
    header = ("method", "family", "sign", "resolution", "attackable", "options", "cost", "source")
    rows = (
        (
            Cell(each.title, each.name, "control" if each.is_control else ""),
            Cell(each.family + ("" if each.uses_network else ", ignores the network")),
            Cell("signed" if each.signed else "not negative"),
            Cell("of the encoder, upsampled" if each.coarse else "of the image"),
            Cell("yes" if each.attackable else "no gradient"),
            Cell(_options(each.options)),
            Cell(each.cost),
            Cell(each.reference),
        )
        for each in result.methods
    )
    return Table("Methods, in the order of the spec. Costs in passes of the network.", header, tuple(rows))


def threats(result: AuditResult) -> Table:
    """The threat model of each perturbation."""
    header = ("perturbation", "goal", "access", "size", "strengths", "options", "against", "cost", "source")
    rows = (
        (
            Cell(each.title, each.family),
            Cell(each.goal),
            Cell(each.access),
            Cell(f"{each.strength}{f', {each.norm} radius' if each.norm else ''}"),
            Cell(", ".join(each.strengths)),
            Cell(_options(each.options)),
            Cell(", ".join(title(name) for name in each.against) or NONE),
            Cell(each.cost),
            Cell(each.reference or NONE),
        )
        for each in result.perturbations
    )
    return Table("Threat model. Sizes are of pixels in [0, 1].", header, tuple(rows))


def changes(result: AuditResult) -> Table:
    """How far each entry really moved the images."""
    rows = ((Cell(each.id), *_change(each)) for each in result.conditions)
    header = ("entry", "strength", "largest change of a pixel", "images left as they were", "n")
    return Table("Measured size of each entry of the perturbation axis, over all its images.", header, tuple(rows))


def accuracy(result: AuditResult) -> Table:
    """Right and kept predictions."""
    rows = ((Cell(each.condition), _estimate(each.accuracy), _estimate(each.kept)) for each in result.accuracy)
    caption = "Predictions: share of images with the right class, and with the class of the clean image (95 % Wilson)."
    return Table(caption, ("entry", "right class", "class of the clean image"), tuple(rows))


def scale(result: AuditResult) -> Table:
    """Stability at the largest strength of each perturbation, beside the method's reference similarities."""
    strongest = _strongest(result)
    references = list(result.reference_meanings)
    header = ("method", *strongest, *(f"clean map, {name.replace('_', ' ')}" for name in references))
    means = {(each.condition, each.method, each.similarity, each.images): each.estimate for each in result.stability}
    verdicts = _verdicts(result)

    def keys(method: str) -> list[tuple[str, str, str, Images]]:
        return [(entries.get(method, ""), method, MEASURE, "all") for entries in strongest.values()]

    scales = {(each.method, each.reference, each.similarity): each.estimate for each in result.references}
    rows = (
        (
            Cell(each.title, "", "control" if each.is_control else ""),
            *(_optional(means.get(key), verdicts.get(key[:2], "")) for key in keys(each.name)),
            *(_optional(scales.get((each.name, name, MEASURE))) for name in references),
        )
        for each in result.methods
    )
    caption = (
        "Stability on its own scale: correlation of clean and perturbed maps at the largest strength of each "
        "perturbation, all images, beside the correlation of the clean map with other maps."
    )
    return Table(caption, header, tuple(rows))


def stability(result: AuditResult, similarity: str, images: Images) -> Table:
    """Every entry x every method, for one similarity and set of images."""
    methods = [each.name for each in result.methods]
    chosen = [each for each in result.stability if each.similarity == similarity and each.images == images]
    means = {(each.condition, each.method): each.estimate for each in chosen}
    rows = (
        (Cell(each.id), *(_estimate(means[each.id, name], _white_box(each, name)) for name in methods))
        for each in result.conditions
    )
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {told(images)} (95 % intervals)."
    return Table(caption, ("entry", *(title(name) for name in methods)), tuple(rows))


def transfer(table: Transfer) -> Table:
    """Attacked method x evaluating method."""
    header = ("attacked", *(title(cell.evaluating) for cell in table.rows[0].cells))
    caption = (
        f"{table.title} at {table.strength_text}: {METRICS[table.similarity].title} of clean and perturbed maps, "
        f"{told(table.images)}. Rows: what was attacked; columns: whose maps are compared."
    )
    return Table(caption, header, tuple(_transfer_row(row) for row in table.rows))


def doubts(table: Transfer) -> Iterator[str]:
    """Why an attack of the table is in doubt, one sentence each."""
    for row in table.rows:
        for cell in row.cells:
            if cell.verdict:
                yield f"{row.title}: {cell.verdict}; {cell.reason}."


def quality(result: AuditResult) -> Table:
    """Localisation and sparseness of the clean maps."""
    metrics = list(dict.fromkeys(each.metric for each in result.quality))
    found = {(each.method, each.metric): each.estimate for each in result.quality}
    rows = (
        (
            Cell(each.title, "", "control" if each.is_control else ""),
            *(_estimate(found[each.name, metric]) for metric in metrics),
        )
        for each in result.methods
    )
    header = ("method", *(METRICS[metric].title for metric in metrics))
    return Table("Clean maps: localisation and sparseness (95 % intervals).", header, tuple(rows))


def headline_transfer(result: AuditResult) -> Table | None:
    """The transfer table that the summary speaks of."""
    table = headline(result)
    return transfer(table) if table else None


def told(images: Images) -> str:
    """A set of images in words."""
    return "all images" if images == "all" else "images whose predicted class is that of the clean image"


def _pairs(facts: dict[str, str]) -> tuple[tuple[Cell, ...], ...]:
    return tuple((Cell(name), Cell(fact)) for name, fact in facts.items())


def _certificate(each: Certificate) -> tuple[Cell, ...]:
    verdict = Cell("PASS", "", "passed") if each.passed else Cell("FAIL", "", "failed")
    return Cell(each.meaning, each.name), Cell(f"{each.rate:.3f}"), Cell(each.bound), Cell(str(each.n)), verdict


def _options(options: Sequence[Option]) -> str:
    told = (f"{o.name} = {o.value}{'' if o.origin == 'spec' else ' (default)'}" for o in options)
    return ", ".join(told) or NONE


def _change(each: ConditionFacts) -> tuple[Cell, ...]:
    largest = NONE if each.largest_change is None else f"{each.largest_change:.4f}"
    texts = f"{each.strength_text} = {each.strength:.4f}", largest, str(each.unchanged), str(each.n)
    return tuple(Cell(text) for text in texts)


def _strongest(result: AuditResult) -> dict[str, dict[str, str]]:
    """Heading -> method -> entry: the largest strength of each perturbation; an attacked method's own entry."""
    columns: dict[str, dict[str, str]] = {}
    for facts in result.perturbations:
        entries = [each for each in result.conditions if each.name == facts.name]
        largest = max(each.strength for each in entries)
        chosen = [each for each in entries if each.strength == largest]
        of_all = {method.name: chosen[0].id for method in result.methods}
        own = {each.against: each.id for each in chosen}
        suffix = ", method itself" if facts.family == EXPLANATION else ""
        columns[f"{facts.title} {chosen[0].strength_text}{suffix}"] = own if suffix else of_all
    return columns


def _verdicts(result: AuditResult) -> dict[tuple[str, str], str]:
    """Of the attacks on explanations, by entry and method, as the correlation of all images judges them."""
    judged = [table for table in result.transfer if table.similarity == MEASURE and table.images == "all"]
    return {(row.condition, cell.evaluating): cell.verdict for t in judged for row in t.rows for cell in row.cells}


def _transfer_row(row: TransferRow) -> tuple[Cell, ...]:
    kind = "" if row.role == "attacked method" else row.role
    cells = (_estimate(cell.similarity, "white-box" if cell.white_box else "", cell.verdict) for cell in row.cells)
    return Cell(row.title, kind, "control" if kind else ""), *cells


def _white_box(each: ConditionFacts, method: str) -> Mark:
    return "white-box" if each.against == method else ""


def _optional(estimate: Estimate | None, verdict: str = "") -> Cell:
    return _estimate(estimate, "", verdict) if estimate else Cell(NONE, "not attacked")


def _estimate(estimate: Estimate, mark: Mark = "", verdict: str = "") -> Cell:
    details = [interval(estimate), size(estimate), *([verdict] if verdict else [])]
    return Cell(value(estimate), "\n".join(details), "unreliable" if verdict else mark)


def notes(result: AuditResult) -> list[tuple[str, str]]:
    """Notes on methods, those of several methods once."""
    told = dict.fromkeys(result.notes.values())
    return [(listed(title(name) for name, note in result.notes.items() if note == each), each) for each in told]


def excluded(result: AuditResult) -> Iterable[str]:
    """What was left out of any mean, by reason."""
    reasons = {why for each in result.stability for why in each.estimate.excluded}
    reasons |= {why for quality in result.quality for why in quality.estimate.excluded}
    return [f"Images left out of a mean are counted beside it. Why: {'; '.join(sorted(reasons))}."] if reasons else []
