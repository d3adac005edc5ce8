"""What was audited and with which options, as plain facts of the store and the registries."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.entries import PerturbationEntry
from attacks.registry import PERTURBATIONS
from pipeline.conditions import CLEAN, Condition
from pipeline.conditions import conditions as expand
from pipeline.plan import Task
from pipeline.spec import PerturbationSpec, attacked
from pipeline.stage_table import STAGES
from reports import statistics
from reports.facts import (
    Certificate,
    Completeness,
    ConditionFacts,
    Failure,
    Identity,
    MethodFacts,
    Option,
    PerturbationFacts,
    Policy,
    StageProgress,
    Undefined,
)
from reports.families import is_control
from reports.readings import Readings
from reports.record import Record
from srd.entries import Entry
from srd.registry import ATTRIBUTORS

LIBRARIES = ("numpy", "scipy", "xarray", "matplotlib", "seaborn", "pillow", "jinja2")
TABLES = ("model", "data", "explain", "manipulation", "run")


def identity(readings: Readings) -> Identity:
    """Model, data, code, machine and sizes."""
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
        spec=toml(made.table()["spec"]),
    )


def completeness(readings: Readings, record: Record) -> Completeness:
    """Tasks and scores: planned, done, failed, undefined."""
    return Completeness(
        stages=tuple(
            StageProgress(stage=name, done=done, planned=all_) for name, (done, all_) in record.progress.items()
        ),
        failures=tuple(_failure(readings, Task.named(key), failure.error) for key, failure in record.failures.items()),
        scores=int(readings.dataset["score"].size),
        undefined=tuple(
            Undefined(method=method, reason=reason, scores=count)
            for method in readings.methods
            for reason, count in readings.undefined(method).items()
        ),
    )


def _failure(readings: Readings, task: Task, cause: str) -> Failure:
    rows = readings.attributes.plan.rows(task)
    images = f"{readings.image_ids[rows[0]]} to {readings.image_ids[rows[-1]]}"
    return Failure(task=task.key, images=images, of=_column(readings, task), cause=cause)


def _column(readings: Readings, task: Task) -> str:
    """Return the condition or the method of a task, as the store has them in order."""
    axes = {
        "perturbation": (CLEAN, *readings.attributes.threats),
        "method": readings.attributes.fingerprinted.spec.explain.methods,
    }
    axis = STAGES[task.stage].axis
    return axes[axis][task.column] if axis else "all images"


def policy() -> Policy:
    """How every interval of this result was made."""
    return Policy(
        confidence=statistics.CONFIDENCE,
        resamples=statistics.RESAMPLES,
        seed=statistics.SEED,
        least_n=statistics.LEAST_N,
        resampled="images",
        text="Means: BCa bootstrap over images, the same seed for every interval. Rates: Wilson score interval. "
        "An interval is for images drawn as these were, not for other data.",
        versions={name: version(name) for name in LIBRARIES},
    )


def certificates(readings: Readings) -> tuple[Certificate, ...]:
    """What was proved of the demo network before the run; empty for other networks."""
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


def methods(readings: Readings) -> tuple[MethodFacts, ...]:
    """The methods of the run, in its order."""
    given = readings.attributes.fingerprinted.spec.explain.options
    resolutions = readings.attributes.resolutions
    return tuple(_method(name, given.get(name, {}), resolutions[name]) for name in readings.methods)


def perturbations(readings: Readings) -> tuple[PerturbationFacts, ...]:
    """The perturbations of the spec, in its order."""
    asked = readings.attributes.fingerprinted.spec.perturbation
    return tuple(_perturbation(each, PERTURBATIONS[each.name], readings) for each in asked)


def conditions(readings: Readings) -> tuple[ConditionFacts, ...]:
    """The entries of the perturbation axis but `clean`, with the change that each really made."""
    asked = {condition.id: condition for condition in expand(readings.attributes.fingerprinted.spec)}
    return tuple(_condition(readings, asked[name]) for name in readings.perturbed)


def toml(spec: Mapping[str, Any]) -> str:
    """A spec as the store keeps it, written as TOML that reads back to the same spec."""
    tables = [f"[{name}]\n{_toml_lines(spec[name])}" for name in TABLES if name in spec]
    tables += [f"[[perturbation]]\n{_toml_lines(table)}" for table in spec["perturbation"]]
    return "\n".join(tables)


def _method(name: str, given: Mapping[str, Any], resolution: tuple[int, int]) -> MethodFacts:
    entry = ATTRIBUTORS[name]
    return MethodFacts(
        name=name,
        title=entry.title,
        family=entry.family,
        signed=entry.signed,
        coarse=entry.coarse,
        resolution=resolution,
        stochastic=entry.stochastic,
        attackable=entry.differentiable,
        uses_network=entry.uses_network,
        uses_target=entry.uses_target,
        is_control=is_control(name),
        cost=entry.cost,
        reference=entry.reference,
        options=_options(entry, given),
    )


def _perturbation(asked: PerturbationSpec, entry: PerturbationEntry, readings: Readings) -> PerturbationFacts:
    against = attacked(asked, readings.methods)
    options = _free_options(entry, asked.options)
    return PerturbationFacts(
        name=entry.name,
        title=entry.title,
        family=entry.family,
        goal=entry.goal,
        access=entry.access,
        constraint=entry.constraint,
        strengths=tuple(strength.text for strength in asked.strengths),
        against=against if entry.attacks_attributor else (),
        cost=entry.cost,
        reference=entry.reference,
        budget=tuple(option for option in options if option.name in entry.budget),
        options=tuple(option for option in options if option.name not in entry.budget),
    )


def _options(entry: Entry, given: Mapping[str, Any]) -> tuple[Option, ...]:
    fixed = (Option(name=name, value=value, origin="fixed") for name, value in entry.fixed.items())
    return (*fixed, *_free_options(entry, given))


def _free_options(entry: Entry, given: Mapping[str, Any]) -> tuple[Option, ...]:
    return tuple(
        Option(name=name, value=given.get(name, default), origin="spec" if name in given else "default")
        for name, default in entry.options.items()
    )


def _condition(readings: Readings, condition: Condition) -> ConditionFacts:
    changes = _changes(readings, condition.id)
    return ConditionFacts(
        id=condition.id,
        name=condition.name,
        title=PERTURBATIONS[condition.name].title,
        family=condition.family,
        against=condition.against,
        strength=condition.strength,
        strength_text=condition.strength_text,
        largest_change=float(changes[:, 0].max()) if len(changes) else None,
        largest_distance=float(changes[:, 1].max()) if len(changes) else None,
        unchanged=int((changes[:, 0] == 0).sum()),
        n=len(changes),
    )


def _changes(readings: Readings, condition: str) -> NDArray[np.float64]:
    """Largest absolute change of a value, and L2 distance, of every image that was computed: (n, 2).

    One image is in memory at a time.
    """
    both = readings.is_predicted(CLEAN) & readings.is_predicted(condition)
    column = readings.conditions.index(condition)
    inputs = readings.dataset["input"]
    pairs = (inputs.isel(image=int(row), perturbation=[0, column]).values for row in np.flatnonzero(both))
    moves = (pair[1].astype(np.float64) - pair[0] for pair in pairs)
    return np.array([(np.abs(move).max(), np.linalg.norm(move)) for move in moves]).reshape(-1, 2)


def _toml_lines(table: Mapping[str, Any], prefix: str = "") -> str:
    return "".join(_toml_line(prefix + key, value) for key, value in table.items() if value is not None)


def _toml_line(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return _toml_lines(value, f"{key}.")
    return f"{key} = {_toml_value(value)}\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return f"[{', '.join(_toml_value(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)
