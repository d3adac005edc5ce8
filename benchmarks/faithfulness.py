"""Compare the time of each metric that asks the network with Quantus': an audit of four methods, ResNet-18, CPU only.

Prints two Markdown tables. In the first, both score the same maps of the same images: calls of the network, rows that
it reads in them, seconds for one image and method, and theirs over ours. We ask about an image once for all methods
and for all metrics of a line; Quantus asks in each call, of one metric and one method. Its classes are the nearest,
with as many questions as their checks allow. Both take turns in one process, on one thread; seconds are those of the
processor, and ratios are taken within a turn. The second table is what our stages cost with the defaults of a spec,
without reading and writing.

It needs numpy < 2.4, so an environment of its own.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from importlib.metadata import version
from operator import add
from typing import Any

import numpy as np
import quantus
import torch
from torch import nn

from benchmarks.asked import METHODS, REDRAWS, SIZE, Audit, random_audit, scores_of, stages
from benchmarks.measuring import CPU, machine, ratio, time_in_turns
from srd.registry import ATTRIBUTORS
from srd.removal.subsets import SHARE

FEATURES = 3 * SIZE * SIZE
STEPS, ALONE, SIZED = 12, 84, 147
"""In the place of 10, 81 and 150, since Quantus asks for steps that divide the pixels."""
CURVES = ("deletion", "insertion", "srg")
SUBSETS = ("mu_fidelity", "infidelity", "single_deletion", "sensitivity_n", "completeness")
RANDOMISED = ("weights_similarity", "complexity_rise")
PLAIN = {"normalise": False, "abs": False, "disable_warnings": True, "display_progressbar": False}
FILLED = {"perturb_baseline": 0.0, **PLAIN}
LAST = {"layer_order": "bottom_up", "skip_layers": True, **PLAIN}
QUANTUS: Mapping[str, Sequence[Callable[[], Any]]] = {
    "deletion": [lambda: quantus.PixelFlipping(features_in_step=FEATURES // STEPS, **FILLED)],
    "insertion": [lambda: quantus.PixelFlipping(features_in_step=FEATURES // STEPS, **FILLED)],
    "srg": [],
    "mu_fidelity": [
        lambda: quantus.FaithfulnessCorrelation(
            nr_runs=200, subset_size=round(SHARE * FEATURES), return_aggregate=False, **FILLED
        )
    ],
    "infidelity": [lambda: quantus.Infidelity(n_perturb_samples=1, perturb_patch_sizes=[16], **FILLED)],
    "single_deletion": [lambda: quantus.FaithfulnessEstimate(features_in_step=FEATURES // ALONE, **FILLED)],
    "sensitivity_n": [
        lambda: quantus.SensitivityN(features_in_step=FEATURES // SIZED, return_aggregate=False, **FILLED)
    ],
    "completeness": [lambda: quantus.Completeness(**FILLED)],
    "weights_similarity": [
        partial(quantus.MPRT, seed=draw, return_last_correlation=True, **LAST) for draw in range(REDRAWS)
    ],
    "complexity_rise": [lambda: quantus.EfficientMPRT(**LAST)],
}
"""The calls of Quantus for one method. It has no SRG, which is the difference of the two scores before it."""
LINES: Sequence[tuple[str, ...]] = (
    CURVES,
    *((name,) for name in SUBSETS),
    ("mu_fidelity", "infidelity"),
    SUBSETS,
    *((name,) for name in RANDOMISED),
    RANDOMISED,
)
"""Metrics that we ask for at once."""


@dataclass(frozen=True)
class Run:
    """Counts the calls of the network, their rows, and the seconds of each turn."""

    calls: int
    rows: int
    seconds: Sequence[float]

    def __add__(self, other: "Run") -> "Run":
        both = [a + b for a, b in zip(self.seconds, other.seconds, strict=True)]
        return Run(self.calls + other.calls, self.rows + other.rows, both)


def main() -> None:
    """Print the tables."""
    arguments = _arguments()
    torch.set_num_threads(1)
    audit = random_audit(arguments.n)
    versions = f"torch {torch.__version__}, quantus {version('quantus')}, numpy {np.__version__}"
    what = f"ResNet-18, {SIZE}x{SIZE}, {len(METHODS)} methods, {arguments.n} images, {arguments.rounds} turns"
    print(f"{machine(CPU)}, {versions}, {date.today()}, {what}.\n")
    _print_comparison(audit, arguments.rounds)
    _print_stages(audit, arguments.rounds)


def _measure(audit: Audit, runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Run]:
    counts = {}

    def count(name: str) -> None:
        audit.asked.clear()
        runs[name]()
        counts[name] = len(audit.asked), sum(audit.asked)

    seconds = time_in_turns({name: partial(count, name) for name in runs}, rounds, CPU, time.process_time)
    return {name: Run(*counts[name], seconds[name]) for name in runs}


def _print_comparison(audit: Audit, rounds: int) -> None:
    runs: dict[str, Callable[[], object]] = {}
    for line in LINES:  # next to each other in a turn
        runs[_own(line)] = partial(scores_of, audit, line, STEPS)
        runs |= {_theirs(name): partial(_ask_quantus, audit, name) for name in line}
    found = _measure(audit, runs, rounds)
    print("| metrics | calls, rows | Quantus' calls, rows | s | Quantus' s | theirs over ours | quartiles |")
    print("|---|---|---|---|---|---|---|")
    for title, asked in {**{", ".join(line): [line] for line in LINES}, "all": [CURVES, SUBSETS, RANDOMISED]}.items():
        own = reduce(add, (found[_own(line)] for line in asked))
        _print_line(title, own, reduce(add, (found[_theirs(name)] for line in asked for name in line)), audit.n_maps)


def _print_line(title: str, own: Run, theirs: Run, n: int) -> None:
    low, middle, high = ratio(theirs.seconds, own.seconds)
    asked = [f"{run.calls}, {run.rows}" for run in (own, theirs)]
    seconds = [f"{statistics.median(run.seconds) / n:.3f}" for run in (own, theirs)]
    print(f"| {title} | {' | '.join((*asked, *seconds))} | {middle:.1f} | {low:.1f} to {high:.1f} |")


def _own(line: Sequence[str]) -> str:
    return f"ours, {', '.join(line)}"


def _theirs(name: str) -> str:
    return f"Quantus, {name}"


def _print_stages(audit: Audit, rounds: int) -> None:
    print("\n| stage | rows | s |\n|---|---|---|")
    for name, run in _measure(audit, stages(audit), rounds).items():
        print(f"| {name} | {run.rows / audit.n_maps:.0f} | {statistics.median(run.seconds) / audit.n_maps:.3f} |")


def _ask_quantus(audit: Audit, name: str) -> list[object]:
    maps = audit.maps.amax() - audit.maps if name == "insertion" else audit.maps  # the lowest pixels first
    return [
        make()(
            model=audit.network,
            x_batch=audit.inputs.numpy(),
            y_batch=audit.target.numpy(),
            a_batch=of_method[:, None].numpy(),
            explain_func=_explain_for_quantus,
            explain_func_kwargs={"method": method},
            device="cpu",
        )
        for of_method, method in zip(maps, METHODS, strict=True)
        for make in QUANTUS[name]
    ]


def _explain_for_quantus(model: nn.Module, inputs: Any, targets: Any, method: str, **_: object) -> Any:
    given = torch.as_tensor(inputs), torch.as_tensor(targets)
    return ATTRIBUTORS[method](model, *given)[:, None].numpy()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=2, help="images")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
