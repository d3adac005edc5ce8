"""Measure the time and memory of SRD beside one gradient of the same network, and the error of fewer bits.

Prints a Markdown table. The error is Euclidean, relative to the map of the same rule without rounding.

Competitors take turns in one process, so that a slow moment of the machine affects all of them. Ratios are taken within
a turn. Memory is counted by the storages that are alive, each competitor in a run of its own. `make bench` makes glibc
keep freed memory, for all competitors alike. Otherwise page faults of large tensors are a good part of the measurement.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping
from datetime import date

import torch
from torch import Tensor, nn

from benchmarks.measuring import machine, network_of, peak, ratio, time_in_turns
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
    """Print the table."""
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    print(
        f"{machine(device)}, torch {torch.__version__}, {date.today()}, {SIZE}x{SIZE}, n = {arguments.rounds} turns.\n"
    )
    print("| network | batch | what | median s | of a gradient | quartiles | peak memory of a gradient's | error |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        network = network_of(name).to(device)
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
    seconds = time_in_turns(competitors, rounds, device)
    peaks = {name: peak(run, device) for name, run in competitors.items()}
    gradient = next(iter(competitors))
    for name in competitors:
        low, middle, high = ratio(seconds[name], seconds[gradient])
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
