"""Laws of the cut of rows: it follows from the network alone, holds in each stage, and moves maps by rounding only."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacks.types import AttackResult
from pipeline.plan.tasks import Task
from pipeline.stages import batches, perturb
from pipeline.stages.attribute import attribute
from pipeline.stages.batches import BUDGET, graph_size, parts, rows_at_once
from pipeline.stages.context import Context, arguments
from pipeline.store.packing import unpack

FLOAT = 4
HIDDEN = 5


def budget_of(context: Context, rows: int, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The same context, with a budget of so many rows."""
    inputs = context.inputs(context.data.images(range(1)))
    size = graph_size(context.model.network, inputs)
    monkeypatch.setattr(batches, "BUDGET", dict.fromkeys(BUDGET, rows * size + size // 2))
    return replace(context)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 21])
@pytest.mark.parametrize("at_once", [1, 2, 6, 20, 99])
def test_parts_are_all_rows_in_order_and_nearly_equal(n: int, at_once: int) -> None:
    slices = list(parts(n, at_once))
    sizes = [len(range(n)[part]) for part in slices]
    assert list(chain.from_iterable(range(n)[part] for part in slices)) == list(range(n))
    assert max(sizes) <= at_once
    assert max(sizes) - min(sizes) <= 1
    assert len(slices) == -(-n // at_once)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_size_of_a_graph_is_that_of_what_it_keeps_of_the_rows(rows: int) -> None:
    """A sigmoid keeps its output; a frozen linear layer keeps its weight, which is no row's."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, HIDDEN), nn.Sigmoid(), nn.Linear(HIDDEN, 3))
    network.requires_grad_(False)
    assert graph_size(network, torch.ones(rows, 3, 2, 2)) == rows * HIDDEN * FLOAT


def test_at_least_one_row_passes_and_the_pixels_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    network, draw = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Sigmoid()), torch.Generator().manual_seed(0)
    images = torch.randn(5, 3, 2, 2, generator=draw)
    assert len({rows_at_once(network, images[row:]) for row in range(5)}) == 1
    monkeypatch.setattr(batches, "BUDGET", {"cpu": 1})
    assert rows_at_once(network, images) == 1


@pytest.mark.parametrize("rows", [1, 2])
def test_maps_in_parts_are_those_in_one_batch_but_for_rounding(
    context: Context, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = context.spec.explain.methods.index("srd")
    whole = attribute(context, Task("attribute", 0, method))
    cut = attribute(budget_of(context, rows, monkeypatch), Task("attribute", 0, method))
    one, other = (unpack(each["attribution"], each["scale"]) for each in (whole, cut))
    assert np.abs(one - other).max() <= 2e-3 * np.abs(one).max()


@pytest.mark.parametrize("rows", [1, 2])
def test_no_more_rows_pass_at_once_than_the_budget_holds(
    context: Context, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def watch(network: nn.Module, inputs: Tensor, *_: Any) -> Tensor:
        seen.append(len(inputs))
        return inputs.sum(1)

    monkeypatch.setattr(Context, "attributor", lambda self, name: watch)
    attribute(budget_of(context, rows, monkeypatch), Task("attribute", 0, 0))
    assert max(seen) == rows


def test_a_budget_of_few_rows_cuts_an_attack_and_not_the_rest(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {condition.name: column for column, condition in enumerate(context.conditions)}
    seen: list[int] = []

    def watch(context: Context, attack: Callable[..., Any], condition: Any, rows: range) -> Any:
        seen.append(len(rows))
        return AttackResult(context.data.images(rows), {})

    monkeypatch.setattr(perturb, "_attack", watch)
    few = budget_of(context, 2 * batches.ATTACKED, monkeypatch)
    for name in ("pgd", "manipulate"):
        perturb._perturb(few, Task("perturb", 0, columns[name]), few.conditions[columns[name]])
    n = len(context.rows(Task("perturb", 0, 0)))
    assert seen[0] == n
    assert sum(seen[1:]) == n
    assert max(seen[1:]) == min(2, n)


def test_copies_of_a_row_are_rows_as_well_unless_the_spec_says_how_many(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"integrated_gradients": {"batch": 7}}
    said = context.spec.model_copy(update={"explain": context.spec.explain.model_copy(update={"options": given})})
    few = budget_of(context, 3, monkeypatch)
    assert arguments(few.spec, few.model, few.data, "integrated_gradients")["batch"] == 3
    assert arguments(said, few.model, few.data, "integrated_gradients")["batch"] == 7
    assert "batch" not in arguments(few.spec, few.model, few.data, "ablation_cam")
