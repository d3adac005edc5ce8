"""Measurement in the benchmarks: competitors that take turns, storages that are alive, and the name of the machine."""

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torchvision import models

CPU = torch.device("cpu")


def time_in_turns(
    competitors: Mapping[str, Callable[[], object]],
    rounds: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds of every run but the first turn, in which things are prepared and caches fill.

    On a machine that others use, `time.process_time` is the clock of what runs on the processor.
    """
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds + 1):
        for name, run in competitors.items():
            _synchronise(device)
            start = clock()
            run()
            _synchronise(device)
            seconds[name].append(clock() - start)
    return {name: runs[1:] for name, runs in seconds.items()}


def ratio(own: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, median and upper quartile of the ratios within each turn."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(own, others, strict=True)], n=4)
    return low, middle, high


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak(run: Callable[[], object], device: torch.device) -> float:
    """Return the largest number of bytes alive at once that the run has made."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return float(torch.cuda.max_memory_allocated() - before)
    alive = _Alive()
    with alive:
        run()
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts the storages that operations make, from their first appearance to their release."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: float = 0
        self.peak: float = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor, given)
        return result

    def _count(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in given or key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def network_of(name: str) -> nn.Module:
    """Return a network of random weights, with batch norms far from the identity."""
    torch.manual_seed(0)
    network: nn.Module = getattr(models, name)(weights=None)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.get_buffer("running_mean").normal_(0, 0.1, generator=draw)
                module.get_buffer("running_var").uniform_(0.5, 1.5, generator=draw)
                module.bias.normal_(0, 0.1, generator=draw)
    return network.eval()


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{processor()}, {torch.get_num_threads()} threads"


def processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
