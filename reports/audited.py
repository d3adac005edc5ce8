"""What was audited, by which methods, against which threats: tables of facts."""

from collections.abc import Sequence

from pipeline.verification import Verification
from reports.cells import Cell, Table, method_heading
from reports.facts import Certificate, ConditionFacts, MethodFacts, Option
from reports.result import AuditResult
from reports.wording import NONE, method_title


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


def failures(result: AuditResult) -> Table:
    """Tasks that failed whenever they were tried."""
    rows = (
        (Cell(each.task), Cell(each.of), Cell(each.images), Cell(each.cause)) for each in result.completeness.failures
    )
    return Table("Tasks that failed, twice.", ("task", "of", "images", "cause"), tuple(rows))


def verifications(result: AuditResult) -> Table:
    """What was found when the run was verified."""
    header = ("class of machine", "as promised", "tasks checked", "damaged", "tasks done again", "same bytes")
    rows = ((Cell(each.hardware), *_verification(each)) for each in result.verifications)
    return Table("Verified: what is stored against its receipts, and tasks done again.", header, tuple(rows))


def repetitions(result: AuditResult) -> Table:
    """How far tasks that were done again came to what is stored."""
    header = ("class of machine", "stage", "variable", "tasks", "same bytes", "equal values", "largest difference")
    rows = (
        (
            Cell(each.hardware),
            Cell(again.stage),
            Cell(again.variable),
            Cell(str(again.tasks)),
            Cell(str(again.same)),
            Cell(f"{100 * again.equal:.2f} %"),
            Cell("not finite" if again.largest is None else f"{again.largest:.2g}"),
        )
        for each in result.verifications
        for again in each.repetitions
    )
    return Table("Differences are shares of the largest stored magnitude of the task.", header, tuple(rows))


def certificates(result: AuditResult) -> Table:
    """What was shown of the demo network beforehand."""
    return Table(
        "Certificates: the network answers by the object alone, so the masks are the truth about its evidence.",
        ("certificate", "share of right answers", "bound", "n", "verdict"),
        tuple(_certificate(each) for each in result.certificates),
    )


def methods(result: AuditResult) -> Table:
    """The methods with their options."""
    header = ("method", "sign", "resolution", "attackable", "options", "cost", "source")
    rows = (
        (
            method_heading(each.name, each.name + _ignores(each)),
            Cell("signed" if each.signed else "not negative"),
            Cell("{} x {}".format(*each.resolution) + (", upsampled" if each.coarse else "")),
            Cell("yes" if each.attackable else "no gradient"),
            Cell(_options(each.options)),
            Cell(each.cost),
            Cell(each.reference),
        )
        for each in result.methods
    )
    return Table("Methods, by family. Costs in passes of the network.", header, tuple(rows))


def _ignores(method: MethodFacts) -> str:
    if not method.uses_network:
        return ", ignores the network"
    return "" if method.uses_target else ", ignores the class"


def threats(result: AuditResult) -> Table:
    """The threat model of each perturbation."""
    threat = ("goal", "constraint", "access", "budget", "strengths")
    header = ("perturbation", *threat, "options", "against", "cost", "source")
    rows = (
        (
            Cell(each.title, each.family),
            Cell(each.goal),
            Cell(each.constraint),
            Cell(each.access),
            Cell(_options(each.budget)),
            Cell(", ".join(each.strengths) or NONE),
            Cell(_options(each.options)),
            Cell(", ".join(method_title(name) for name in each.against) or NONE),
            Cell(each.cost),
            Cell(each.reference or NONE),
        )
        for each in result.perturbations
    )
    caption = "Threat model: goal, constraint, access, budget and strengths of each perturbation. Pixels lie in [0, 1]."
    return Table(caption, header, tuple(rows))


def changes(result: AuditResult) -> Table:
    """How far each entry really moved the images."""
    rows = ((Cell(each.id), *_change(each)) for each in result.conditions)
    header = ("entry", "strength", "largest change of a pixel", "largest L2 distance", "images left as they were", "n")
    return Table("Measured size of each entry of the perturbation axis, over all its images.", header, tuple(rows))


def _pairs(facts: dict[str, str]) -> tuple[tuple[Cell, ...], ...]:
    return tuple((Cell(name), Cell(fact)) for name, fact in facts.items())


def _certificate(each: Certificate) -> tuple[Cell, ...]:
    verdict = Cell("PASS", "", "passed") if each.passed else Cell("FAIL", "", "failed")
    return Cell(each.meaning, each.name), Cell(f"{each.rate:.3f}"), Cell(each.bound), Cell(str(each.n)), verdict


def _verification(each: Verification) -> tuple[Cell, ...]:
    again = sum(repetition.tasks for repetition in each.repetitions)
    same = sum(repetition.same for repetition in each.repetitions)
    if each.unlike:
        promise = Cell("no promise", f"other: {', '.join(each.unlike)}")
    else:
        promise = Cell("PASS", "", "passed") if each.is_kept else Cell("FAIL", "", "failed")
    counts = (each.done, len(each.damaged), again, same)
    return promise, *(Cell(f"{count:,}") for count in counts)


def _options(options: Sequence[Option]) -> str:
    values = (f"{o.name} = {o.value}{'' if o.origin == 'spec' else f' ({o.origin})'}" for o in options)
    return ", ".join(values) or NONE


def _change(each: ConditionFacts) -> tuple[Cell, ...]:
    strength = f"{each.strength_text} = {each.strength:.4f}" if each.strength_text else NONE
    sizes = (NONE if size is None else f"{size:.4f}" for size in (each.largest_change, each.largest_distance))
    texts = strength, *sizes, str(each.unchanged), str(each.n)
    return tuple(Cell(text) for text in texts)
