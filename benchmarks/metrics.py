"""Compare the time of each metric of stored maps with Quantus' on the same maps and masks: CPU only.

Prints a Markdown table: milliseconds for one map, and theirs over ours. Both take turns in one process, on one thread;
ratios are taken within a turn. Quantus is called as its users call it, with all maps in one batch; its similarities are
functions of two maps, called one pair at a time. It needs numpy < 2.4, so an environment of its own.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import quantus
import torch
from quantus.functions import similarity_func
from torch import Tensor, nn

from benchmarks.measuring import CPU, machine, ratio, time_in_turns
from srd.registry import MAP_METRICS, METRICS

SIZE, CLASSES = 224, 10
PLAIN = {"normalise": False, "disable_warnings": True, "display_progressbar": False}
OF_A_MAP: Mapping[str, Callable[[], Any]] = {
    "pointing_game": lambda: quantus.PointingGame(abs=False, **PLAIN),
    "attribution_localisation": lambda: quantus.AttributionLocalisation(abs=False, **PLAIN),
    "rank_accuracy": lambda: quantus.RelevanceRankAccuracy(abs=False, **PLAIN),
    "roc_auc": lambda: quantus.AUC(abs=False, **PLAIN),
    "sparseness": lambda: quantus.Sparseness(abs=True, **PLAIN),
    "entropy": lambda: quantus.Complexity(abs=True, **PLAIN),
}
OF_TWO_MAPS: Mapping[str, Callable[..., Any]] = {
    "pearson": lambda a, b: similarity_func.correlation_pearson(a.ravel(), b.ravel()),
    "spearman": lambda a, b: similarity_func.correlation_spearman(a.ravel(), b.ravel()),
    "ssim": similarity_func.ssim,
}


class Network(nn.Module):
    """A network that no score asks."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)[:, :CLASSES]


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    torch.set_num_threads(1)
    maps, others = _maps(arguments.n, 0), _maps(arguments.n, 1)
    masks = _maps(arguments.n, 2) > 0.5
    versions = f"torch {torch.__version__}, quantus {version('quantus')}, numpy {np.__version__}"
    print(f"{machine(CPU)}, {versions}, {date.today()}, {arguments.n} maps of {SIZE}x{SIZE}.\n")
    print("| metric | ours, ms | Quantus, ms | theirs over ours | quartiles | n |")
    print("|---|---|---|---|---|---|")
    for name in MAP_METRICS:
        given = {"two maps": (maps, others), "map and mask": (maps, masks), "map": (maps,)}[METRICS[name].of]
        competitors = {"ours": _ours(name, given)}
        if name in OF_A_MAP:
            competitors["Quantus"] = _of_a_map(OF_A_MAP[name](), maps, masks)
        if name in OF_TWO_MAPS:
            competitors["Quantus"] = _of_two_maps(OF_TWO_MAPS[name], maps, others)
        _print_line(name, competitors, arguments.n, arguments.rounds)


def _print_line(name: str, competitors: Mapping[str, Callable[[], object]], n: int, rounds: int) -> None:
    seconds = time_in_turns(competitors, rounds, CPU)
    ours, *theirs = (f"{1000 * statistics.median(runs) / n:.2f}" for runs in seconds.values())
    if theirs:
        low, middle, high = ratio(seconds["Quantus"], seconds["ours"])
        print(f"| {METRICS[name].title} | {ours} | {theirs[0]} | {middle:.0f} | {low:.0f} to {high:.0f} | {rounds} |")
    else:
        print(f"| {METRICS[name].title} | {ours} | - | - | - | {rounds} |")


def _maps(n: int, seed: int) -> Tensor:
    return torch.randn(n, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def _ours(name: str, given: tuple[Tensor, ...]) -> Callable[[], object]:
    return lambda: METRICS[name](*given)


def _of_a_map(metric: Any, maps: Tensor, masks: Tensor) -> Callable[[], object]:
    attributions, segments = maps[:, None].numpy(), masks[:, None].numpy()
    inputs, target = np.zeros((len(maps), 3, SIZE, SIZE), np.float32), np.zeros(len(maps), int)
    network = Network()
    return lambda: metric(
        model=network,
        x_batch=inputs,
        y_batch=target,
        a_batch=attributions.copy(),
        s_batch=segments,
        device="cpu",
        batch_size=len(attributions),
    )


def _of_two_maps(similarity: Callable[..., Any], maps: Tensor, others: Tensor) -> Callable[[], object]:
    pairs = list(zip(maps.numpy(), others.numpy(), strict=True))
    return lambda: [similarity(a, b) for a, b in pairs]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=32, help="maps in a batch")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
