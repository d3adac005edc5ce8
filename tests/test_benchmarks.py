"""The harness of the benchmark: what it counts as memory and as questions, and how competitors take turns."""

from collections.abc import Callable, Sequence
from itertools import count

import pytest
import torch
from toys import demo_inputs, demo_network

from benchmarks.asked import METHODS, REDRAWS, Audit, audit_of, scores_of
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


def test_seconds_are_those_of_the_clock() -> None:
    ticks = count()
    assert time_in_turns({"a": lambda: next(ticks)}, 2, CPU, lambda: next(ticks)) == {"a": [2, 2]}


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audit_of(demo_network("vgg").float(), *demo_inputs(2))


def asked(audit: Audit, *names: str) -> int:
    audit.asked.clear()
    scores_of(audit, names, steps=3)
    return sum(audit.asked)


STEPS_ASKED = 2 * 2 + 2


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["deletion", "insertion", "srg"], len(METHODS) * STEPS_ASKED),
        (["mu_fidelity"], 1 + 200),
        (["mu_fidelity", "infidelity"], 1 + 200),
        (["single_deletion", "sensitivity_n"], 1 + 81 + 150),
        (["completeness"], 2),
        (["mu_fidelity", "completeness"], 1 + 200 + 2),
    ],
)
def test_an_audit_asks_once_for_all_metrics_and_where_it_can_for_all_methods(
    audit: Audit, names: Sequence[str], rows: int
) -> None:
    assert asked(audit, *names) == len(audit.inputs) * rows


def test_calls_of_copies_are_counted(audit: Audit) -> None:
    to_find_the_order = 1
    per_draw = to_find_the_order + audit.n_maps
    assert asked(audit, "complexity_rise") == per_draw
    assert asked(audit, "weights_similarity", "complexity_rise") == REDRAWS * per_draw


def test_scores_asked_for_together_are_those_asked_for_alone(audit: Audit) -> None:
    names = ["mu_fidelity", "infidelity"]
    both = torch.stack(scores_of(audit, names, steps=3))
    alone = [torch.stack(scores_of(audit, [name], steps=3)) for name in names]
    assert torch.equal(both, torch.stack(alone, 1).flatten(0, 1))


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
