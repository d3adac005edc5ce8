"""The plan of an audit: the sizes of the store, the groups of columns, and the images that are asked about."""

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from pipeline.inputs.data import Data
from pipeline.machine import seeds
from pipeline.plan import axes
from pipeline.plan.conditions import Condition, conditions
from pipeline.plan.schema import CONDITION_FACTS, MEASURES, Question
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from pipeline.spec.measure import MeasureSpec
from pipeline.store.arrays import COORDINATES
from srd.registry import ATTRIBUTORS, MAP_METRICS, QUALITIES, SIMILARITIES

Coordinate = tuple[str | float, ...]


def plan_audit(spec: AuditSpec, data: Data, columns: tuple[Condition, ...]) -> Plan:
    """Return the plan of an audit with these conditions."""
    channels, height, width = data.images(range(1))[0].shape
    methods, against = spec.explain.methods, {condition.against for condition in columns}
    attacks = tuple(column for column, condition in enumerate(columns) if condition.against)
    return Plan(
        sizes={
            **{name: len(values) for name, values in coordinates(spec, data).items() if COORDINATES[name] == name},
            "channel": channels,
            "y": height,
            "x": width,
        },
        tile=spec.run.tile,
        has_masks=data.has_masks,
        attacks=attacks,
        universal=tuple(column for column in attacks if PERTURBATIONS[columns[column].name].is_universal),
        stochastic=tuple(column for column, name in enumerate(methods) if ATTRIBUTORS[name].stochastic),
        attacked=tuple(column for column, name in enumerate(methods) if name in against),
        asked=asked_images(spec.measure, spec.run.seed, len(data.ids)),
    )


def asked_images(measure: MeasureSpec, seed: int, n: int) -> dict[Question, tuple[int, ...]]:
    """Return the positions, of n images, that are asked about; each question draws them by a stream of its own.

    The first images would be those of a few classes.
    """
    counts: dict[Question, int] = {"faithfulness": measure.n_faithfulness, "randomisation": measure.n_randomise}
    return {
        question: tuple(seeds.sample(seed, n, count, question))
        for question, count in counts.items()
        if measure.asks(question)
    }


def coordinates(spec: AuditSpec, data: Data) -> dict[str, Coordinate]:
    """Return the values of all coordinates."""
    columns = conditions(spec)
    return {
        "perturbation": tuple(condition.id for condition in columns),
        **{name: tuple(getattr(c, name.removeprefix("perturbation_")) for c in columns) for name in CONDITION_FACTS},
        "image": data.ids,
        "class": data.classes,
        "method": spec.explain.methods,
        "method_title": tuple(ATTRIBUTORS[name].title for name in spec.explain.methods),
        "evidence": tuple(EVIDENCE),
        "measure": tuple(MEASURES),
        **_measured_axes(spec.measure),
    }


def _measured_axes(measure: MeasureSpec) -> dict[str, Coordinate]:
    """Return the coordinates of what is measured of maps and network."""
    return {
        "metric": tuple(MAP_METRICS),
        "quality": tuple(QUALITIES),
        "similarity": SIMILARITIES,
        "reference": tuple(axes.references(measure)),
        "subset": axes.subset_names(measure),
        "answer": axes.ANSWERS,
        "control": axes.CONTROLS,
        "fill": measure.fills,
        "order": axes.ORDERS,
        "step": axes.steps(measure),
        "ranking": axes.RANKINGS,
        "depth": tuple(axes.depths(measure)),
    }
