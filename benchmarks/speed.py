"""What SRD costs beside one plain gradient of the same network, in time and memory, and how far fewer bits move it.

Prints a Markdown table. The error is Euclidean, relative to the map of the same rule with nothing rounded.

Competitors take turns in one process, so that a slow moment of the machine meets them all; ratios are taken within a
turn. Memory is counted by the storages that are alive, each competitor in a run of its own. `make bench` has glibc keep
freed memory, for all competitors alike: else the page faults of large tensors are a good part of what is measured.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torchvision import models

from srd.decomposition import decompose
from srd.precision import PRODUCTS, Precision
from srd.rules import Bias

Competitor = Callable[[], Tensor]
SIZE = 224
MEASURED: tuple[Bias, ...] = ("norm", "ratio")
ROUNDED: Mapping[str, tuple[Precision, ...]] = {
    "cpu": ("mixed", "bfloat16"),  # few processors multiply in float16
    "cuda": ("mixed", "bfloat16", "float16"),
}


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    print(
        f"{_machine(device)}, torch {torch.__version__}, {date.today()}, {SIZE}x{SIZE}, n = {arguments.rounds} turns.\n"
    )
    print("| network | batch | what | median s | of a gradient | quartiles | peak memory of a gradient's | error |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        network = _network(name).to(device)
        for batch in arguments.batches:
            competitors = _competitors(network, batch, device, attack=batch <= arguments.attack_up_to)
            for line in _lines(competitors, arguments.rounds, device):
                print(f"| {name} | {batch} | {line}", flush=True)


def _competitors(network: nn.Module, batch: int, device: torch.device, *, attack: bool) -> Mapping[str, Competitor]:
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, 3, SIZE, SIZE, generator=draw).to(device)
    target = torch.zeros(batch, dtype=torch.int64, device=device)

    def gradient() -> Tensor:
        x = inputs.clone().requires_grad_()
        (result,) = torch.autograd.grad(network(x).gather(1, target[:, None]).sum(), x)
        return result

    def srd(bias: Bias, precision: Precision = "full") -> Competitor:
        return lambda: decompose(network, inputs, target, bias=bias, precision=precision)

    def attack_step() -> Tensor:
        x = inputs.clone().requires_grad_()
        maps = decompose(network, x, target, create_graph=True)
        (result,) = torch.autograd.grad(maps.square().sum(), x)
        return result

    competitors: dict[str, Competitor] = {"gradient": gradient, "srd, drop": srd("drop")}
    for bias in MEASURED:
        competitors[f"srd, {bias}"] = srd(bias)
        competitors |= {f"srd, {bias}, {bits}": srd(bias, bits) for bits in ROUNDED[device.type]}
    return competitors | ({"step through srd, norm": attack_step} if attack else {})


def _lines(competitors: Mapping[str, Competitor], rounds: int, device: torch.device) -> Iterator[str]:
    seconds = _interleaved(competitors, rounds, device)
    peaks = {name: _peak(run, device) for name, run in competitors.items()}
    gradient = next(iter(competitors))
    for name in competitors:
        ratios = [own / plain for own, plain in zip(seconds[name], seconds[gradient], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        share = peaks[name] / peaks[gradient]
        median = statistics.median(seconds[name])
        error = _error(name, competitors)
        yield f"{name} | {median:.3f} | {middle:.2f} | {low:.2f} to {high:.2f} | {share:.2f} | {error} |"


def _error(name: str, competitors: Mapping[str, Competitor]) -> str:
    *method, bits = name.split(", ")
    if bits not in PRODUCTS:
        return ""
    rounded, full = competitors[name](), competitors[", ".join(method)]()
    return f"{float((rounded - full).norm() / full.norm()):.1e}"


def _interleaved(
    competitors: Mapping[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of every run but the first turn, in which things are prepared and caches fill."""
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds + 1):
        for name, run in competitors.items():
            _finished(device)
            start = time.perf_counter()
            run()
            _finished(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: runs[1:] for name, runs in seconds.items()}


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _peak(run: Callable[[], object], device: torch.device) -> float:
    """Largest number of bytes alive at once that the run has made."""
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


def _network(name: str) -> nn.Module:
    """Random weights, batch norms far from the identity."""
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


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {torch.get_num_threads()} threads"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["resnet50", "vgg16"], help="torchvision's names")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="as torch chooses by default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--attack-up-to", type=int, default=1, help="largest batch with a step through SRD")
    return parser.parse_args()


if __name__ == "__main__":
    main()
