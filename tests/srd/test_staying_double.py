"""A network of double precision whose code casts to single precision stays in double precision."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, normal

from srd.registry import ATTRIBUTORS
from srd.staying_double import run_in_double

KERNEL = torch.tensor([[[[0.0, 1.0], [2.0, -1.0]]]])


class Casting(nn.Module):
    """A network that casts what it reads."""

    def __init__(self, cast: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.head, self.cast = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), cast

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.conv(self.cast(inputs)).relu()
        logits: Tensor = self.head(self.cast(features).mean((2, 3)))
        return logits


def written(x: Tensor) -> Tensor:
    copy = torch.zeros_like(x)
    copy[:] = x.float()
    return copy


EQUAL: dict[str, Callable[[Tensor], Tensor]] = {
    "float": Tensor.float,
    "to a type": lambda x: x.to(torch.float32),
    "to a type by name": lambda x: x.to(dtype=torch.float32),
    "to a device and a type": lambda x: x.to("cpu", torch.float32),
    "type": lambda x: x.type(torch.float32),
    "type by its name": lambda x: x.type("torch.FloatTensor"),
    "type as": lambda x: x.type_as(KERNEL),
    "to another": lambda x: x.to(KERNEL),
    "half": lambda x: x.half().float(),
    "written": written,
}


def made(cast: Callable[[Tensor], Tensor]) -> Casting:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Casting(cast).double().eval()


@pytest.mark.parametrize("cast", EQUAL.values(), ids=EQUAL)
@pytest.mark.parametrize("method", ["srd", "saliency", "guided_backprop"])
def test_maps_are_those_of_the_network_without_the_casts(method: str, cast: Callable[[Tensor], Tensor]) -> None:
    inputs, target = normal(2, 3, 7, 6), classes(2)
    network = made(cast)
    run_in_double(network)
    maps, expected = (ATTRIBUTORS[method](each, inputs, target) for each in (network, made(lambda x: x)))
    assert maps.dtype == torch.float64
    torch.testing.assert_close(maps, expected, rtol=1e-13, atol=0)


def test_constants_of_single_precision_are_read_in_double() -> None:
    network = made(lambda x: functional.conv2d(x, KERNEL.expand(x.shape[1], 1, 2, 2), groups=x.shape[1]))
    wanted = made(lambda x: functional.conv2d(x, KERNEL.double().expand(x.shape[1], 1, 2, 2), groups=x.shape[1]))
    run_in_double(network)
    inputs = normal(2, 3, 7, 6)
    torch.testing.assert_close(network(inputs), wanted(inputs), rtol=0, atol=0)


def test_shapes_truths_and_integers_stay_what_they_are() -> None:
    seen: list[object] = []

    def look(x: Tensor) -> Tensor:
        seen.extend([(x > 0).to(torch.bool).dtype, x.to(torch.int64).dtype, x.long().dtype, x.type(), x.shape])
        return x

    network = made(look)
    run_in_double(network)
    network(normal(1, 3, 7, 6))
    assert seen[:5] == [torch.bool, torch.int64, torch.int64, "torch.DoubleTensor", torch.Size([1, 3, 7, 6])]


def test_of_another_copy_nothing_changes() -> None:
    network = made(Tensor.float)
    run_in_double(deepcopy(network))
    with pytest.raises(RuntimeError):
        network(normal(1, 3, 7, 6))
