"""What the adapter of torchattacks costs: PGD through it beside torchattacks' own, on a demo network.

Both take turns in one process; ratios are taken within a turn.
"""

import argparse
import statistics
from datetime import date

import torch
import torchattacks

from attacks.registry import PERTURBATIONS
from attacks.types import Model, Samples
from benchmarks.measuring import CPU, interleaved, machine, ratio
from pipeline.demo.networks import MEAN, STD, load
from pipeline.demo.shapes import TEST_SEED, scene

STRENGTH = 8 / 255


def main() -> None:
    """Prints the medians and their ratio."""
    arguments = _arguments()
    torch.set_num_threads(1)
    model, samples = Model(load("resnet").requires_grad_(False), MEAN, STD).eval(), _samples(arguments.batch)
    direct = torchattacks.PGD(model, eps=STRENGTH, alpha=STRENGTH / 4, steps=10)
    streams = [torch.Generator().manual_seed(row) for row in range(arguments.batch)]
    seconds = interleaved(
        {
            "torchattacks": lambda: direct(samples.images, samples.label),
            "adapter": lambda: PERTURBATIONS["pgd"](model, samples, STRENGTH, streams, steps=10),
        },
        arguments.rounds,
        CPU,
    )
    low, middle, high = ratio(seconds["adapter"], seconds["torchattacks"])
    print(f"{machine(CPU)}, torch {torch.__version__}, {date.today()}, n = {arguments.rounds} turns.\n")
    print("| attack | batch | torchattacks, s | adapter, s | ratio | quartiles |\n|---|---|---|---|---|---|")
    medians = " | ".join(f"{statistics.median(runs):.4f}" for runs in seconds.values())
    print(f"| PGD, 10 steps | {arguments.batch} | {medians} | {middle:.3f} | {low:.3f} to {high:.3f} |")


def _samples(n: int) -> Samples:
    scenes = [scene(TEST_SEED, row) for row in range(n)]
    images = torch.stack([torch.from_numpy(shot.image) for shot in scenes])
    label = torch.tensor([shot.label for shot in scenes])
    return Samples(images, label, label, images, label)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=31)
    return parser.parse_args()


if __name__ == "__main__":
    main()
