"""Compare the adapter of torchattacks with torchattacks, and a step of manipulation with one map.

Competitors take turns in one process; ratios are taken within a turn. A step is a twentieth of a search of 20 steps,
each of which differentiates through the method. Every second result is judged on the network as it is.
"""

import argparse
import statistics
from datetime import date

import torch
import torchattacks

from attacks.balls import Linf
from attacks.explanations.ascent import Ascent, displace
from attacks.explanations.gradients import DifferentiatedGradient, Surrogate, sharpening_softplus, without_surrogate
from attacks.explanations.threat_model import objectives_of
from attacks.registry import PERTURBATIONS
from attacks.types import Model, Samples
from benchmarks.measuring import CPU, machine, network_of, ratio, time_in_turns
from pipeline.demo.networks import MEAN, STD, load
from pipeline.demo.shapes import TEST_SEED, scene
from srd.registry import ATTRIBUTORS

STRENGTH = 8 / 255
STEPS = 20


def main() -> None:
    """Print the medians and their ratio."""
    arguments = _arguments()
    torch.set_num_threads(1)
    model, samples = Model(load("resnet").requires_grad_(False), MEAN, STD).eval(), _samples(arguments.batch)
    direct = torchattacks.PGD(model, eps=STRENGTH, alpha=STRENGTH / 4, steps=10)
    streams = [torch.Generator().manual_seed(row) for row in range(arguments.batch)]
    seconds = time_in_turns(
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
    print(f"| PGD, 10 steps | {arguments.batch} | {medians} | {middle:.3f} | {low:.3f} to {high:.3f} |\n")
    print("| one step through | on | as | map, s | step, s | ratio | quartiles |\n|---|---|---|---|---|---|---|")
    wide = Model(network_of("resnet18").requires_grad_(False), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)).eval()
    for name, attacked, on in (("demo:resnet", model, samples), ("resnet18, 224x224", wide, _noise(4))):
        for method in ("saliency", "srd"):
            for way, surrogate in (("softplus", sharpening_softplus), ("as it is", without_surrogate)):
                print(f"| {method} | {name} | {way} | {_step(attacked, on, method, surrogate, arguments.rounds)} |")


def _step(model: Model, samples: Samples, method: str, surrogate: Surrogate, rounds: int) -> str:
    """Return the median seconds of a map (a gradient for Saliency) and of a step, their ratio and its quartiles."""
    attributor = ATTRIBUTORS[method].load()
    todo = objectives_of("target map", model, samples, attributor, None, 1.0, 1.0)
    search = Ascent(Linf(STRENGTH), DifferentiatedGradient(todo.gain, surrogate), todo.judge, displace, STEPS, 0.25)
    inputs = model.normalise(samples.images)
    seconds = time_in_turns(
        {
            "map": lambda: attributor(model.network, inputs, samples.target),
            "search": lambda: search(samples.images, torch.zeros_like(samples.images)),
        },
        rounds,
        CPU,
    )
    low, middle, high = (value / STEPS for value in ratio(seconds["search"], seconds["map"]))
    medians = statistics.median(seconds["map"]), statistics.median(seconds["search"]) / STEPS
    return f"{medians[0]:.4f} | {medians[1]:.4f} | {middle:.2f} | {low:.2f} to {high:.2f}"


def _noise(n: int) -> Samples:
    draw = torch.Generator().manual_seed(0)
    images, others = (torch.rand(n, 3, 224, 224, generator=draw) for _ in range(2))
    target = torch.arange(n)
    return Samples(images, target, target, others, target + 1)


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
