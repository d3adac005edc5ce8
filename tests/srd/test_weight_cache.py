"""A cached value equals one that is prepared anew, however the weight was changed."""

import gc
import weakref
from collections.abc import Callable
from functools import partial

import pytest
from torch import nn
from toys import normal

from srd.weight_cache import get_or_prepare

Change = Callable[[nn.Parameter], object]


def counted() -> tuple[list[int], Callable[[], int]]:
    calls: list[int] = []

    def prepare() -> int:
        calls.append(len(calls))
        return calls[-1]

    return calls, prepare


def parameter() -> nn.Parameter:
    return nn.Parameter(normal(4, 3, 2, 2), requires_grad=False)


def test_what_does_not_change_is_prepared_once() -> None:
    calls, prepare = counted()
    weight, scale = parameter(), normal(4, seed=1)
    assert [get_or_prepare(weight, scale, (1,), prepare), get_or_prepare(weight, scale.clone(), (1,), prepare)] == [
        0,
        0,
    ]
    assert calls == [0]


CHANGES: dict[str, Change] = {
    "in place": lambda weight: weight.mul_(2),
    "one number": lambda weight: weight.view(-1)[5].add_(1e-6),
    "behind its back": lambda weight: weight.data.add_(1e-6),
    "another tensor": lambda weight: setattr(weight, "data", normal(4, 3, 2, 2, seed=7)),
    "rows exchanged": lambda weight: weight.copy_(weight[[1, 0, 2, 3]]),
    "sign": lambda weight: weight.neg_(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_weight_that_was_changed_is_prepared_again(name: str) -> None:
    calls, prepare = counted()
    weight = parameter()
    get_or_prepare(weight, None, (), prepare)
    CHANGES[name](weight)
    assert get_or_prepare(weight, None, (), prepare) == 1
    assert calls == [0, 1]


def test_another_scale_or_another_fact_is_prepared_again() -> None:
    calls, prepare = counted()
    weight, scale = parameter(), normal(4, seed=1)
    for given, facts in ((scale, (1,)), (scale * 1.001, (1,)), (None, (1,)), (None, (2,))):
        get_or_prepare(weight, given, facts, prepare)
    assert len(calls) == 4


def test_nothing_is_kept_of_a_weight_that_is_gone() -> None:
    weight, factor = parameter(), normal(2)
    gone = weakref.ref(factor)
    get_or_prepare(weight, None, (), partial(next, iter([factor])))
    del factor
    gc.collect()
    assert gone() is not None
    del weight
    gc.collect()
    assert gone() is None
