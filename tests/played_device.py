"""A second device, played on the CPU: it refuses what a CUDA device refuses, and computes the CPU's numbers.

It is no run on a GPU: it knows no kernels, no rounding, no memory and no streams of one. What it knows is where each
tensor lies, as real numbers flow through real control flow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("cuda", 0)
CPU = torch.device("cpu")

aten = torch.ops.aten
COPIES = {aten.copy_}
INDEXES = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
TAKE_A_NUMBER = {aten.fill_, aten.masked_fill, aten.masked_fill_, aten.index_fill, aten.index_fill_}
"""Operations that are not pointwise, but take a tensor without dimensions from the CPU."""
HOST = {"numpy", "__array__", "__dlpack__", "share_memory_"}


class MixedDevices(RuntimeError):
    """An operation that a CUDA device would have refused."""


def device_of(tensor: Tensor) -> torch.device:
    """Where the played tensor lies."""
    with torch._C.DisableTorchFunction():
        return DEVICE if getattr(tensor.untyped_storage(), "is_played", False) else CPU


@contextmanager
def played_device() -> Iterator[torch.device]:
    """Within, `tensor.to("cuda")` and all that follows from it are played; yields the device."""
    run_backward = torch.autograd._engine_run_backward  # type: ignore[attr-defined]
    questions = _Questions()

    def asking(*args: Any, **named: Any) -> Any:
        with questions:  # a mode is off while it handles a call, but a backward pass calls functions of our own
            return run_backward(*args, **named)

    with patch.object(torch.autograd, "_engine_run_backward", asking), questions, _Operations(questions):
        yield DEVICE


class _Questions(TorchFunctionMode):
    """Answers where tensors lie, and moves them."""

    def __init__(self) -> None:
        super().__init__()
        self._within = [False]

    @property
    def is_reading_played(self) -> bool:
        """Whether the call under way has arguments on the device, where it then makes what it needs."""
        return self._within[-1]

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func == Tensor.device.__get__:
            return device_of(args[0])
        if func == Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return device_of(args[0]) == DEVICE
        if func == Tensor.is_cpu.__get__:  # type: ignore[attr-defined]
            return device_of(args[0]) == CPU
        self._within.append(any(device_of(tensor) == DEVICE for tensor in _tensors((args, kwargs))))
        try:
            return self._called(func, args, dict(kwargs or {}))
        finally:
            self._within.pop()

    def _called(self, func: Callable[..., Any], args: Sequence[Any], named: dict[str, Any]) -> Any:
        name = getattr(func, "__name__", "")
        if name in HOST and device_of(args[0]) == DEVICE:
            raise MixedDevices(f"{name}() of a tensor on {DEVICE}")
        if name in {"to", "type_as", "cpu", "cuda"}:
            return _moved(func, name, args, named)
        asked = named.pop("device", device_of(args[0]) if name == "new_tensor" else None)
        if asked is None:
            return func(*args, **named)
        _refuse_generator(name, torch.device(asked), named)
        return _placed(func(*args, **named), torch.device(asked))


class _Operations(TorchDispatchMode):
    """Places what operations make where their tensors lie, which must be one place."""

    def __init__(self, questions: _Questions) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._questions = questions

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        with torch._C.DisableTorchFunction():
            read = _tensors((args, kwargs))
            played = [tensor for tensor in read if device_of(tensor) == DEVICE]
            if played:
                _refuse_generator(str(func), DEVICE, kwargs or {}, args)
                _refuse_mixture(func, args, read)
            given = {tensor.untyped_storage()._cdata: tensor for tensor in read}
            result = func(*args, **(kwargs or {}))
            if played or (not read and self._questions.is_reading_played):
                for made in _tensors(result):
                    _place_made(func, made, given)
            return result


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _place_made(func: Any, made: Tensor, given: Mapping[int, Tensor]) -> None:
    storage = made.untyped_storage()
    if storage._cdata not in given:
        storage.is_played = True  # type: ignore[attr-defined]
    elif device_of(made) == CPU and func.overloadpacket not in COPIES:
        raise MixedDevices(f"{func} writes what lies on {DEVICE} to the CPU")


def _refuse_mixture(func: Any, args: Sequence[Any], read: Sequence[Tensor]) -> None:
    packet = func.overloadpacket
    takes_a_number = torch.Tag.pointwise in func.tags or packet in TAKE_A_NUMBER | INDEXES
    if packet in COPIES:
        return
    indices = args[1] if packet in INDEXES and device_of(args[0]) == DEVICE else ()
    for tensor in read:
        is_index = any(tensor is index for index in indices)
        if device_of(tensor) == CPU and not is_index and not (takes_a_number and tensor.dim() == 0):
            raise MixedDevices(f"{func} reads a tensor {tuple(tensor.shape)} on the CPU beside others on {DEVICE}")


def _refuse_generator(name: str, device: torch.device, named: Mapping[str, Any], args: Sequence[Any] = ()) -> None:
    generators = [value for value in (*args, *named.values()) if isinstance(value, torch.Generator)]
    if device.type == DEVICE.type and generators:
        raise MixedDevices(f"{name} draws by a generator of the CPU on {DEVICE}")


def _moved(func: Callable[..., Any], name: str, args: Sequence[Any], named: dict[str, Any]) -> Tensor:
    """The result of `to` and its like, where it was asked to be."""
    tensor, *others = args
    asked = {"cpu": CPU, "cuda": DEVICE}.get(name, device_of(tensor))
    for value in (*others, *named.values()):
        if isinstance(value, Tensor):
            asked = device_of(value)
        elif isinstance(value, str | torch.device):
            asked = torch.device(value)
    others = [CPU if isinstance(value, str | torch.device) else value for value in others]
    if "device" in named:
        named["device"] = CPU
    result: Tensor = tensor.cpu() if name == "cuda" else func(tensor, *others, **named)
    return result if device_of(result).type == asked.type else _placed(result.clone(), asked)


def _placed(result: Any, device: torch.device) -> Any:
    """Just made, so that nothing else shares its storage."""
    for tensor in tree_leaves(result):
        with torch._C.DisableTorchFunction():
            tensor.untyped_storage().is_played = device.type == DEVICE.type
    return result
