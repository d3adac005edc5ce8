"""The section on identity: tables of model, data, methods, tasks and verifications."""

from collections.abc import Mapping

import numpy as np

from pipeline.plan.conditions import CLEAN
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.verification.findings import Verification
from reports import statistics
from reports.audit.facts import (
    Certificate,
    Completeness,
    Identity,
    RunFacts,
    StageProgress,
    TaskFailure,
    UndefinedScores,
)
from reports.audit.method_tables import methods, methods_table
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.section import Fields, Pictures, Section
from reports.audit.undefined_scores import asked_scores, undefined_scores
from reports.cells import Cell, Table
from reports.formatting import toml


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    return {
        "identity": identity(readings),
        "statistics": statistics.policy(),
        "certificates": certificates(readings),
        "methods": methods(readings),
    }


def identity(readings: Readings) -> Identity:
    """Return model, data, code, machine and sizes."""
    attributes = readings.attributes
    made, spec = attributes.fingerprinted, attributes.fingerprinted.spec
    return Identity(
        fingerprint=attributes.fingerprint,
        model=spec.model.spec,
        parameters=attributes.parameters,
        weights=made.weights,
        network=made.network,
        data=spec.data.path,
        description=attributes.data,
        notes=attributes.notes,
        data_digest=made.data,
        sources=made.sources,
        versions=made.versions,
        hardware=made.hardware,
        sizes=dict(attributes.plan.sizes),
        classes_present=len(np.unique(readings.label)),
        has_masks=readings.has_masks,
        tile=spec.run.tile,
        seed=spec.run.seed,
        target=spec.explain.target,
        operations=dict(spec.model.operations),
        spec=toml(made.table()["spec"]),
    )


def completeness(readings: Readings, record: RunRecord) -> Completeness:
    """Return how many tasks and scores were planned, done, failed or undefined."""
    return Completeness(
        stages=tuple(
            StageProgress(stage=name, done=done, planned=all_) for name, (done, all_) in record.progress.items()
        ),
        failures=tuple(
            _failure(readings, Task.from_key(key), failure.error) for key, failure in record.failures.items()
        ),
        scores=int(readings.dataset["score"].size),
        undefined=tuple(
            UndefinedScores(method=method, reason=reason, scores=count)
            for method in readings.methods
            for reason, count in readings.undefined_counts(method).items()
        ),
    )


def _failure(readings: Readings, task: Task, cause: str) -> TaskFailure:
    rows = readings.attributes.plan.rows(task)
    images = f"{readings.image_ids[rows[0]]} to {readings.image_ids[rows[-1]]}"
    return TaskFailure(task=task.key, images=images, of=_column(readings, task), cause=cause)


def _column(readings: Readings, task: Task) -> str:
    """Return the condition or the method of a task, in the order of the store."""
    axes = {
        "perturbation": (CLEAN, *readings.attributes.threats),
        "method": readings.attributes.fingerprinted.spec.explain.methods,
    }
    axis = STAGES[task.stage].axis
    return axes[axis][task.column] if axis else "all images"


def certificates(readings: Readings) -> tuple[Certificate, ...]:
    """Return the certificates of the demo network. Other networks have none."""
    given = readings.attributes.certificates
    if not given:
        return ()
    without = f"at most {given.limit:.3f} (chance {given.chance:.3f} and three standard errors)"
    meanings = {
        "accuracy": ("answers whole scenes", f"at least {given.least_accuracy}"),
        "target_removed": ("answers when the target is removed", without),
        "background_only": ("answers on the background alone", without),
        "distractors_away": (
            "answers when the distractors are removed",
            f"at most {given.largest_drop} below whole scenes",
        ),
    }
    return tuple(
        Certificate(
            name=name, meaning=meaning, rate=getattr(given, name), bound=bound, passed=given.holds[name], n=given.n
        )
        for name, (meaning, bound) in meanings.items()
    )


def _identity_table(result: RunFacts) -> Table:
    """Return the table of model, data and machine."""
    made, sizes = result.identity, result.identity.sizes
    return _facts_table(
        "Model, data and machine.",
        {
            "Model": f"{made.model}, {made.parameters:,} parameters",
            **declared_operations(made),
            "Data": f"{made.data}: {made.description}",
            "Notes on the input": "; ".join(made.notes) or "none",
            "Images": f"{sizes['image']:,}, each {sizes['channel']} x {sizes['y']} x {sizes['x']}; "
            f"{made.classes_present:,} of {sizes['class']:,} classes; "
            f"{'with' if made.has_masks else 'no'} object masks",
            "Explained class": f"the {made.target} class of the clean image, kept under perturbation",
            "Hardware": made.hardware,
        },
    )


def _digests_table(result: RunFacts) -> Table:
    """Return the table of what tells this run from every other."""
    made = result.identity
    return _facts_table(
        "Digests, versions and seed.",
        {
            "Fingerprint of the run": made.fingerprint,
            "Weights, SHA-256": made.weights,
            "Network source, SHA-256": made.network,
            "Data, SHA-256": made.data_digest,
            "Auditing code, SHA-256": made.code,
            "Versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
            "Tile and seed": f"{made.tile} images per task, seed {made.seed}",
            "Summarised with": ", ".join(f"{name} {version}" for name, version in result.statistics.versions.items()),
        },
    )


def _facts_table(caption: str, facts: Mapping[str, str]) -> Table:
    rows = tuple((Cell(name), Cell(fact)) for name, fact in facts.items())
    return Table(caption, ("what", "value"), rows)


def declared_operations(made: Identity) -> dict[str, str]:
    """Return what the spec declares of operations, under the heading of its row; nothing if it declares none."""
    told = ", ".join(f"{name} is {meaning}" for name, meaning in made.operations.items())
    return {"Declared operations": told} if told else {}


def _completeness_table(result: RunFacts) -> Table:
    """Return the table of the tasks of each stage."""
    counts = {s.stage: (s.done, s.planned, s.planned - s.done) for s in result.completeness.stages}
    rows = ((Cell(stage), *(Cell(f"{count:,}") for count in each)) for stage, each in counts.items())
    return Table("Tasks of each stage.", ("stage", "done", "planned", "missing"), tuple(rows))


def _failures_table(result: RunFacts) -> Table:
    """Return the table of the tasks that failed each time they were tried."""
    rows = (
        (Cell(each.task), Cell(each.of), Cell(each.images), Cell(each.cause)) for each in result.completeness.failures
    )
    return Table("Tasks that failed, twice.", ("task", "of", "images", "cause"), tuple(rows))


def _verifications_table(result: RunFacts) -> Table:
    """Return the table of the verifications of the run."""
    header = ("class of machine", "as promised", "tasks checked", "damaged", "tasks done again", "same bytes")
    rows = ((Cell(each.hardware), *_verification(each)) for each in result.verifications)
    return Table("Verified: what is stored against its receipts, and tasks done again.", header, tuple(rows))


def _repetitions_table(result: RunFacts) -> Table:
    """Return the table that compares repeated tasks with what is stored."""
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


def _certificates_table(result: RunFacts) -> Table:
    """Return the table of the certificates of the demo network."""
    truth = ", so the masks are the truth about its evidence" if result.identity.has_masks else ""
    return Table(
        f"Certificates: the network answers by the object alone{truth}.",
        ("certificate", "share of right answers", "bound", "n", "verdict"),
        tuple(_certificate(each) for each in result.certificates),
    )


def _certificate(each: Certificate) -> tuple[Cell, ...]:
    verdict = Cell("PASS", "", "passed") if each.passed else Cell("FAIL", "", "failed")
    return Cell(each.meaning, each.name), Cell(f"{each.rate:.3f}"), Cell(each.bound), Cell(str(each.n)), verdict


def _verification(each: Verification) -> tuple[Cell, ...]:
    again = sum(repetition.tasks for repetition in each.repetitions)
    same = sum(repetition.same for repetition in each.repetitions)
    if each.unlike:
        promise = Cell("no promise", f"other: {', '.join(each.unlike)}")
    else:
        others = f"of other code, not done again: {', '.join(each.other_sources)}" if each.other_sources else ""
        promise = Cell("PASS", others, "passed") if each.is_kept else Cell("FAIL", others, "failed")
    counts = (each.done, len(each.damaged), again, same)
    return promise, *(Cell(f"{count:,}") for count in counts)


def _body(result: RunFacts, _: Pictures) -> Mapping[str, object]:
    return {
        "identity": _identity_table(result),
        "digests": _digests_table(result),
        "certificates": _certificates_table(result),
        "methods": methods_table(result),
        "completeness": _completeness_table(result),
        "failures": _failures_table(result),
        "verifications": _verifications_table(result),
        "repetitions": _repetitions_table(result),
        "without_value": sum(each.scores for each in undefined_scores(result)),
        "asked": asked_scores(result),
    }


IDENTITY = Section(
    id="audited",
    title="What was audited",
    heading="What was audited",
    template="identity_tables",
    body=_body,
    numbers=_numbers,
)
