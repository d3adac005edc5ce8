"""Measure the time of each corruption of ImageNet-C on one picture of 224 pixels, CPU only.

Prints a Markdown table in milliseconds. Where the package `imagecorruptions-imaug` is installed, which this project
does not require, it has the ratio of our time to its time. Both take turns in one process; ratios are taken within a
turn. The package reads and returns pictures of 8 bits, ours are floats.
"""

import argparse
import statistics
from collections.abc import Callable
from datetime import date
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor

from attacks.corruptions.registry import IMAGENET_C
from attacks.entries import PerturbationEntry
from attacks.types import Model, Samples
from benchmarks.measuring import CPU, machine, ratio, time_in_turns
from pipeline.demo.shapes import TEST_SEED, scene

SIZE, SEVERITIES = 224, (1, 3, 5)
PACKAGE = "imagecorruptions"


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    small = torch.from_numpy(scene(TEST_SEED, 0).image)[None]
    image = torch.nn.functional.interpolate(small, (SIZE, SIZE), mode="bilinear")
    print(f"{machine(CPU)}, torch {torch.__version__}, {date.today()}, {SIZE}x{SIZE}.\n")
    print(f"| corruption | severity | ms | {PACKAGE}, ms | ours over it | quartiles | n |")
    print("|---|---|---|---|---|---|---|")
    for entry in IMAGENET_C:
        for severity in SEVERITIES:
            _print_line(entry, severity, image, arguments.rounds)


def _print_line(entry: PerturbationEntry, severity: int, image: Tensor, rounds: int) -> None:
    competitors = {"ours": _ours(entry, severity, image)}
    if find_spec(PACKAGE) is not None:
        competitors["theirs"] = _theirs(entry, severity, image)
    seconds = time_in_turns(competitors, rounds, CPU)
    cells = [entry.title, str(severity), f"{1000 * statistics.median(seconds['ours']):.1f}"]
    if "theirs" in seconds:
        low, middle, high = ratio(seconds["ours"], seconds["theirs"])
        theirs = 1000 * statistics.median(seconds["theirs"])
        cells += [f"{theirs:.1f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}"]
    else:
        cells += ["not installed", "", ""]
    print(f"| {' | '.join(cells)} | {rounds} |", flush=True)


def _ours(entry: PerturbationEntry, severity: int, image: Tensor) -> Callable[[], object]:
    label = torch.zeros(1, dtype=torch.int64)
    model = Model(torch.nn.Identity(), (0.5,), (0.5,))
    samples, generators = Samples(image, label, label, image, label), [torch.Generator().manual_seed(0)]
    return lambda: entry(model, samples, severity, generators)


def _theirs(entry: PerturbationEntry, severity: int, image: Tensor) -> Callable[[], object]:
    values, name = (255 * image[0]).byte().movedim(0, -1).contiguous().numpy(), entry.name.removeprefix("imagenet_c_")
    corrupt = import_module(PACKAGE).corrupt
    return lambda: corrupt(values, severity, name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


if __name__ == "__main__":
    main()
