"""Measure what a device gives: methods beside a plain gradient, audits and what binds them, maps beside the CPU's.

Prints Markdown tables. First images a second of SRD, Saliency and Grad-CAM on a ResNet-50. Then a row for each stage of
two audits, of the demo and of a ResNet-50 on pictures of 224 x 224: in this process, and on one Dask worker, which must
give equal bytes. Last, how far the maps are from the CPU's.

Without a CUDA device it says so and measures the CPU. "Card busy" is the mean of what `nvidia-smi` samples five times a
second: the share of time in which any kernel ran, which a small network's kernels may fill without filling the card.
"Processor busy" is the CPU time of this process over the time that passed. What binds a stage follows from both.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from shutil import which
from statistics import mean
from tempfile import TemporaryDirectory, TemporaryFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from benchmarks.gpu_maps import print_distance_from_cpu, print_throughput
from pipeline.demo.shapes import CLASSES, TEST_SEED, scene
from pipeline.execution.executors import Executor, Outcome, serial_executor
from pipeline.execution.job import Job
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.run import prepare_run, run
from pipeline.machine import devices
from pipeline.machine.environment import hardware
from pipeline.machine.sources import files_digest
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.store.attributes import RunAttributes
from pipeline.store.location import Location

QUERY = (
    "nvidia-smi",
    "--id=0",
    "--query-gpu=timestamp,utilization.gpu,memory.used",
    "--format=csv,noheader,nounits",
    "--loop-ms=200",
)

NETWORK = """
from torchvision import models

def build():
    return models.resnet50(num_classes={classes})
"""

SPEC = """
[model]
spec = "network.py:build"
weights = "weights.pt"
mean = [0.5]
std = [0.25]

[data]
path = "images"

[explain]
methods = ["srd", "saliency", "integrated_gradients", "grad_cam", "random", "edges"]
options.integrated_gradients.points = 8

[[perturbation]]
name = "gaussian_noise"
strengths = [0.1]

[[perturbation]]
name = "pgd"
strengths = ["4/255", "8/255"]

[[perturbation]]
name = "manipulate"
strengths = ["8/255"]
options.steps = 10

[run]
tile = 8
"""


SERIAL = "serial"
BUSY = 0.8
"""The share of time from which on card or processor bind a stage."""


@dataclass
class StageTime:
    """The tasks of one stage, its start and its end, and the CPU seconds of this process at both."""

    name: str
    tasks: int
    start: datetime
    end: datetime
    cpu_before: float
    cpu_after: float

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def processor(self) -> float:
        """Return the share of time in which this process had the processor."""
        return (self.cpu_after - self.cpu_before) / max(self.seconds, 1e-9)


@dataclass
class Clock:
    """An observer that measures stages, each from its start to its last outcome."""

    stages: list[StageTime] = field(default_factory=list)

    def on_store(self, attributes: RunAttributes) -> None:
        """Ignore the preparation, which is no stage."""

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        """Note the start of a stage."""
        now, cpu = datetime.now(), time.process_time()
        self.stages.append(StageTime(name, total - done, now, now, cpu, cpu))

    def on_wait(self, name: str, n: int) -> None:
        """Ignore tasks that wait: nothing failed, so nothing waits."""

    def on_task(self, outcome: Outcome) -> None:
        """Note the end of a task, or raise the error with which it failed."""
        if outcome.error is not None:
            raise outcome.error
        self.stages[-1].end, self.stages[-1].cpu_after = datetime.now(), time.process_time()


def main() -> None:
    """Print the tables."""
    arguments = _arguments()
    if arguments.device:
        os.environ[devices.VARIABLE] = arguments.device
    device = devices.device()
    print(f"{hardware()}, torch {torch.__version__}, {date.today()}.")
    if device.type != devices.CUDA:
        print("\nNo CUDA device: this is the CPU.")
    with devices.deterministic():
        print_throughput(arguments.batches, arguments.size, arguments.rounds, device)
    print("\n| audit | runs | stage | tasks | s | card busy | card's memory, MiB | processor busy | bound by | bytes |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        resnet = write_resnet50_audit(Path(folder), arguments.images, arguments.size, SPEC)
        for name, spec in ((arguments.demo.stem, arguments.demo), (f"ResNet-50, {arguments.size} pixels", resnet)):
            _measure(name, spec, Path(folder) / name)
        print_distance_from_cpu(_job(resnet, Path(folder) / name / SERIAL), arguments.compared)


def _measure(name: str, spec: Path, home: Path) -> None:
    """Print the rows of one audit; the first task of a process builds its model, which counts."""
    serial = _rows(f"{name} | serial", spec, home / SERIAL, serial_executor)
    with dask_executor(LocalSpec(workers=1)) as executor:
        on_worker = _rows(f"{name} | one Dask worker", spec, home / "dask", executor)
    print(f"| {name} | both | all | | | | | | | {'equal' if serial == on_worker else 'DIFFER'} |", flush=True)


def _job(spec: Path, home: Path) -> Job:
    return Job(load_spec(spec), spec.parent, Location(str(home)))


def _rows(title: str, spec: Path, home: Path, executor: Executor) -> str:
    """Print a row for each stage; return the digest of the store."""
    job, clock = _job(spec, home), Clock()
    with _sample_card() as samples:
        run(prepare_run(job, executor), executor, clock)
    for stage in clock.stages:
        used = _use(stage, samples(), is_here=executor is serial_executor)
        print(f"| {title} | {stage.name} | {stage.tasks} | {stage.seconds:.1f} | {used} | |", flush=True)
    path = Path(job.store.url)
    return files_digest({str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()})


CardSample = tuple[datetime, int, int]
"""The time, how busy the card is in per cent, and MiB of memory."""


@contextmanager
def _sample_card() -> Iterator[Callable[[], list[CardSample]]]:
    """Yield a function that returns the samples of the first card taken so far; none without a card."""
    if not which(QUERY[0]) or devices.device().type != devices.CUDA:
        yield list
        return
    with TemporaryFile("w+", encoding="utf-8") as file, subprocess.Popen(QUERY, stdout=file) as sampler:

        def samples() -> list[CardSample]:
            file.seek(0)
            return [_sample(line) for line in file if line.endswith("\n")]

        try:
            yield samples
        finally:
            sampler.terminate()


def _sample(line: str) -> CardSample:
    when, busy, memory = line.split(", ")
    return datetime.strptime(when, "%Y/%m/%d %H:%M:%S.%f"), int(busy), int(memory)


def _use(stage: StageTime, samples: list[CardSample], *, is_here: bool) -> str:
    """Return how busy card and processor were, and what bound the stage; the processor's part if it ran here."""
    within = [(busy, memory) for when, busy, memory in samples if stage.start <= when <= stage.end]
    card = mean(busy for busy, _ in within) / 100 if within else 0
    on_card = f"{card:.0%} | {max(memory for _, memory in within)}" if within else " | "
    return f"{on_card} | {stage.processor:.0%} | {_bound_by(card, stage.processor)}" if is_here else f"{on_card} | | "


def _bound_by(card: float, processor: float) -> str:
    """Return what a stage waits for, from the shares of time in which card and processor work."""
    if card >= BUSY:
        return "kernels of the card"
    return (
        "Python and kernels of the processor" if processor >= BUSY else "waiting: reads and writes, or other programs"
    )


def write_resnet50_audit(folder: Path, n: int, size: int, text: str) -> Path:
    """Write an audit of a ResNet-50 on n of the demo's pictures, enlarged, and return its spec, whose text is given.

    Its weights are random, but the last layer is fitted to the pictures.
    """
    for row in range(n):
        shot = scene(TEST_SEED, row)
        file = folder / "images" / CLASSES[shot.label] / f"{row:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = np.rint(255 * shot.image.transpose(1, 2, 0)).astype(np.uint8)
        Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR).save(file)
    files = sorted((folder / "images").rglob("*.png"))
    names = sorted({file.parent.name for file in files})
    network = models.resnet50(num_classes=len(names)).eval()
    _fit_last_layer(network, files, torch.tensor([names.index(file.parent.name) for file in files]))
    torch.save(network.state_dict(), folder / "weights.pt")
    (folder / "network.py").write_text(NETWORK.format(classes=len(names)), encoding="utf-8")
    spec = folder / "resnet50.toml"
    spec.write_text(text, encoding="utf-8")
    return spec


@torch.no_grad()
def _fit_last_layer(network: models.ResNet, files: Sequence[Path], labels: Tensor) -> None:
    """Fit the last layer by least squares, so that the classes of the pictures are told apart."""
    body = nn.Sequential(*list(network.children())[:-1], nn.Flatten())
    pictures = torch.from_numpy(np.stack([np.asarray(Image.open(file), np.float32) for file in files]))
    features = torch.cat([body((part.movedim(-1, 1) / 255 - 0.5) / 0.25) for part in pictures.split(8)])
    wanted = functional.one_hot(labels).float()
    network.fc.weight.copy_(torch.linalg.pinv(features - features.mean(0)).matmul(10 * wanted).T)
    network.fc.bias.copy_(-network.fc.weight @ features.mean(0))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("specs/demo.toml"), help="a spec of the demo's networks")
    parser.add_argument("--images", type=int, default=64, help="of the ResNet-50 audit")
    parser.add_argument("--compared", type=int, default=8, help="images whose maps are compared with the CPU's")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32, 256])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=[devices.CPU, devices.CUDA], help="by default the card, if there is one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
