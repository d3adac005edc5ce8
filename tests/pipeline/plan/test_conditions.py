"""Laws of the perturbation axis: clean first, then the spec's order; ids say what was done."""

from typing import Any

import pytest

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN, Threat, conditions, threat
from pipeline.spec.audit import AuditSpec, parse_spec
from srd.registry import ATTRIBUTORS

METHODS = ["saliency", "random", "srd", "edges"]


def spec_of(*perturbations: dict[str, Any]) -> AuditSpec:
    table = {
        "model": {"spec": "demo:vgg"},
        "data": {"path": "demo:shapes"},
        "explain": {"methods": METHODS},
        "perturbation": list(perturbations),
    }
    return parse_spec(table, "spec")


def ids(*perturbations: dict[str, Any]) -> list[str]:
    return [condition.id for condition in conditions(spec_of(*perturbations))]


def test_without_perturbations_there_is_the_clean_entry() -> None:
    assert ids() == [CLEAN]


def test_entries_follow_the_spec_and_ids_keep_its_words() -> None:
    pgd = {"name": "pgd", "strengths": ["8/255", 0.05], "options": {"steps": 3}}
    noise = {"name": "gaussian_noise", "strengths": [0.1]}
    assert ids(pgd, noise) == [CLEAN, "pgd@8/255", "pgd@0.05", "gaussian_noise@0.1"]
    assert ids(noise, pgd) == [CLEAN, "gaussian_noise@0.1", "pgd@8/255", "pgd@0.05"]


def test_each_draw_of_a_random_change_is_an_entry_of_one_group() -> None:
    noise = {"name": "gaussian_noise", "strengths": [0.1, 0.2], "draws": 3}
    shift, pgd = {"name": "shift", "strengths": [0.1], "draws": 2}, {"name": "pgd", "strengths": ["8/255"]}
    made = conditions(spec_of(noise, shift, pgd))
    groups = ["gaussian_noise@0.1"] * 3 + ["gaussian_noise@0.2"] * 3 + ["shift@0.1"] * 2
    draws = [1, 2, 3, 1, 2, 3, 1, 2]
    assert [c.id for c in made] == [
        CLEAN, *(f"{group}#{draw}" for group, draw in zip(groups, draws, strict=True)), "pgd@8/255"
    ]  # fmt: skip
    assert [c.group for c in made] == [CLEAN, *groups, "pgd@8/255"]
    assert [c.draw for c in made] == [0, *draws, 0]


@pytest.mark.parametrize("name", ["gaussian_noise", "rotation", "imagenet_c_snow"])
def test_one_draw_is_the_entry_that_it_is_without_the_key(name: str) -> None:
    plain = {"name": name, "strengths": [1]}
    assert conditions(spec_of(plain | {"draws": 1})) == conditions(spec_of(plain))


def test_an_attack_on_explanations_has_an_entry_for_each_method_with_a_gradient() -> None:
    attack = {"name": "manipulate", "strengths": ["4/255", "8/255"]}
    expected = [f"manipulate:{method}@{eps}" for method in ("saliency", "srd") for eps in ("4/255", "8/255")]
    assert ids(attack) == [CLEAN, *expected]
    assert {c.against for c in conditions(spec_of(attack))[1:]} == {m for m in METHODS if ATTRIBUTORS[m].differentiable}


def test_against_chooses_and_orders_the_attacked_methods() -> None:
    attack = {"name": "manipulate", "strengths": [0.1], "against": ["srd"]}
    assert ids(attack) == [CLEAN, "manipulate:srd@0.1"]


def test_an_entry_has_the_facts_of_its_perturbation() -> None:
    clean, pgd, noise = conditions(
        spec_of(
            {"name": "pgd", "strengths": ["8/255"], "options": {"steps": 3}},
            {"name": "gaussian_noise", "strengths": [0.1]},
        )
    )
    assert (clean.name, clean.family, clean.strength, clean.norm, clean.against) == (CLEAN, CLEAN, 0.0, "", "")
    assert (pgd.name, pgd.family, pgd.strength, pgd.norm) == ("pgd", "attack on the prediction", 8 / 255, "L-inf")
    assert pgd.options == {"steps": 3}
    assert (noise.norm, noise.options) == ("", {})


def test_a_threat_is_what_the_registry_says_with_what_the_spec_lets_it_spend() -> None:
    _, attack, noise, flip = conditions(
        spec_of(
            {"name": "manipulate", "strengths": ["8/255"], "against": ["srd"], "options": {"steps": 7}},
            {"name": "gaussian_noise", "strengths": [0.1]},
            {"name": "horizontal_flip"},
        )
    )
    entry = PERTURBATIONS["manipulate"]
    restarts = entry.options["restarts"]
    spent = {"steps": 7, "restarts": restarts}
    assert threat(attack) == Threat(entry.goal, "L-inf <= epsilon", "white box", spent, 8 / 255)
    goals = PERTURBATIONS["gaussian_noise"].goal, PERTURBATIONS["horizontal_flip"].goal
    assert threat(noise) == Threat(goals[0], "sigma", "none", {}, 0.1)
    assert threat(flip) == Threat(goals[1], "none", "none", {}, 0.0)
