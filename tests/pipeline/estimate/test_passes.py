"""The work that tasks are expected to take: what entries say of their cost, counted out by hand."""

import pytest

from pipeline.estimate.passes import BACKWARD, CHANNELS, EVIDENCE, ExpectedWork
from pipeline.plan.conditions import conditions
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import parse_spec

SIZES = {
    "image": 4, "perturbation": 5, "method": 3, "y": 10, "x": 20, "depth": 6, "order": 2, "step": 11, "subset": 50,
    "control": 2, "fill": 3, "ranking": 2,
}  # fmt: skip
GRADIENT = 1 + BACKWARD


@pytest.fixture
def work() -> ExpectedWork:
    spec = parse_spec(
        {
            "model": {"spec": "demo:vgg"},
            "data": {"path": "demo:shapes"},
            "explain": {
                "methods": ["saliency", "integrated_gradients", "random"],
                "options": {"integrated_gradients": {"points": 8}},
            },
            "perturbation": [
                {"name": "gaussian_noise", "strengths": [0.1]},
                {"name": "pgd", "strengths": ["8/255"], "options": {"steps": 7}},
                {"name": "manipulate", "strengths": ["8/255"], "options": {"steps": 20, "restarts": 3}},
            ],
        },
        "spec",
    )
    return ExpectedWork(spec, Plan(SIZES, 2, has_masks=False), conditions(spec))


def test_a_map_takes_what_its_entry_says(work: ExpectedWork) -> None:
    assert work.of_map("saliency") == GRADIENT
    assert work.of_map("integrated_gradients") == 8 * GRADIENT
    assert work.of_map("smooth_grad") == 16 * GRADIENT, "its default"
    assert work.of_map("score_cam") == GRADIENT + CHANNELS
    assert work.of_map("deep_lift") == 2 + 2 * BACKWARD
    assert work.of_map("random") == 0


def test_a_perturbation_takes_its_budget(work: ExpectedWork) -> None:
    clean, noise, pgd, through_saliency, through_points = (work.passes(("perturb", column)) for column in range(5))
    assert clean == noise == 1
    assert pgd == 7 * GRADIENT
    assert through_saliency == GRADIENT * (4 * 20 * 2 + EVIDENCE), "of three restarts two are expected to be given up"
    assert through_points == 8 * through_saliency


def test_maps_and_questions_are_counted(work: ExpectedWork) -> None:
    assert work.passes(("attribute", 1)) == 8 * GRADIENT * (5 + 1)
    assert work.passes(("randomise", 0)) == 6 * GRADIENT
    assert work.passes(("occlude", 0)) == 50 + 2 * 3 * 2 * 10
    assert work.passes(("remove", 0)) == (3 + 1 * 2) * 2 * 10, "one condition attacks Saliency"
    assert work.passes(("remove", 2)) == 3 * 2 * 10
    assert work.passes(("score", 0)) == 0 < work.seconds(("score", 0))
