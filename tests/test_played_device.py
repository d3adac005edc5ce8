"""Laws of the played device: it refuses what a CUDA device refuses, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from played_device import CPU, DEVICE, MixedDevices, played_device
from torch import Tensor
from torch.nn import functional
from toys import generator, normal

HERE = normal(2, 3)


class Doubled(torch.autograd.Function):
    """With a gradient that is written in Python."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        assert gradient.device == DEVICE
        return 2 * gradient * torch.ones(3, dtype=gradient.dtype).to(gradient.device)


class Careless(Doubled):
    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0] * torch.ones(3, dtype=gradients[0].dtype)


@pytest.mark.parametrize(
    "refused",
    [
        lambda there: there + HERE,
        lambda there: HERE.add_(there.sum()),
        lambda there: torch.cat([there, HERE]),
        lambda there: torch.stack([there.sum(), HERE.sum()]),
        lambda there: there @ torch.eye(3, dtype=there.dtype),
        lambda there: HERE[torch.zeros(1, dtype=torch.int64).to(there.device)],
        lambda there: there.gather(1, torch.zeros(2, 1, dtype=torch.int64)),
        lambda there: there.numpy(),
        lambda there: torch.rand(2, generator=generator(), device=there.device),
        lambda there: there.normal_(generator=generator()),
        lambda there: torch.poisson(there.abs(), generator=generator()),
        lambda there: torch.autograd.grad(Careless.apply(there.requires_grad_()).sum(), there),
    ],
)
def test_devices_do_not_mix(refused: Callable[[Tensor], object]) -> None:
    with played_device() as device, pytest.raises(MixedDevices):
        refused(HERE.to(device))


@pytest.mark.parametrize(
    "made",
    [
        lambda there: there.new_tensor([1.0, 2.0]),
        torch.zeros_like,
        lambda there: torch.arange(2, device=there.device),
        lambda there: there * HERE.sum(),
        lambda there: there[torch.zeros(1, dtype=torch.int64)],
        lambda there: HERE.to(there).T,
        lambda there: HERE.to("cuda").T[0],
        lambda there: functional.one_hot(there[0].argsort(), 4),
        lambda there: torch.autograd.grad(Doubled.apply(there.requires_grad_()).sum(), there)[0],
        lambda there: torch.autograd.grad(there.requires_grad_()[:, 0].sum(), there)[0],
    ],
)
def test_what_comes_of_the_device_stays_there(made: Callable[[Tensor], Tensor]) -> None:
    with played_device() as device:
        assert made(HERE.to(device)).device == DEVICE


def test_tensors_come_and_go_with_their_values() -> None:
    with played_device() as device:
        there = HERE.to(device)
        assert (HERE.device, there.device, there.cpu().device) == (CPU, DEVICE, CPU)
        assert there.is_cuda
        assert there.tolist() == there.cpu().numpy().tolist() == HERE.tolist()
        assert there.to(device) is there
        assert HERE.to("cpu") is HERE


def test_a_module_moves_with_all_that_it_holds() -> None:
    with played_device() as device:
        network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).to(device)
        assert {tensor.device for tensor in network.state_dict().values()} == {DEVICE}
        network(HERE.float().to(device)).sum().backward()
        assert {parameter.grad.device for parameter in network.parameters() if parameter.grad is not None} == {DEVICE}


def test_nothing_is_played_afterwards() -> None:
    with played_device() as device:
        there = HERE.to(device)
    assert (there + HERE).device == CPU
