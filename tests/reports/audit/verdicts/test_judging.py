"""A method's verdict is the worst of its criteria, the audit's the worst of its methods; each says by what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from attacks.registry import PERTURBATIONS
from reports.audit.facts import ConditionFacts
from reports.audit.reliability import AttackVerdict
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.evidence import BASE, Evidence, Setting, names_of_conditions
from reports.audit.verdicts.failures import failure_reason
from reports.audit.verdicts.judging import MethodVerdict, judge_methods, worst_first, worst_outcome
from reports.audit.verdicts.multiverse import declared_settings, explore
from reports.audit.verdicts.reasons import IN_WORDS, Reason, precedence
from reports.audit.verdicts.samples import Sample
from reports.audit.verdicts.section import judge_audit

N = 40


def condition(text: str) -> ConditionFacts:
    """Return a condition such as `manipulate:srd@8/255`."""
    name, _, strength = text.partition("@")
    name, _, against = name.partition(":")
    family, (top, _, bottom) = PERTURBATIONS[name].family, strength.partition("/")
    return ConditionFacts.model_construct(
        id=text, name=name, family=family, against=against, strength=float(top) / float(bottom or 1),
        strength_text=strength,
    )  # fmt: skip


def criterion(**keys: Any) -> Criterion:
    return Criterion(**{"metric": "own_image", "condition": "noise", "at_least": 0.9, "why": "a test", **keys})


@dataclass(frozen=True)
class Made(Evidence):
    """Evidence of 40 images, of which so many hit: condition and method -> number of hits, all by default."""

    hits: Mapping[tuple[str, str], int] = field(default_factory=dict)
    by_setting: Mapping[Setting, int] = field(default_factory=dict)

    def sample(self, criterion: Criterion, condition: str, method: str, setting: Setting) -> Sample:
        count = self.by_setting.get(setting, self.hits.get((condition, method), N))
        return Sample(np.array([1.0] * count + [0.0] * (N - count)))

    def is_repeatable(self, method: str) -> bool:
        return True


CONDITIONS = ("gaussian_noise@0.05", "gaussian_noise@0.1", "random_sign@4/255", "manipulate:srd@4/255",
              "manipulate:srd@8/255", "top_k:srd@8/255", "manipulate:saliency@8/255",
              "flip_and_keep:grad_cam@8/255", "pgd@8/255")  # fmt: skip


def made(hits: Mapping[tuple[str, str], int] | None = None, unreliable: tuple[str, ...] = (), **keys: Any) -> Made:
    conditions = tuple(condition(name) for name in CONDITIONS)
    verdicts = tuple(
        AttackVerdict.model_construct(
            condition=each.id, verdict="attack unreliable" if each.id in unreliable else "", checks=()
        )
        for each in conditions
        if each.against
    )
    qualities = SimpleNamespace(names=(), fills=(), redraws=())
    readings: Any = SimpleNamespace(similarities=("pearson", "ssim"), qualities=qualities)
    return Made(readings, (), conditions, verdicts, hits or {}, **keys)


@pytest.mark.parametrize(
    ("asked", "method", "expected"),
    [
        ({}, "srd", ["gaussian_noise@0.1", "random_sign@4/255"]),
        ({"strength": "0.05"}, "srd", ["gaussian_noise@0.05"]),
        ({"condition": "clean"}, "srd", ["clean"]),
        ({"condition": "attacks"}, "srd", ["manipulate:srd@8/255", "top_k:srd@8/255"]),
        ({"condition": "attacks", "strength": "4/255"}, "srd", ["manipulate:srd@4/255"]),
        ({"condition": "attacks", "strength": "1/255"}, "srd", Reason.NOT_MEASURED),
        ({"condition": "attacks"}, "grad_cam", Reason.NOT_ATTACKED),
        ({"condition": "pgd"}, "grad_cam", ["pgd@8/255"]),
        ({"condition": "gaussian_noise@0.05"}, "srd", ["gaussian_noise@0.05"]),
        ({"condition": "flip_and_keep"}, "grad_cam", ["flip_and_keep:grad_cam@8/255"]),
        ({"condition": "rotation"}, "srd", Reason.NOT_MEASURED),
        ({"condition": "flip_and_keep"}, "srd", Reason.NOT_ATTACKED),
        ({"metric": "srg_above_edges", "condition": "clean"}, "srd", Reason.NOT_MEASURED),
    ],
)
def test_a_criterion_means_conditions(asked: dict[str, Any], method: str, expected: object) -> None:
    assert made().select(criterion(**asked), method) == expected


def test_attacks_that_are_not_reliable_do_not_decide() -> None:
    attacks = criterion(condition="attacks")
    assert made(unreliable=("top_k:srd@8/255",)).select(attacks, "srd") == ["manipulate:srd@8/255"]
    assert made(unreliable=("manipulate:saliency@8/255",)).select(attacks, "saliency") == Reason.NO_RELIABLE_ATTACK
    unreliable = ("top_k:srd@8/255", "manipulate:srd@8/255")
    assert made(unreliable=unreliable).select(attacks, "srd") == Reason.NO_RELIABLE_ATTACK


def test_names_of_conditions_have_their_strengths() -> None:
    names = names_of_conditions(made().conditions)
    assert names["noise"] == {"0.05", "0.1", "4/255"}
    assert names["attacks"] == {"4/255", "8/255"}
    assert names["flip_and_keep"] == {"8/255"}
    assert names["clean"] == set()
    assert "corruption" not in names


def judged(evidence: Evidence, *criteria: Criterion, method: str = "srd") -> MethodVerdict:
    (verdict,) = judge_methods(evidence, criteria, [method])
    return verdict


def test_one_condition_that_fails_fails_the_criterion() -> None:
    """Under attack means under every attack: 40 of 40 under one do not make up for 20 of 40 under the other."""
    evidence = made({("top_k:srd@8/255", "srd"): 20})
    verdict = judged(evidence, criterion(), criterion(condition="attacks"))
    assert (verdict.outcome, verdict.reason, verdict.decided_by) == ("FAIL", Reason.MOVED_BY_ATTACK, 1)
    assert verdict.deciding.decided_by.condition == "top_k:srd@8/255"
    assert [each.outcome for each in verdict.deciding.decisions] == ["PASS", "FAIL"]


@pytest.mark.parametrize(
    ("hits", "outcome", "reason"),
    [(40, "PASS", Reason.MET), (37, "INCONCLUSIVE", Reason.UNDECIDED), (30, "FAIL", Reason.MOVED_BY_NOISE)],
)
def test_the_worst_criterion_decides(hits: int, outcome: Outcome, reason: Reason) -> None:
    evidence = made({("random_sign@4/255", "srd"): hits})
    verdict = judged(evidence, criterion(condition="clean"), criterion())
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_a_failure_outweighs_what_was_not_measured() -> None:
    open_ = criterion(metric="srg_above_edges", condition="clean", at_least=0.0)
    assert judged(made(), criterion(), open_).reason == Reason.NOT_MEASURED
    assert judged(made({("gaussian_noise@0.1", "srd"): 3}), open_, criterion()).outcome == "FAIL"


def test_a_criterion_of_one_method_judges_no_other() -> None:
    verdicts = judge_methods(made(), [criterion(method="saliency")], ["srd", "saliency"])
    assert [each.method for each in verdicts] == ["saliency"]


def test_the_audit_has_the_verdict_of_its_worst_method() -> None:
    evidence = made({("gaussian_noise@0.1", "srd"): 37, ("gaussian_noise@0.1", "random"): 0})
    verdicts = judge_methods(evidence, [criterion()], ["srd", "saliency", "random"])
    audit = judge_audit(verdicts)
    assert audit is not None
    assert (audit.outcome, audit.methods, audit.worst) == ("INCONCLUSIVE", ("srd", "saliency"), ("srd",))
    named = judge_audit(verdicts, ["random", "saliency"])
    assert named is not None
    assert (named.outcome, named.worst) == ("FAIL", ("random",))
    assert judge_audit([each for each in verdicts if each.method == "random"]) is None
    assert [each.method for each in worst_first(verdicts)] == ["random", "srd", "saliency"]
    assert worst_outcome(verdicts) == "FAIL"


def sample(misses: int, undefined: int = 0, ties: int = 0) -> Sample:
    return Sample(np.zeros(misses), undefined={"constant": undefined}, ties=ties)


@pytest.mark.parametrize(
    ("metric", "misses", "family", "is_repeatable", "reason"),
    [
        ("own_image", sample(10, undefined=6), "noise", False, Reason.UNDEFINED_MAPS),
        ("own_class", sample(10, undefined=6), "noise", True, Reason.UNDEFINED_MAPS),
        ("own_image", sample(10, ties=10), "noise", True, Reason.IGNORES_IMAGE),
        ("own_image", sample(10, ties=10), "noise", False, Reason.IGNORES_IMAGE),
        ("own_image", sample(10, ties=3), "noise", True, Reason.MOVED_BY_NOISE),
        ("own_image", sample(10, ties=3), "attack on the explanation", True, Reason.MOVED_BY_ATTACK),
        ("own_image", sample(10, ties=3), "attack on the prediction", True, Reason.MOVED_BY_ATTACK),
        ("own_image", sample(10), "geometric change", True, Reason.BOUND_MISSED),
        ("own_image", sample(10), "noise", False, Reason.NOT_REPEATABLE),
        ("own_class", sample(10, ties=8), "noise", True, Reason.IGNORES_CLASS),
        ("own_class", sample(10, ties=8), "clean", False, Reason.IGNORES_CLASS),
        ("own_class", sample(10), "noise", False, Reason.NOT_REPEATABLE),
        ("own_class", sample(10), "clean", True, Reason.LOSES_CLASS),
        ("srg_above_edges", Sample(-np.ones(9)), "clean", True, Reason.NOT_FAITHFUL),
        ("weights_similarity", Sample(np.ones(9)), "clean", True, Reason.IGNORES_NETWORK),
        ("pearson", Sample(np.ones(9)), "noise", True, Reason.BOUND_MISSED),
    ],
)
def test_each_kind_of_failing_explainer_has_its_reason(
    metric: str, misses: Sample, family: str, is_repeatable: bool, reason: Reason
) -> None:
    condition = "clean" if metric.startswith(("srg_", "weights_")) else "noise"
    asked = criterion(metric=metric, condition=condition, at_least=0.5)
    assert failure_reason(asked, misses, family, is_repeatable) == reason


@pytest.mark.parametrize("metric", ["own_image", "own_class", "kept_under_flip"])
def test_ties_explain_no_rate_that_is_too_large(metric: str) -> None:
    """Of at most 10 %, ones are the misses: 30 of 40, with 10 ties that are no misses."""
    asked = criterion(metric=metric, at_least=None, at_most=0.1)
    hits = np.array([1.0] * 30 + [0.0] * 10)
    assert failure_reason(asked, Sample(hits, ties=10), "noise", True) == Reason.BOUND_MISSED
    assert failure_reason(asked, Sample(hits, undefined={"constant": 16}), "noise", True) == Reason.UNDEFINED_MAPS


def test_every_reason_has_words_and_a_place() -> None:
    assert IN_WORDS.keys() == set(Reason)
    assert precedence(Reason.UNDEFINED_MAPS) < precedence(Reason.MOVED_BY_ATTACK) < precedence(Reason.MET)


def test_the_multiverse_counts_settings_and_names_what_turns_a_verdict() -> None:
    settings = declared_settings(("pearson", "ssim", "top_k_intersection"), ())
    assert len(settings) == 2 * 2 * 3
    assert settings[0] == BASE
    turned = {each: 10 for each in settings if each.similarity == "ssim"}
    evidence = made(by_setting=turned)
    found = explore(evidence, [criterion()], judge_methods(evidence, [criterion()], ["srd"]))["srd"]
    assert (found.agreeing, found.settings) == (6, 12)
    assert found.is_fragile
    assert found.turned_by == ("likeness of maps by SSIM: FAIL",)


def test_fewer_misses_allowed_turn_a_close_verdict() -> None:
    """40 of 40 exclude a rate of 0.9 (0.9^40 < 0.05), but not one of 0.93."""
    evidence = made(by_setting={})
    asked = criterion(at_least=0.92)
    found = explore(evidence, [asked], judge_methods(evidence, [asked], ["srd"]))["srd"]
    assert found.turned_by == ("0.8 times the misses allowed: INCONCLUSIVE",)
    assert (found.agreeing, found.settings) == (8, 12)
