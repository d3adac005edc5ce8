"""The harness of the benchmark: what it counts as memory, and how competitors take turns."""

from collections.abc import Callable

import pytest
import torch
from toys import demo_inputs, demo_network

from benchmarks.measuring import CPU, peak, ratio, time_in_turns
from srd.decomposition import decompose
from srd.rules import Bias

FLOATS = 1024
BYTES = 4 * FLOATS


def together(n: int) -> None:
    kept = [torch.empty(FLOATS) for _ in range(n)]
    assert len(kept) == n


def one_after_another(n: int) -> None:
    for _ in range(n):
        torch.empty(FLOATS)


def views(n: int) -> None:
    whole = torch.empty(FLOATS)
    kept = [whole[row:] for row in range(n)]
    assert len(kept) == n


@pytest.mark.parametrize(("run", "expected"), [(together, 5), (one_after_another, 1), (views, 1)])
def test_memory_is_what_is_alive_at_once(run: Callable[[int], None], expected: int) -> None:
    assert peak(lambda: run(5), CPU) == expected * BYTES


def test_what_was_there_before_is_not_counted() -> None:
    before = torch.zeros(FLOATS)
    assert peak(lambda: before.add_(1), CPU) == 0


def test_what_a_backward_pass_makes_is_counted() -> None:
    x = torch.ones(FLOATS, requires_grad=True)
    y = x.exp()  # keeps its result
    assert peak(lambda: torch.autograd.grad(y, x, torch.ones_like(y)), CPU) >= 2 * BYTES


def test_competitors_take_turns_and_the_first_turn_is_dropped() -> None:
    order: list[str] = []
    seconds = time_in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, CPU)
    assert order == ["a", "b"] * 4
    assert {name: len(runs) for name, runs in seconds.items()} == {"a": 3, "b": 3}


def test_ratios_are_taken_within_a_turn() -> None:
    assert ratio([1, 20, 300], [1, 10, 100]) == (1, 2, 3)


@pytest.mark.parametrize(("bias", "limit"), [("norm", 1.6), ("ratio", 1.3), ("drop", 1.3)])
@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_a_map_needs_little_more_memory_than_a_gradient(name: str, bias: Bias, limit: float) -> None:
    network, (inputs, target) = demo_network(name).float(), demo_inputs(32)

    def gradient() -> None:
        x = inputs.float().requires_grad_()
        torch.autograd.grad(network(x).gather(1, target[:, None]).sum(), x)

    def explain() -> None:
        decompose(network, inputs.float(), target, bias=bias)

    explain()  # what is kept of the weights is made once
    assert peak(explain, CPU) <= limit * peak(gradient, CPU)
