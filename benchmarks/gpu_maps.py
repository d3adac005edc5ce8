"""Maps on a device: images a second beside a plain gradient's, and how far they are from the CPU's."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.measuring import network_of, ratio, time_in_turns
from pipeline.execution.job import Job
from pipeline.execution.new_process import environment
from pipeline.execution.subjects import load_subject
from pipeline.machine import devices, seeds
from pipeline.machine.environment import reproducible
from pipeline.stages.context import own_attributor
from pipeline.store.store import Store
from srd.baselines.grad_cam import grad_cam
from srd.baselines.saliency import saliency
from srd.decomposition import decompose
from srd.precision import PRODUCTS, products_of

TOLERANCE = 1e-3
"""The largest Euclidean error, relative to the CPU's map of the same image, of half of the maps of a method.

Float32 sums in another order move a map by 1e-6 to 1e-5. Where two inputs of a window of max pooling, or two slopes at
a kink, are equal but for rounding, single maps move by percents on any two machines.
"""


def print_throughput(batches: Sequence[int], size: int, rounds: int, device: torch.device) -> None:
    """Print images a second of each method on a ResNet-50, and their shares of the plain gradient's."""
    print(f"\nResNet-50 of random weights, {size}x{size}, medians of n = {rounds} turns.\n")
    print("| batch | what | images a second | of the gradient's | quartiles |\n|---|---|---|---|---|")
    network = network_of("resnet50").to(device)
    for batch in batches:
        try:
            for line in _throughput(network, batch, size, rounds, device):
                print(f"| {batch} | {line} |", flush=True)
        except torch.OutOfMemoryError:
            print(f"| {batch} | does not fit into the memory | | | |", flush=True)


def _throughput(network: nn.Module, batch: int, size: int, rounds: int, device: torch.device) -> Iterator[str]:
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, 3, size, size, generator=draw).to(device)
    target = torch.zeros(batch, dtype=torch.int64, device=device)
    mixed = "SRD, mixed" + ", which is full here" * (products_of("mixed", device) == PRODUCTS["full"])
    competitors = {
        "plain gradient": partial(_gradient, network, inputs, target),
        "Saliency": partial(saliency, network, inputs, target),
        "Grad-CAM": partial(grad_cam, network, inputs, target),
        "SRD": partial(decompose, network, inputs, target),
        mixed: partial(decompose, network, inputs, target, precision="mixed"),
    }
    seconds = time_in_turns(competitors, rounds, device)
    for name, own in seconds.items():
        low, middle, high = ratio(seconds["plain gradient"], own)
        yield f"{name} | {batch / median(own):.3g} | {middle:.2f} | {low:.2f} to {high:.2f}"


def _gradient(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    x = inputs.clone().requires_grad_()
    (result,) = torch.autograd.grad(network(x).gather(1, target[:, None]).sum(), x)
    return result


def print_distance_from_cpu(job: Job, images: int) -> None:
    """Print how far each method's maps on the device are from the CPU's, of the inputs of a finished audit."""
    print(f"\nRelative Euclidean distance from the CPU's maps, of the same inputs; tolerance {TOLERANCE:g} (median).\n")
    print("| method | maps | median | largest | same |\n|---|---|---|---|---|")
    ours = _maps(job, images)
    with environment({devices.VARIABLE: devices.CPU}):
        theirs = _maps(job, images)
    for name, maps in ours.items():
        errors = ((maps - theirs[name]).flatten(1).norm(dim=1) / theirs[name].flatten(1).norm(dim=1)).tolist()
        same = "yes" if median(errors) <= TOLERANCE else "NO"
        print(f"| {name} | {len(errors)} | {median(errors):.1e} | {max(errors):.1e} | {same} |", flush=True)


def _maps(job: Job, images: int) -> Mapping[str, Tensor]:
    """Return the maps (images * conditions, h, w) of each method, each image with all its conditions as one batch."""
    subject, store = load_subject(job), Store(job.store, read_only=True)
    model, plan = subject.model.model, store.attributes.plan
    targets, rows = store.read("target"), range(min(images, plan.tile))
    seen = [store.read_output(writer, ["input"])["input"][:, 0] for writer in plan.of_tile("perturb", 0)]
    inputs = torch.stack([torch.from_numpy(each) for each in seen], 1)
    maps: dict[str, Tensor] = {}
    with reproducible():
        for name in job.spec.explain.methods:
            explain = own_attributor(job.spec, model, subject.data, name)
            found = []
            for row in rows:
                batch = model.normalise(inputs[row].to(model.device))
                target = torch.from_numpy(targets[[row] * len(batch)]).to(model.device)
                streams = [seeds.generator(0, name, str(row), str(column)) for column in range(len(batch))]
                found.append(explain(model.network, batch, target, streams).cpu())
            maps[name] = torch.cat(found)
    return maps
