"""The facts about torch's operations are true."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from toys import normal, relative_error

from srd import operations
from srd.errors import UnsupportedOperation

Map = Callable[[Tensor], Tensor]
X, Y = normal(2, 4, 6, 6), normal(2, 4, 6, 6, seed=1)

LINEAR_IN_USE: dict[str, Map] = {
    "neg": torch.neg,
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum(1),
    "cat": lambda x: torch.cat([x, x[:, :1]], 1),
    "stack": lambda x: torch.stack([x, x]),
    "flatten": torch.flatten,
    "movedim": lambda x: x.movedim(1, 3),
    "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1),
    "repeat": lambda x: x.repeat(1, 2, 1, 1),
    "select": lambda x: x.select(1, 2),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "unbind": lambda x: torch.unbind(x, 1)[1],
    "pad": lambda x: functional.pad(x, (1, 2, 0, 1), mode="reflect"),
    "roll": lambda x: torch.roll(x, 1, 2),
    "flip": lambda x: x.flip(3),
    "channel_shuffle": lambda x: functional.channel_shuffle(x, 2),
    "pixel_shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: functional.pixel_unshuffle(x, 2),
    "__setitem__": lambda x: operations.__setitem__(x, (slice(None), 0), x[:, 1]),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, 3, 2, 1),
    "adaptive_avg_pool2d": lambda x: functional.adaptive_avg_pool2d(x, 4),
}

OF_NUMBERS: dict[str, Map] = {
    "clamp": lambda x: torch.clamp(x, -0.5, 0.5),
    "clip": lambda x: torch.clip(x, -0.5, 0.5),
    "clamp_min": lambda x: torch.clamp_min(x, 0.1),
    "clamp_max": lambda x: torch.clamp_max(x, 0.1),
    "maximum": lambda x: torch.maximum(x, torch.tensor(0.1)),
    "minimum": lambda x: torch.minimum(torch.tensor(0.1), x),
    "rrelu": lambda x: functional.rrelu(x, training=False),
    "threshold": lambda x: torch.threshold(x, 0.1, 0.0),
    "_threshold": lambda x: functional.threshold(x, 0.1, 0.0),
}

ELEMENTWISE: dict[str, Map] = {
    name: getattr(functional, name, getattr(torch, name, None))  # type: ignore[misc]
    for name in sorted(operations.ACTIVATIONS - OF_NUMBERS.keys() - {"prelu"})
}
ELEMENTWISE |= OF_NUMBERS


@pytest.mark.parametrize("name", LINEAR_IN_USE)
def test_what_is_taken_for_linear_is_linear(name: str) -> None:
    f = LINEAR_IN_USE[name]
    assert name in operations.LINEAR
    assert relative_error(f(2 * X - 3 * Y), 2 * f(X) - 3 * f(Y)) <= 1e-12


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_is_taken_for_an_activation_is_elementwise_and_not_linear(name: str) -> None:
    f = ELEMENTWISE[name]
    assert relative_error(f(X.flip(1, 2)), f(X).flip(1, 2)) <= 1e-12
    assert relative_error(f(2 * X), 2 * f(X)) > 1e-3 or relative_error(f(X - Y), f(X) - f(Y)) > 1e-3


def test_max_pooling_routes() -> None:
    values = functional.max_pool2d(X, 3, 2, 1)
    assert set(values.flatten().tolist()) <= set(X.flatten().tolist())


def test_kinds_do_not_overlap() -> None:
    kinds = [operations.ACTIVATIONS, operations.LINEAR, operations.BILINEAR, operations.IDENTITY_IN_EVALUATION]
    assert len(frozenset().union(*kinds)) == sum(map(len, kinds))
    assert operations.SUMS | operations.JOINS | operations.WRITES <= operations.LINEAR
    assert operations.DIVISIONS <= operations.BILINEAR


def test_every_name_is_one_of_torchs() -> None:
    names = operations.ACTIVATIONS | operations.LINEAR | operations.BILINEAR | operations.IDENTITY_IN_EVALUATION
    assert [n for n in names if not any(hasattr(home, n) for home in (Tensor, torch, functional))] == []


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.add, "add"),
        (Tensor.add, "add"),
        (Tensor.add_, "add"),
        (Tensor.__add__, "__add__"),
        (torch.relu_, "relu"),
        (functional.relu, "relu"),
        (functional.max_pool2d, "max_pool2d"),
    ],
)
def test_names_are_bare(function: Callable[..., object], name: str) -> None:
    assert operations.name_of(function) == name


def test_full_names_are_those_of_the_documentation() -> None:
    assert operations.full_name(functional.layer_norm) == "torch.nn.functional.layer_norm"
    assert operations.full_name(Tensor.sigmoid) == "torch.Tensor.sigmoid"


@pytest.mark.parametrize(
    ("function", "in_place"),
    [
        (Tensor.relu_, lambda x: ((x,), {})),
        (torch.relu_, lambda x: ((x,), {})),
        (functional.relu, lambda x: ((x,), {"inplace": True})),
        (functional.relu, lambda x: ((x, True), {})),
        (functional.relu, lambda x: ((), {"input": x, "inplace": True})),
    ],
)
def test_out_of_place_leaves_its_argument_and_names_it(
    function: Callable[..., Tensor], in_place: Callable[[Tensor], tuple[operations.Arguments, operations.Keywords]]
) -> None:
    x = X.clone()
    plain, args, kwargs, mutated = operations.out_of_place(function, *in_place(x))
    assert torch.equal(plain(*args, **kwargs), X.clamp(min=0))
    assert torch.equal(x, X)
    assert mutated is x


@pytest.mark.parametrize("function", [torch.relu, Tensor.add, Tensor.__pow__, functional.max_pool2d])
def test_what_is_out_of_place_stays_as_it_is(function: Callable[..., Tensor]) -> None:
    args, keywords = (X, 2), {"out": None}
    assert operations.out_of_place(function, args, keywords) == (function, args, keywords, None)
    *_, mutated = operations.out_of_place(functional.relu, (X,), {})
    assert mutated is None


def test_an_in_place_operation_without_a_counterpart_is_refused() -> None:
    with pytest.raises(UnsupportedOperation, match=r"torch.Tensor.set_ writes in place"):
        operations.out_of_place(Tensor.set_, (X.clone(), Y), {})


@pytest.mark.parametrize(
    ("write", "args"),
    [
        (Tensor.__setitem__, ((slice(None), slice(1, 3)), Y[:, :2])),
        (Tensor.__setitem__, ((slice(None), 1), 7)),
        (Tensor.__setitem__, (X > 0, 0)),
        (Tensor.__setitem__, (X > 0, Y[X > 0])),
        (Tensor.copy_, (Y,)),
        (Tensor.copy_, (Y[:, :1], True)),
    ],
)
def test_writing_into_a_tensor_makes_another_one(write: Callable[..., Tensor], args: operations.Arguments) -> None:
    x, written = X.clone(), X.clone()
    plain, read, kwargs, mutated = operations.out_of_place(write, (x, *args), {})
    write(written, *args)
    assert torch.equal(plain(*read, **kwargs), written)
    assert torch.equal(x, X)
    assert mutated is x


MIXED: dict[str, Map] = {
    "softmax": lambda x: x.softmax(1),
    "log_softmax": lambda x: functional.log_softmax(x, 3),
    "normalize": functional.normalize,
    "conv_transpose2d": lambda x: functional.conv_transpose2d(x, torch.ones(4, 2, 3, 3, dtype=x.dtype)),
    "interpolate": lambda x: functional.interpolate(x, scale_factor=0.5),
    "norm": lambda x: x.norm(dim=1),
    "var": lambda x: x.var(1),
}


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_positions_or_channels_is_elementwise_in_none(name: str) -> None:
    assert name in operations.MIXTURES | operations.REDUCTIONS
    assert not (operations.MIXTURES | operations.REDUCTIONS) & operations.ACTIVATIONS
    one = X.clone()
    one[0, 0, 0, 0] += 1
    results = MIXED[name](X), MIXED[name](one)
    same_place = results[0].shape == X.shape and int((results[0] != results[1]).sum()) == 1
    assert not same_place


def test_what_has_no_call_out_of_place_is_refused() -> None:
    for function in (Tensor.requires_grad_, Tensor.set_):
        with pytest.raises(UnsupportedOperation, match="nothing does the same out of place; leave it out"):
            operations.out_of_place(function, (X,), {})
