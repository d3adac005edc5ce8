"""A small finished run, made once; and results made by hand, whose numbers are known."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from made_explainers import registered, write_made_audit
from made_once import made_once
from small_audits import finish, run, store_in

from attacks.registry import PERTURBATIONS
from pipeline.execution.executors import Outcome, serial_executor
from pipeline.execution.job import Job
from pipeline.plan.tasks import Task
from pipeline.spec.audit import parse_spec
from pipeline.store.attributes import RunAttributes
from pipeline.store.results import open_results
from reports.audit.calibration import AT_FLOOR, UNIT, CalibratedStability, rankings
from reports.audit.facts import (
    Completeness,
    ConditionFacts,
    Identity,
    MethodFacts,
    PerturbationFacts,
    StageProgress,
)
from reports.audit.localisation import LocalisationLead, Quality
from reports.audit.predictions import Accuracy
from reports.audit.reliability import AttackVerdict
from reports.audit.report import write_report
from reports.audit.scale import ReferenceSimilarity
from reports.audit.sections import AuditResult
from reports.audit.stability import Stability
from reports.audit.transfer_tables import TransferCell, TransferRow, TransferTable
from reports.result import Estimate, Verdict
from srd.registry import ATTRIBUTORS

ROOT = Path(__file__).parents[2]
N_IMAGES = 6  # the fewest that leave an interval where one prediction changes; not a whole number of tiles

ASKED_AGAIN = ("removal_curves", "faithfulness", "control_scores", "removal_leads", "tradeoffs",
               "faithful_under_attack", "depth_similarities", "redrawn_floors", "complexity_rises",
               "redrawn_rows")  # fmt: skip
"""Fields that are empty where a spec did not ask the network again."""


class Silent:
    """Hears how the run goes on and says nothing."""

    def on_store(self, attributes: RunAttributes) -> None: ...

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None: ...

    def on_wait(self, name: str, n: int) -> None: ...

    def on_task(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of the smoke spec, with its report."""
    return made_once(tmp_path_factory, "smoke", _run_smoke_spec)


def _run_smoke_spec(home: Path) -> None:
    table = tomllib.loads((ROOT / "specs" / "smoke.toml").read_text(encoding="utf-8"))
    table["data"]["n"] = N_IMAGES
    run(Job(parse_spec(table, "smoke"), ROOT, store_in(home)), serial_executor, Silent())
    write_report(home)


@pytest.fixture(scope="session")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of explainers whose faults are known; who reads it must have them `registered`."""
    return made_once(tmp_path_factory, "explained", _run_made_explainers)


def _run_made_explainers(home: Path) -> None:
    with registered():
        finish(write_made_audit(home / "audit"), home)


@pytest.fixture(scope="session")
def dataset(folder: Path) -> xr.Dataset:
    """The run's store, in memory."""
    return open_results(store_in(folder)).load()


Correlations = Mapping[str, Mapping[str, float | None]]
"""Condition -> method -> correlation; None where nothing was measured."""


@pytest.fixture(scope="session")
def made() -> Callable[..., AuditResult]:
    """Makes a result of given correlations; every interval is +- 0.05, every n is 9."""
    return _made


def _made(
    correlations: Correlations,
    methods: Iterable[str] = ("srd", "saliency", "random"),
    accuracy: Mapping[str, float] | None = None,
    other_class: Mapping[str, float | None] | None = None,
    localisation: Mapping[str, float] | None = None,
    verdicts: Mapping[str, Verdict] | None = None,
    **fields: Any,
) -> AuditResult:
    """Conditions are those of attacks on explanations and of `random_sign`; `verdicts` are on attacks, by condition."""
    conditions = tuple(_condition(name) for name in correlations)
    rows = [(name, method, value) for name, values in correlations.items() for method, value in values.items()]
    facts = tuple(_method(name) for name in methods)
    judged = tuple(_verdict(each, (verdicts or {}).get(each.id, "")) for each in conditions if each.against)
    calibrated = tuple(
        _calibrated(name, method, value)
        for (name, method, value), against in (
            (row, next(c.against for c in conditions if c.id == row[0])) for row in rows
        )
        if against in {"", method}
    )
    given: dict[str, Any] = {
        "identity": Identity.model_construct(sizes={"image": 9}, has_masks=True),
        "completeness": Completeness(
            stages=(StageProgress(stage="perturb", done=4, planned=4),), scores=9, undefined=()
        ),
        "methods": facts,
        "perturbations": tuple(_perturbation(name, conditions) for name in dict.fromkeys(c.name for c in conditions)),
        "conditions": conditions,
        "accuracy": tuple(_accuracy(*row) for row in (accuracy or {"clean": 0.9}).items()),
        "stability": tuple(_stability(*row) for row in rows),
        "references": (
            *(_reference(name, "other_class", value) for name, value in (other_class or {}).items()),
            *(_reference(each.name, "other_image", 0.0) for each in facts),
        ),
        "reference_meanings": {"other_class": ""} if other_class else {},
        "verdicts": judged,
        "calibrated": calibrated,
        "rankings": rankings(conditions, facts, calibrated, judged, _contrast),
        "transfer": tuple(_transfers(correlations, conditions, verdicts or {})),
        "quality": tuple(_quality(*row) for row in (localisation or {}).items()),
        "localisation_leads": _leads(localisation or {}),
        "mask_share": None,
        "notes": {},
        "audit_verdict": None,
        "redrawn_sheet": None,
        **dict.fromkeys(ASKED_AGAIN, ()),
    }
    return AuditResult.model_construct(**(given | fields))


def _estimate(value: float | None, unit: str = "Pearson correlation, -1 to 1") -> Estimate:
    if value is None:
        why = "the map has nothing to compare"
        return Estimate(value=None, low=None, high=None, n=0, unit=unit, interval="none", reason=why, excluded={why: 9})
    return Estimate(
        value=value, low=value - 0.05, high=value + 0.05, n=9, unit=unit, interval="BCa bootstrap", excluded={}
    )


def _condition(name: str) -> ConditionFacts:
    attack, _, strength = name.partition("@")
    attack, _, against = attack.partition(":")
    return ConditionFacts.model_construct(
        id=name,
        name=attack,
        title=PERTURBATIONS[attack].title,
        family=PERTURBATIONS[attack].family,
        against=against,
        strength=float(Fraction(strength)),
        strength_text=strength,
    )


def _method(name: str) -> MethodFacts:
    entry = ATTRIBUTORS[name]
    return MethodFacts.model_construct(
        name=name,
        title=entry.title,
        family=entry.family,
        signed=entry.signed,
        attackable=entry.differentiable,
        uses_network=entry.uses_network,
        is_control=entry.family == "control",
    )


def _perturbation(name: str, conditions: Iterable[ConditionFacts]) -> PerturbationFacts:
    against = dict.fromkeys(each.against for each in conditions if each.name == name and each.against)
    return PerturbationFacts.model_construct(name=name, family=PERTURBATIONS[name].family, against=tuple(against))


def _accuracy(condition: str, share: float) -> Accuracy:
    rate = _estimate(share, "share of images, 0 to 1")
    return Accuracy(condition=condition, accuracy=rate, kept=rate)


def _stability(condition: str, method: str, value: float | None) -> Stability:
    return Stability(condition=condition, method=method, similarity="pearson", images="all", estimate=_estimate(value))


def _reference(method: str, reference: str, value: float | None) -> ReferenceSimilarity:
    return ReferenceSimilarity(method=method, reference=reference, similarity="pearson", estimate=_estimate(value))


def _verdict(facts: ConditionFacts, verdict: Verdict) -> AttackVerdict:
    return AttackVerdict(condition=facts.id, verdict=verdict, reason=f"why {verdict}" if verdict else "", checks=())


def _calibrated(condition: str, method: str, value: float | None) -> CalibratedStability:
    """On a scale whose floor is 0."""
    given = _estimate(value, UNIT)
    if value is not None and value <= 0:
        given = given.model_copy(update={"value": None, "low": None, "high": None, "reason": AT_FLOOR})
    return CalibratedStability(
        condition=condition, method=method, similarity=value, floor=0.0, ceiling=1.0, estimate=given
    )


def _contrast(first: CalibratedStability, second: CalibratedStability) -> Estimate:
    return _estimate((first.estimate.value or 0) - (second.estimate.value or 0), f"difference of {UNIT}")


def _quality(method: str, value: float) -> Quality:
    return Quality(method=method, metric="attribution_localisation", estimate=_estimate(value))


def _leads(localisation: Mapping[str, float]) -> tuple[LocalisationLead, ...]:
    best, *others = sorted((name for name in localisation if name != "random"), key=localisation.__getitem__)[::-1] or [
        ""
    ]
    return tuple(
        LocalisationLead(method=best, over=name, difference=_estimate(localisation[best] - localisation[name]))
        for name in others
    )


def _transfers(
    correlations: Correlations, conditions: tuple[ConditionFacts, ...], verdicts: Mapping[str, Verdict]
) -> Iterable[TransferTable]:
    for attack, strength in dict.fromkeys((each.name, each.strength_text) for each in conditions if each.against):
        rows = [each for each in conditions if each.strength_text == strength and each.name in {attack, "random_sign"}]
        yield TransferTable(
            attack=attack,
            title=PERTURBATIONS[attack].title,
            strength=rows[0].strength,
            strength_text=strength,
            similarity="pearson",
            images="all",
            rows=tuple(_row(each, correlations[each.id], verdicts.get(each.id, "")) for each in rows),
        )


def _row(facts: ConditionFacts, values: Mapping[str, float | None], verdict: Verdict) -> TransferRow:
    return TransferRow(
        role="attacked method" if facts.against else "control",
        condition=facts.id,
        attacked=facts.against,
        title=ATTRIBUTORS[facts.against].title if facts.against else facts.title,
        cells=tuple(_cell(method, value, method == facts.against, verdict) for method, value in values.items()),
    )


def _cell(method: str, value: float | None, white_box: bool, verdict: Verdict) -> TransferCell:
    is_compared = white_box and verdict != "attack unchecked"
    return TransferCell(
        evaluating=method,
        similarity=_estimate(value),
        white_box=white_box,
        beyond_control=_estimate(0.3) if is_compared else None,
        verdict=verdict if white_box else "",
        reason=f"why {verdict}" if white_box and verdict else "",
    )
