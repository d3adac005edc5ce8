"""The laws of the methods: they hold on networks that are seen, and tell of networks that are not."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import classes, demo_inputs, demo_network, generators, normal, shaken, small

from srd import laws
from srd.entries import AttributorEntry
from srd.errors import InputError
from srd.laws import Balance, check_law
from srd.precision import PRODUCTS, Precision
from srd.registry import ATTRIBUTORS

LAWFUL = [entry for entry in ATTRIBUTORS.values() if entry.law]
CONSERVING = [entry for entry in LAWFUL if entry.law == "conservation"]
every_lawful = pytest.mark.parametrize("entry", LAWFUL, ids=lambda entry: entry.name)
every_conserving = pytest.mark.parametrize("entry", CONSERVING, ids=lambda entry: entry.name)
BACKGROUND = normal(5, 3, 9, 8, seed=3)


def check(entry: AttributorEntry, network: nn.Module, x: Tensor, target: Any, **options: Any) -> Balance:
    given: dict[str, Any] = {"background": BACKGROUND} if entry.name == "expected_gradients" else {}
    return check_law(entry, network, x, target, generators(len(x)), **given, **options)


def normed() -> nn.Module:
    """Norms, padding by a constant, activations of other kinds, max pooling: all that may lose relevance."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [
            *(nn.Conv2d(3, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.SiLU(), nn.ConstantPad2d(1, 0.5)),
            *(nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(), nn.BatchNorm2d(6), nn.MaxPool2d(2, 1), nn.Conv2d(6, 5, 3)),
            *(nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 5), nn.LeakyReLU(), nn.Linear(5, 4)),
        ]
        return shaken(nn.Sequential(*layers)).double()


@every_lawful
def test_the_law_holds_in_the_networks_of_the_demo(entry: AttributorEntry) -> None:
    x, target = demo_inputs(3)
    options: dict[str, Any] = {"background": x.flip(0)} if entry.name == "expected_gradients" else {}
    for name in ("vgg", "resnet"):
        assert bool(check_law(entry, demo_network(name), x, target, generators(3), **options).holds.all())


@every_conserving
@pytest.mark.parametrize("network", [small(), normed()], ids=["small", "normed"])
def test_nothing_is_lost_uncounted(entry: AttributorEntry, network: nn.Module) -> None:
    balance = check(entry, network, normal(3, 3, 9, 8), classes(3))
    assert float(balance.gap.max()) <= 1e-12
    assert float(balance.size.min()) > 0


@pytest.mark.parametrize("name", ["lrp_epsilon_plus", "lrp_z_plus"])
def test_lrp_starts_with_one_and_counts_what_it_loses(name: str) -> None:
    balance = check(ATTRIBUTORS[name], normed(), normal(3, 3, 9, 8), classes(3))
    torch.testing.assert_close(balance.expected, torch.ones_like(balance.expected))
    assert float(balance.lost.abs().min()) > 1e-3
    torch.testing.assert_close(balance.found, ATTRIBUTORS[name](normed(), normal(3, 3, 9, 8), classes(3)).sum((1, 2)))


@pytest.mark.parametrize("name", ["srd_no_contrast", "srd_bias_drop", "srd_scalar"])
def test_the_books_of_a_variant_are_its_own(name: str) -> None:
    entry = ATTRIBUTORS[name]
    balance = check(entry, normed(), normal(3, 3, 9, 8), classes(3))
    torch.testing.assert_close(balance.found, entry(normed(), normal(3, 3, 9, 8), classes(3)).sum((1, 2)))


def test_completeness_is_told_from_the_baseline() -> None:
    network, x, baseline = small(), normal(2, 3, 9, 8), normal(1, 3, 1, 1, seed=1)
    balance = check(ATTRIBUTORS["deep_lift"], network, x, [1, 2], baseline=baseline)
    logits = network(x) - network(baseline.expand_as(x))
    torch.testing.assert_close(balance.expected, logits[[0, 1], [1, 2]].detach())
    assert float(balance.gap.max()) <= 1e-12
    assert balance.law == "completeness"


def test_of_drawn_baselines_it_is_told_from_their_mean() -> None:
    network, x = small(), normal(2, 3, 9, 8)
    balance = check(ATTRIBUTORS["expected_gradients"], network, x, 1)
    torch.testing.assert_close(balance.expected, (network(x) - network(BACKGROUND).mean(0))[:, 1].detach())
    assert bool(balance.holds.all())
    one = check_law(ATTRIBUTORS["expected_gradients"], network, x, 1, generators(2), background=BACKGROUND, samples=1)
    assert float(one.tolerance.min()) > float(balance.tolerance.max())


# A law that is broken.


class Leak(torch.autograd.Function):
    """The identity, whose gradient is another one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 0.8 * gradients[0]


class Leaking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(Leak.apply(x))
        return logits


def test_a_gradient_that_is_not_the_networks_breaks_completeness() -> None:
    entry, x = ATTRIBUTORS["integrated_gradients"], normal(2, 3, 9, 8)
    true, leaking = (check(entry, network, x, 1, points=200) for network in (small(), Leaking()))
    assert bool(true.holds.all())
    torch.testing.assert_close(leaking.found, 0.8 * true.found)
    assert not bool(leaking.holds.all())


def test_relevance_that_leaks_breaks_conservation(monkeypatch: pytest.MonkeyPatch) -> None:
    entry, x = ATTRIBUTORS["srd_no_contrast"], normal(2, 3, 9, 8)
    monkeypatch.setattr("srd.rules.safe_ratio", lambda a, b: 0.9 * a / b.masked_fill(b <= 0, torch.inf))
    assert not bool(check(entry, small(), x, 1).holds.any())


def test_where_losses_cannot_be_told_by_row_nothing_holds() -> None:
    one = torch.ones(2)
    balance = Balance("conservation", one, one, torch.tensor([0.0, torch.nan]), one, laws.ROUNDING * one)
    assert balance.holds.tolist() == [True, False]


@pytest.mark.parametrize("name", ["saliency", "grad_cam", "srd_coarse", "srd@stem", "random"])
def test_a_method_that_claims_no_law_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="claims no law"):
        check_law(ATTRIBUTORS[name], small(), normal(1, 3, 9, 8), 0)


def test_methods_that_conserve_and_no_others_have_books() -> None:
    for entry in ATTRIBUTORS.values():
        if entry.law == "conservation":
            assert entry.load_balance().__doc__
    assert {entry.name for entry in LAWFUL if not entry.balance} == {
        *("deep_lift", "integrated_gradients", "expected_gradients")
    }


@pytest.mark.parametrize("precision", PRODUCTS)
def test_a_law_is_checked_in_full_precision(precision: Precision) -> None:
    network, x = small(), normal(1, 3, 9, 8)
    asked, full = (check(ATTRIBUTORS["srd"], network, x, 1, **options) for options in ({"precision": precision}, {}))
    assert torch.equal(asked.gap, full.gap)
