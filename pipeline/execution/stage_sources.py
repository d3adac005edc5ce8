"""The sources of each stage for one spec: which files, and which part of the spec, decide what its tasks write."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attacks.registry import PERTURBATIONS
from pipeline.inputs.data import COLLECTORS
from pipeline.machine.imports import followed_files
from pipeline.plan.conditions import CLEAN, conditions
from pipeline.plan.stage import Entries, Stage
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from pipeline.store.sources import PREPARING, Sources, StageSources
from srd.registry import ATTRIBUTORS, METRICS

LOADERS = tuple(place.partition(":")[0] for place in COLLECTORS.values())
"""The modules that read images, of which the format of the data chooses."""
PREPARER = "pipeline.execution.preparation"
RUNNER = "pipeline.execution.worker"
"""The module that loads model and data, and runs a task of any stage."""


def sources_of(spec: AuditSpec, plan: Plan) -> Sources:
    """Return the sources of the preparation and of all stages that have tasks.

    A file of an entry, such as a metric, is among the sources of a stage that calls it. What else a stage imports is
    among its sources as a whole: this is coarse, but it misses nothing.
    """
    planned = [stage for name, stage in STAGES.items() if plan.columns(name)]
    files = {
        PREPARING: followed_files([PREPARER, *LOADERS, *_modules_of_checks(spec.explain.methods)]),
        **{stage.name: followed_files(_modules(stage, spec, plan)) for stage in planned},
    }
    table, names = spec.model_dump(mode="json"), {stage.name for stage in planned}
    stages = {
        stage.name: StageSources(
            files=tuple(files[stage.name]),
            spec={key: _value(table, key) for key in stage.spec_keys},
            reads=tuple(dict.fromkeys(read.stage for read in stage.reads if read.stage in names)),
        )
        for stage in planned
    }
    return Sources(
        files={file: digest for found in files.values() for file, digest in found.items()},
        stages={PREPARING: StageSources(files=tuple(files[PREPARING])), **stages},
    )


def spec_keys() -> frozenset[str]:
    """Return the keys of the spec that belong to the stages which name them, and to nothing else."""
    return frozenset(key for stage in STAGES.values() for key in stage.spec_keys)


def _value(table: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key such as `run.seed`."""
    value: Any = table
    for part in key.split("."):
        value = value[part]
    return value


def _modules(stage: Stage, spec: AuditSpec, plan: Plan) -> Iterator[str]:
    """Yield the modules that a stage begins with; those that they import are found from them."""
    asked, planned = conditions(spec), plan.columns(stage.name)
    if stage.axis == "perturbation":
        asked = tuple(condition for column, condition in enumerate(asked) if column in planned)
    modules: Mapping[Entries, Callable[[], Iterator[str]]] = {
        "methods": lambda: _modules_of_methods(spec.explain.methods),
        "attacked methods": lambda: _modules_of_methods(each.against for each in asked if each.against),
        "perturbations": lambda: _modules_of_perturbations(each.name for each in asked if each.id != CLEAN),
        "metrics": _modules_of_metrics,
    }
    yield from (RUNNER, *LOADERS, _module(stage.function))
    yield from _modules_of_methods(stage.controls)
    for kind in stage.entries:
        yield from modules[kind]()


def _modules_of_checks(methods: Iterable[str]) -> Iterator[str]:
    """Yield the modules of methods, and those of the books by which the law of conservation is checked."""
    for name in methods:
        yield from (*_modules_of_methods([name]), _module(ATTRIBUTORS[name].balance))


def _modules_of_methods(names: Iterable[str]) -> Iterator[str]:
    """Yield the modules of methods, and those of their facts, which no import names."""
    for name in names:
        yield from (_module(ATTRIBUTORS[name].source), f"srd.baselines.{name}")


def _modules_of_perturbations(names: Iterable[str]) -> Iterator[str]:
    for entry in map(PERTURBATIONS.__getitem__, names):
        yield from map(_module, (entry.source, entry.applied, entry.inverse))


def _modules_of_metrics() -> Iterator[str]:
    for name, entry in METRICS.items():
        yield from (_module(entry.source), f"srd.metrics.{name}")


def _module(place: str) -> str:
    """Return the module of `module:function`."""
    return place.partition(":")[0]
