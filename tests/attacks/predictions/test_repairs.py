"""Defects of torchattacks that docs/torchattacks.md lists: there in the library, mended behind the adapter."""

from typing import Any

import pytest
import torch
import torchattacks
from torch import Tensor, nn
from toys import classes, demo_model, demo_samples, generators, normal, rows, small, uniform

from attacks.predictions.repairs import most_salient_pair, repair
from attacks.registry import PERTURBATIONS
from attacks.types import Images, Model, Samples


class Shifted(nn.Module):
    """The same network, a constant added to its logits."""

    def __init__(self, network: nn.Module, constant: float) -> None:
        super().__init__()
        self.network = network
        self.constant = constant

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs) + self.constant
        return logits


def grey(images: Tensor) -> Samples:
    """Any images as a tile."""
    label = classes(len(images))
    return Samples(images, label, label, images, label)


def model_of(network: nn.Module) -> Model:
    return Model(network, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).eval()


def attacked(name: str, model: Model, samples: Samples, strength: float = 0.1, **options: Any) -> Images:
    images: Images = PERTURBATIONS[name](model, samples, strength, generators(len(samples.images)), **options)
    return images


def predicted(model: Model, samples: Samples) -> Samples:
    """The tile with the predicted classes for labels."""
    with torch.no_grad():
        label = model(samples.images).argmax(1)
    return Samples(samples.images, label, label, samples.target_images, label)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cw", {"c": 10.0, "lr": 0.1, "steps": 20}),
        ("ead_en", {"initial_const": 1.0, "binary_search_steps": 3, "max_iterations": 15}),
        ("ead_l1", {"initial_const": 1.0, "binary_search_steps": 3, "max_iterations": 15}),
        ("upgd", {"loss": "margin"}),
    ],
)
@pytest.mark.parametrize("constant", [-64.0, 64.0])
def test_a_constant_added_to_all_logits_changes_no_attack(name: str, options: dict[str, Any], constant: float) -> None:
    network, samples = demo_model("vgg").network, demo_samples(3)
    images, shifted = (
        attacked(name, model_of(net), samples, **options) for net in (network, Shifted(network, constant))
    )
    assert bool((images != samples.images).any())
    differ = float(((shifted - images).abs() > 0.01).double().mean())
    assert differ < 0.01, "more differs than pixels whose gradient is at rounding error"


def test_cw_moves_pixels_that_are_black_or_white() -> None:
    network = small().float()
    samples = predicted(model_of(network), grey(uniform(4, 3, 12, 12).float().round()))
    broken = torchattacks.CW(model_of(network), c=10, lr=0.5)(samples.images, samples.label)
    assert torch.equal(broken, samples.images)
    images = attacked("cw", model_of(network), samples, c=10.0, lr=0.5)
    assert bool((images - samples.images).flatten(1).any(1).any())


@pytest.mark.parametrize("name", ["ead_l1", "ead_en"])
def test_ead_leaves_most_pixels_of_the_clean_images_as_they_are(name: str) -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    options = {"binary_search_steps": 3, "max_iterations": 20, "initial_const": 1.0}
    library_class = PERTURBATIONS[name].library_class  # type: ignore[attr-defined]
    broken = getattr(torchattacks, library_class)(model, **options)(samples.images, samples.label)
    images = attacked(name, model, samples, **options)
    unmoved = [float((found == samples.images).float().mean()) for found in (broken, images)]
    assert unmoved[0] < 0.2
    assert unmoved[1] > 0.5


def test_the_kappa_of_ead_is_each_images_own() -> None:
    attack = torchattacks.EADL1(demo_model("vgg"), kappa=2)
    logits, labels = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 3.0]]), torch.tensor([0, 1])
    assert attack.compare(logits, labels).tolist() == [True, True]  # 2 + 0 < 2 + 1: a margin of 1 passes for one of 2
    repair(attack, {})
    assert attack.compare(logits, labels).tolist() == [False, True]
    assert attack.compare(torch.tensor([1.0, 1.0]), labels).tolist() == [True, False]


def test_images_of_apgd_t_have_steps_of_their_own_in_l2() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    together = attacked("apgd_t_l2", model, samples, 2.0, steps=5)
    alone = [PERTURBATIONS["apgd_t_l2"](model, rows(samples, [row]), 2.0, generators(1), steps=5) for row in range(3)]
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-5, rtol=0)


def test_auto_attack_has_its_published_budget() -> None:
    attack = torchattacks.AutoAttack(demo_model("vgg"), n_classes=6)
    budgets = [(part.attack, getattr(part, "steps", None)) for part in attack._autoattack.attacks]
    assert budgets == [("APGD", 10), ("APGDT", 10), ("FAB", 10), ("Square", None)]
    repair(attack, PERTURBATIONS["auto_attack"].options)
    assert [getattr(part, "steps", None) for part in attack._autoattack.attacks] == [100, 100, 100, None]


def test_the_points_of_greatest_loss_come_back_from_apgd_whether_it_succeeds_or_not() -> None:
    model, samples = demo_model("vgg"), demo_samples(6)
    broken = torchattacks.APGD(model, eps=1 / 255)(samples.images, samples.label)
    assert bool((broken == samples.images).flatten(1).all(1).any())
    moved = (attacked("apgd_ce", model, samples, 1 / 255) - samples.images).abs().amax((1, 2, 3))
    torch.testing.assert_close(moved, torch.full((6,), 1 / 255), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(12, 30), (30, 12)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("square", {}),
        ("pixle", {}),
        ("pixle", {"pixel_mapping": "similarity", "restarts": 1}),
        ("pixle", {"update_each_iteration": True}),
    ],
)
def test_images_need_not_be_square(name: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    model = model_of(small().float())
    samples = predicted(model, grey(uniform(3, 3, *size).float()))
    before = model(samples.images).gather(1, samples.label[:, None])
    images = attacked(name, model, samples, 0.3, **options)
    assert images.shape == samples.images.shape
    assert bool((model(images).gather(1, samples.label[:, None]) < before).any())


@pytest.mark.parametrize("increasing", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_the_most_salient_pair_is_that_of_all_pairs(increasing: bool, seed: int) -> None:
    jacobian, allowed = normal(5, 23, seed=seed), uniform(23, seed=seed) > 0.3
    target = torch.tensor([seed % 5])
    sign = 1 if increasing else -1
    best, pair = 0.0, (-1, -1)
    for p in range(23):
        for q in range(p):
            own = sign * float(jacobian[target, p] + jacobian[target, q])
            rest = sign * float(jacobian[:, [p, q]].sum()) - own
            if allowed[p] and allowed[q] and own > 0 > rest and own * -rest > best:
                best, pair = own * -rest, (q, p)
    found = most_salient_pair(jacobian, target, increasing, allowed, 23)
    assert sorted(map(int, found)) == [*pair]
    if increasing:
        attack = torchattacks.JSMA(demo_model("vgg"))
        theirs = attack.saliency_map(jacobian, target, True, allowed, 23)
        assert sorted(map(int, theirs)) == [*pair]


def test_jsma_aims_at_the_most_likely_class_but_the_label() -> None:
    model = model_of(small().float())
    samples = predicted(model, grey(uniform(4, 3, 12, 12).float()))
    runner_up = model(samples.images).topk(2).indices[:, 1]
    images = attacked("jsma", model, samples, gamma=0.3)
    reached = model(images).argmax(1)
    assert bool((reached != samples.label).any())
    assert bool(((reached == runner_up) | (reached == samples.label)).all())


def test_pi_fgsm_plus_plus_smooths_all_channels_alike() -> None:
    attack = torchattacks.PIFGSMPP(demo_model("vgg"))
    assert not torch.equal(attack.gaussian_kern(3, 3)[0], attack.gaussian_kern(3, 3)[1])
    repair(attack, {})
    kernel = attack.gaussian_kern(3, 3)
    assert kernel.shape == (3, 1, 3, 3)
    bell = torch.exp(-0.5 * torch.tensor([-3.0, 0.0, 3.0]) ** 2)
    expected = torch.outer(bell, bell) / bell.sum() ** 2
    torch.testing.assert_close(kernel, expected.expand(3, 1, 3, 3))


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_the_noise_of_smoothing_has_its_right_name(noise: str) -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    images = attacked("pgdrs", model, samples, noise_type=noise, noise_sd=0.1, steps=2)
    assert not torch.equal(images, samples.images)
