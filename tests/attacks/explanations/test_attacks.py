"""Attacks on explanations: what they gain, what they keep, and that they beat what is not aimed at the explanation."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import (
    demo_model,
    demo_network,
    demo_samples,
    demo_transformer,
    generators,
    left_as_found,
    rows,
    small,
    uniform,
)

from attacks.entries import EVIDENCE, L2_EPSILON, PerturbationEntry
from attacks.explanations.threat_model import objectives_of
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Images, Model, Samples
from pipeline.demo.networks import MEAN, STD
from srd.baselines.saliency import saliency
from srd.entries import AttributorEntry
from srd.errors import PerturbationError
from srd.registry import ATTRIBUTORS
from srd.types import Attributor, Generators, Inputs, Maps, Scores, Target

N = 3
ON_EXPLANATIONS = [entry for entry in PERTURBATIONS.values() if entry.attacks_attributor]
WHITE_BOX = [entry for entry in ON_EXPLANATIONS if entry.access == "white box" and not entry.is_universal]
FLIPS = [entry for entry in WHITE_BOX if entry.keeps_map]
KEEPS = [entry for entry in WHITE_BOX if not entry.keeps_map]


def name(entry: PerturbationEntry | AttributorEntry) -> str:
    return entry.name


def found(
    entry: PerturbationEntry, attributor: Attributor, strength: float = 0.0, samples: Samples | None = None, **how: Any
) -> AttackResult:
    """On the demo's residual network, at a moderate strength unless told."""
    samples = demo_samples(N) if samples is None else samples
    chosen = strength or (1.0 if entry.strength is L2_EPSILON else 16 / 255)
    n = len(samples.images)
    result: AttackResult = entry(demo_model("resnet"), samples, chosen, generators(n), attributor=attributor, **how)
    return result


def achieved(entry: PerturbationEntry, attributor: Attributor, images: Images, samples: Samples) -> Scores:
    """The goal at the images, as the attack understands it."""
    drawn = generators(len(images))
    attack = objectives_of(entry.fixed["aim"], demo_model("resnet"), samples, attributor, drawn, 1.0, 1.0)
    return attack.goal(attack.explainer.maps(images))


def answers(images: Images) -> Tensor:
    with torch.no_grad():
        logits: Tensor = demo_model("resnet")(images)
    return logits


@pytest.mark.parametrize(
    "method", ["saliency", *(pytest.param(name, marks=pytest.mark.slow) for name in ("grad_cam", "srd"))]
)
@pytest.mark.parametrize("entry", KEEPS, ids=name)
def test_it_gains_more_than_what_is_not_aimed_and_keeps_the_prediction(entry: PerturbationEntry, method: str) -> None:
    samples, attributor = demo_samples(2), ATTRIBUTORS[method].load()
    result = found(entry, attributor, samples=samples, steps=4)
    told = result.evidence
    torch.testing.assert_close(achieved(entry, attributor, result.images, samples), told["full"], atol=1e-4, rtol=0)
    assert bool((told["full"] >= told["clean"]).all())
    for control in ("clean", "random_point", "random_step"):
        assert float(told["full"].mean()) > float(told[control].mean()) + 0.005, control
    assert torch.equal(answers(result.images).argmax(1), answers(samples.images).argmax(1))
    assert float(told["gradient_error"].max()) < 1e-4


@pytest.mark.parametrize("entry", FLIPS, ids=name)
def test_flip_and_keep_changes_the_prediction_exactly_where_it_says_so(entry: PerturbationEntry) -> None:
    samples = demo_samples(6)
    strength = 4.0 if entry.strength is L2_EPSILON else 48 / 255
    result = found(entry, ATTRIBUTORS["grad_cam"].load(), strength, samples, steps=12)
    flipped = answers(result.images).argmax(1) != answers(samples.images).argmax(1)
    assert torch.equal(result.evidence["full"].isfinite(), flipped)
    assert bool(flipped.any())
    assert torch.equal((result.images != samples.images).flatten(1).any(1), flipped)
    pgd = result.evidence["pgd"][flipped & result.evidence["pgd"].isfinite()]
    assert float(result.evidence["full"][flipped].mean()) > float(pgd.mean()) if len(pgd) else True


@pytest.mark.parametrize("entry", [entry for entry in ON_EXPLANATIONS if not entry.is_universal], ids=name)
def test_all_evidence_is_told_for_every_image(entry: PerturbationEntry) -> None:
    tried = {"softplus", "exact", "gradient_error"}
    quick: dict[str, Any] = {"pairs": 2} if "pairs" in entry.budget else {}
    told = found(entry, saliency, steps=2, **quick).evidence
    assert list(told) == list(EVIDENCE)
    assert all(values.shape == (N,) for values in told.values())
    untold = {key for key, values in told.items() if bool(values.isnan().any())}
    assert untold == (set() if entry.needs_gradient else tried)


@pytest.mark.slow
def test_more_steps_restarts_and_a_larger_ball_make_it_stronger() -> None:
    def strength(epsilon: float, **budget: Any) -> float:
        return float(found(MANIPULATE, saliency, epsilon, **budget).evidence["full"].mean())

    weak = strength(4 / 255, steps=4, restarts=1)
    assert weak < strength(4 / 255, steps=16, restarts=1)
    assert weak < strength(16 / 255, steps=4, restarts=1)
    assert weak <= strength(4 / 255, steps=4, restarts=3)


MANIPULATE = PERTURBATIONS["manipulate"]


@pytest.mark.parametrize("tolerance", [pytest.param(0.01, marks=pytest.mark.slow), 0.2])
def test_no_probability_leaves_the_tolerance(tolerance: float) -> None:
    samples = demo_samples(6, start=6)
    clean = answers(samples.images).softmax(1)
    result = found(MANIPULATE, saliency, 32 / 255, samples, steps=10, keep=0.0, tolerance=tolerance)
    free = found(MANIPULATE, saliency, 32 / 255, samples, steps=10, keep=0.0)
    changes = [(answers(images).softmax(1) - clean).abs().max() for images in (result.images, free.images)]
    assert float(changes[0]) <= tolerance + 1e-5
    assert bool((result.images != samples.images).any())
    assert bool((result.evidence["full"] <= free.evidence["full"] + 1e-6).all())


@pytest.mark.parametrize("attack", ["manipulate", "manipulate_l2", "black_box"])
def test_images_in_eight_bits_survive_rounding(attack: str) -> None:
    samples, entry = demo_samples(N), PERTURBATIONS[attack]
    strength = 8.0 if entry.strength is L2_EPSILON else 8.5 / 255
    result = found(entry, saliency, strength, steps=3, eight_bits=True)
    read = (255 * result.images).round().to(torch.uint8).float() / 255
    torch.testing.assert_close(result.images, read, atol=2e-7, rtol=0)
    assert bool((result.images != samples.images).any())
    assert float((result.images - samples.images).abs().max()) < (
        strength if entry.strength is L2_EPSILON else 8.01 / 255
    )
    torch.testing.assert_close(achieved(entry, saliency, read, samples), result.evidence["full"], atol=1e-3, rtol=0)


def told(entry: AttributorEntry, model: Model) -> Attributor:
    """The method with few passes, and with what an audit tells it of model and data."""
    facts = {"baseline": model.black, "background": model.normalise(demo_samples(5, start=20).images)}
    quick = {"points": 2, "samples": 2}
    options = {name: value for name, value in quick.items() if name in entry.options}
    return partial(entry.load(), **options, **{name: facts[name] for name in entry.needs if name in facts})


@pytest.mark.parametrize("entry", [e for e in ATTRIBUTORS.values() if e.differentiable], ids=name)
def test_every_differentiable_method_can_be_attacked(entry: AttributorEntry) -> None:
    network = demo_transformer(0) if entry.networks == "transformers" else demo_network("resnet")
    model, samples = Model(network, MEAN, STD).eval(), demo_samples(2)
    with left_as_found(model, samples.images, samples.target_images):
        result = MANIPULATE(model, samples, 16 / 255, generators(2), attributor=told(entry, model), steps=3)
    assert float(result.evidence["gradient_error"].max()) < 1e-4
    assert float(result.evidence["full"].mean()) > float(result.evidence["clean"].mean()) + 0.005
    with torch.no_grad():
        assert torch.equal(model(result.images).argmax(1), model(samples.images).argmax(1))


def test_the_streams_of_a_row_are_its_own() -> None:
    model = Model(small(), (0.5,), (0.25,)).double().eval()
    target = torch.tensor([0, 2, 3])
    samples = Samples(uniform(N, 3, 9, 9), target, target, uniform(N, 3, 9, 9, seed=1), target.roll(1))
    attributor = partial(ATTRIBUTORS["smooth_grad"].load(), samples=2)
    attack = partial(MANIPULATE, model, strength=8 / 255, attributor=attributor, steps=3)
    together = attack(samples=samples, generators=generators(N))
    for row in range(N):
        alone = attack(samples=rows(samples, [row]), generators=generators(N)[row : row + 1])
        torch.testing.assert_close(alone.images[0], together.images[row], atol=1e-9, rtol=0)
    assert not torch.equal(together.images, samples.images)
    other = attack(samples=samples, generators=generators(N, 1))
    assert not torch.equal(other.images, together.images)


def test_hiding_needs_to_know_where_the_object_is() -> None:
    with pytest.raises(PerturbationError, match="hiding the object needs its mask"):
        found(PERTURBATIONS["hide"], saliency, samples=replace(demo_samples(N), masks=None))


# Questions alone.


def guarded(attributor: Attributor) -> Attributor:
    """Refuses to be differentiated."""

    def asked(
        network: nn.Module,
        inputs: Inputs,
        target: Target,
        generators: Generators | None = None,
        *,
        create_graph: bool = False,
    ) -> Maps:
        assert not create_graph
        assert not inputs.requires_grad
        return attributor(network, inputs, target, generators)

    return asked


@pytest.mark.slow
@pytest.mark.parametrize(("method", "options"), [("rise", {"masks": 16}), ("score_cam", {}), ("saliency", {})])
def test_a_black_box_attack_asks_for_maps_alone(method: str, options: dict[str, Any]) -> None:
    attributor = guarded(partial(ATTRIBUTORS[method].load(), **options))
    model, samples = demo_model("resnet"), demo_samples(2)
    with left_as_found(model, samples.images):
        result = found(PERTURBATIONS["black_box"], attributor, samples=samples, steps=2, pairs=2)
    told = result.evidence
    if not ATTRIBUTORS[method].stochastic:  # else the clean map is drawn anew
        assert bool((told["full"] >= told["clean"]).all())
    assert bool(told["gradient_error"].isnan().all())
    assert torch.equal(answers(result.images).argmax(1), answers(samples.images).argmax(1))


@pytest.mark.slow
def test_questions_find_what_random_signs_do_not_and_more_of_them_find_more() -> None:
    entry = PERTURBATIONS["black_box"]
    few, many = (found(entry, guarded(saliency), steps=6, pairs=pairs).evidence for pairs in (2, 15))
    assert float(many["full"].mean()) > float(few["full"].mean())
    assert float(many["full"].mean()) > float(many["random_step"].mean()) + 0.005


def test_a_black_box_attack_asks_as_often_as_it_says() -> None:
    asked: list[int] = []

    def counted(network: nn.Module, inputs: Inputs, *others: Any, **more: Any) -> Maps:
        asked.append(len(inputs))
        return saliency(network, inputs, *others, **more)

    def questions(steps: int, pairs: int) -> int:
        asked.clear()
        found(PERTURBATIONS["black_box"], counted, steps=steps, pairs=pairs)
        return sum(asked) // N

    assert questions(5, 5) - questions(1, 5) == 4 * (2 * 5) + 4 // 2
    assert questions(2, 7) - questions(2, 5) == 2 * 2 * 2
