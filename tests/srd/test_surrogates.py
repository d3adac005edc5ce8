"""softplus in place of ReLU, however the ReLU is written."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import normal

from srd.surrogates import softplus

X = 3 * normal(2, 3, 4, 5)
Rectifier = Callable[[Tensor], Tensor]


def in_place_statement(x: Tensor) -> Tensor:
    y = x.clone()
    y.relu_()
    return y


def torch_in_place(x: Tensor) -> Tensor:
    y = x.clone()
    torch.relu_(y)
    return y


RELUS: dict[str, Rectifier] = {
    "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x.clone(), inplace=True),
    "torch": torch.relu,
    "torch in place": torch_in_place,
    "method": lambda x: x.relu(),
    "method in place": in_place_statement,
    "module": nn.ReLU(),
    "module in place": lambda x: nn.ReLU(inplace=True)(x.clone()),
}
RELU6S: dict[str, Rectifier] = {
    "functional": functional.relu6,
    "module": nn.ReLU6(),
    "module in place": lambda x: nn.ReLU6(inplace=True)(x.clone()),
    "hardtanh": lambda x: functional.hardtanh(x, 0.0, 6.0),
}


@pytest.mark.parametrize("beta", [1.0, 10.0])
@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
def test_every_relu_is_softplus(relu: Rectifier, beta: float) -> None:
    with softplus(beta):
        torch.testing.assert_close(relu(X), (beta * X).exp().log1p() / beta)


@pytest.mark.parametrize("relu6", RELU6S.values(), ids=RELU6S)
def test_every_relu6_is_the_difference_of_two(relu6: Rectifier) -> None:
    with softplus(2.0):
        torch.testing.assert_close(relu6(X), ((2 * X).exp().log1p() - (2 * (X - 6)).exp().log1p()) / 2)


@pytest.mark.parametrize("hardsigmoid", [functional.hardsigmoid, nn.Hardsigmoid(inplace=True)])
def test_hardsigmoid_is_a_sixth_of_a_shifted_relu6_and_has_a_second_derivative(hardsigmoid: Rectifier) -> None:
    x = X.clone().requires_grad_()
    with softplus(2.0):
        result = hardsigmoid(x.clone())
        torch.testing.assert_close(result, functional.relu6(x + 3) / 6)
    (gradient,) = torch.autograd.grad(result.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    assert bool(second.any())


def test_hardtanh_keeps_its_limits() -> None:
    with softplus(50.0):
        result = functional.hardtanh(torch.linspace(-5, 5, 11).double(), -2.0, 3.0)
    torch.testing.assert_close(result, torch.linspace(-5, 5, 11).double().clamp(-2, 3), rtol=0, atol=0.02)


@pytest.mark.parametrize("relu", [*RELUS.values(), *RELU6S.values()], ids=[*RELUS, *(f"{name} 6" for name in RELU6S)])
def test_softplus_falls_to_the_relu_as_beta_grows(relu: Rectifier) -> None:
    exact, gaps = relu(X), []
    for beta in (1.0, 10.0, 100.0, 1000.0):
        with softplus(beta):
            gaps.append(float((relu(X) - exact).abs().max()))
    assert all(after < before for before, after in pairwise(gaps))
    assert gaps[-1] <= 1e-3


def test_it_is_smooth_where_relu_is_not() -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    with softplus(4.0):
        (slope,) = torch.autograd.grad(functional.relu(x).sum(), x, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), x)
    assert slope.tolist() == [0.5]
    assert curvature.tolist() == [1.0]


def test_other_operations_and_what_is_outside_stay_as_they_are() -> None:
    expected = functional.gelu(X), X.clamp(min=0), X + 1
    with softplus(1.0):
        inside = functional.gelu(X), X.clamp(min=0), X + 1
    assert all(torch.equal(a, b) for a, b in zip(inside, expected, strict=True))
    assert torch.equal(functional.relu(X), X.clamp(min=0))
