"""The search through a sampled method: it follows estimates, and is judged by the whole map."""

from functools import partial
from typing import Any

import pytest
import torch
from toys import demo_model, demo_samples, generators

from attacks.explanations.threat_model import objectives_of
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult
from srd.baselines.integrated_gradients import estimate, integrated_gradients
from srd.sampled import SampledAttributor
from srd.types import Attributor, Maps

N, POINTS, STEPS = 3, 4, 6
WHOLE = partial(integrated_gradients, points=POINTS)
ESTIMATE = partial(estimate, points=POINTS)


def manipulated(attributor: Attributor, name: str = "manipulate", **how: Any) -> AttackResult:
    result: AttackResult = PERTURBATIONS[name](
        demo_model("resnet"), demo_samples(N), 16 / 255, generators(N), attributor=attributor, steps=STEPS, **how
    )
    return result


class Counted:
    """An attributor that counts its calls, and how many of them were differentiated."""

    def __init__(self, attributor: Attributor) -> None:
        self.attributor, self.calls, self.differentiated = attributor, 0, 0

    def __call__(self, *args: Any, create_graph: bool = False, **options: Any) -> Maps:
        self.calls += 1
        self.differentiated += create_graph
        return self.attributor(*args, create_graph=create_graph, **options)


def test_what_it_says_it_reached_is_reached_by_whole_maps() -> None:
    samples = demo_samples(N)
    result = manipulated(SampledAttributor(WHOLE, ESTIMATE))
    objectives = objectives_of("target map", demo_model("resnet"), samples, WHOLE, None, 1.0, 1.0)
    torch.testing.assert_close(objectives.judge(result.images), result.evidence["full"], atol=1e-5, rtol=0)


def test_it_follows_estimates_and_is_judged_by_whole_maps() -> None:
    whole, estimated = Counted(WHOLE), Counted(ESTIMATE)
    manipulated(SampledAttributor(whole, estimated), restarts=1)
    assert estimated.differentiated == 9 + 1, (
        "half as many steps more, and the gradient that is compared with differences"
    )
    assert whole.differentiated == 0


def test_a_method_without_an_estimate_is_followed_itself() -> None:
    whole = Counted(WHOLE)
    manipulated(whole, restarts=1)
    assert whole.differentiated == STEPS + 1


def test_queries_are_asked_of_the_whole_method() -> None:
    estimated = Counted(ESTIMATE)
    manipulated(SampledAttributor(WHOLE, estimated), "black_box", pairs=1)
    assert estimated.calls == 0


def test_an_estimate_that_is_the_method_gains_what_more_steps_gain() -> None:
    by_itself = manipulated(SampledAttributor(WHOLE, WHOLE))
    gained = by_itself.evidence["full"] - by_itself.evidence["clean"]
    assert bool((gained > 0).all())


@pytest.mark.slow
def test_at_fewer_passes_it_finds_as_much() -> None:
    """Three quarters of the passes; 12 images, where what single images lose and gain evens out."""
    samples = demo_samples(12)
    attack = partial(PERTURBATIONS["manipulate"], demo_model("resnet"), samples, 16 / 255, steps=20)
    by_points, by_estimates = (
        attack(generators(12), attributor=attributor).evidence["full"]
        for attributor in (
            partial(integrated_gradients, points=8),
            SampledAttributor(partial(integrated_gradients, points=8), partial(estimate, points=8)),
        )
    )
    assert float((by_estimates - by_points).mean()) > 0
    assert torch.isfinite(by_estimates).all()
