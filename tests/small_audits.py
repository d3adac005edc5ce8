"""Audits that take a second: pictures of three colours in a folder, a network that sees colour, a spec, and runs."""

import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import colour_network
import numpy as np
import pytest
import torch
from colour_network import COLOURS
from numpy.typing import NDArray
from PIL import Image

from benchmarks.blank import blank_coordinates
from pipeline.execution import run as running
from pipeline.execution.executors import Executor, Outcome, serial_executor
from pipeline.execution.job import Job
from pipeline.execution.logs import LOGS
from pipeline.execution.subjects import Subject, context_of, load_subject
from pipeline.machine import imports
from pipeline.plan.dependencies import Dependencies
from pipeline.plan.schema import REASONS
from pipeline.plan.selection import ALL, Selection
from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Plan, Task
from pipeline.spec.audit import AuditSpec, load_spec, parse_spec
from pipeline.stages.context import Context
from pipeline.store.attributes import FingerprintedFacts, RunAttributes
from pipeline.store.creation import NewStore, create
from pipeline.store.location import Location
from pipeline.store.receipts import DIGEST, LITTER, RECEIPTS
from pipeline.store.records import is_record, key_in_records, key_in_store, records_folder
from pipeline.store.store import NAME, Arrays, Store
from srd.registry import MAP_METRICS

SIZE = 16
PER_CLASS = 2

SPEC = """
[model]
spec = "network.py:build"
weights = "weights.pt"
classes = "classes.json"

[data]
path = "images"
masks = "masks"

[explain]
methods = ["srd", "saliency", "random"]

[[perturbation]]
name = "gaussian_noise"
strengths = [0.1]

[[perturbation]]
name = "pgd"
strengths = ["8/255"]
options.steps = 2

[[perturbation]]
name = "manipulate"
strengths = ["8/255"]
against = ["srd"]
options.steps = 2

[measure]
n_faithfulness = 4
n_randomise = 2
steps = 4
subsets = 8
redraws = 2

[run]
tile = 4
seed = 1
"""
"""Two tiles, the second of which is half full. Of both the network is asked about some images, but not about all."""

TASKS = {"perturb": 8, "attribute": 6, "occlude": 2, "remove": 6, "randomise": 6, "score": 6}


@dataclass
class Watch:
    """An observer that remembers the events it receives."""

    attributes: RunAttributes | None = None
    stages: list[tuple[str, int, int]] = field(default_factory=list)
    waiting: list[tuple[str, int]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def on_store(self, attributes: RunAttributes) -> None:
        self.attributes = attributes

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        self.stages.append((name, done, total))

    def on_wait(self, name: str, n: int) -> None:
        self.waiting.append((name, n))

    def on_task(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    spec: Path
    job: Job
    watch: Watch

    @property
    def context(self) -> Context:
        return context_of(self.job)

    @property
    def attributes(self) -> RunAttributes:
        return self.context.store.attributes


def write_audit(folder: Path) -> Path:
    """Write pictures, masks, network, weights and spec into `folder`; return the spec's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, colour in enumerate(COLOURS):
        for number in range(PER_CLASS):
            write_picture(folder, index, f"{colour}/{number}.png")
    shutil.copyfile(colour_network.__file__, folder / "network.py")
    torch.save(colour_network.build().state_dict(), folder / "weights.pt")
    (folder / "classes.json").write_text(json.dumps([[colour, colour.title()] for colour in COLOURS]), encoding="utf-8")
    spec = folder / "small.toml"
    spec.write_text(SPEC, encoding="utf-8")
    return spec


def write_picture(folder: Path, colour: int, name: str, size: int = SIZE) -> None:
    """Write a noisy picture with a square of the colour, and its mask."""
    random = np.random.default_rng([colour, *name.encode()])
    pixels = random.integers(20, 120, (size, size, 3))
    top, left = random.integers(1, size // 2, 2)
    mask = np.zeros((size, size), bool)
    mask[top : top + size // 2, left : left + size // 2] = True
    pixels[mask, colour] += 120
    for file, values in (("images", pixels), ("masks", mask * 255)):
        write_png(folder / file / name, values)


def write_png(path: Path, values: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def edit(file: Path, old: str, new: str) -> Path:
    """Replace the only `old` in a text file."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def change_sources(monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """Make this process find other contents in some files of the sources than those that it has imported."""
    contents = imports._contents()
    changed = {**contents, **{file: contents[file] + b"# changed" for file in files}}
    monkeypatch.setattr(imports, "_contents", lambda: changed)


def store_in(folder: Path) -> Location:
    """Return the location of the store of a run that lies in its folder."""
    return Location(str(folder / NAME))


def job_of(spec: Path, folder: Path) -> Job:
    return Job(load_spec(spec), spec.parent, store_in(folder))


def subject_of(spec: Path) -> Subject:
    return load_subject(job_of(spec, spec.parent))


def run(job: Job, executor: Executor, observer: running.Observer, selection: Selection = ALL) -> None:
    """Prepare a job and run it."""
    running.run(running.prepare_run(job, executor), executor, observer, selection)


def plain_attributes(versions: dict[str, str]) -> RunAttributes:
    """Return the attributes of a store of which nothing but these versions matters."""
    spec = parse_spec(
        {"model": {"spec": "demo:vgg"}, "data": {"path": "demo:shapes"}, "explain": {"methods": ["srd"]}}, ""
    )
    plan = Plan({"image": 1, "perturbation": 1, "method": 1, "class": 2}, 1, has_masks=False)
    attributes = attributes_of(spec, plan)
    made = attributes.fingerprinted.model_copy(update={"versions": versions})
    return attributes.model_copy(update={"fingerprinted": made})


def attributes_of(spec: AuditSpec, plan: Plan) -> RunAttributes:
    """Return the attributes of a store of a plan, of which nothing else matters."""
    sources = dict.fromkeys(STAGES, "0" * DIGEST)
    made = FingerprintedFacts(spec=spec, data="", weights="", network="", sources=sources, versions={}, hardware="")
    return RunAttributes(
        fingerprint=made.fingerprint,
        fingerprinted=made,
        plan=plan,
        correct=0,
        data="",
        notes=(),
        parameters=0,
        certificates=None,
        self_checks=(),
        resolutions={},
        reasons=REASONS,
        references={},
        evidence={},
        threats={},
    )


def create_like(location: Location, store: Store, plan: Plan, prepared: Arrays) -> None:
    """Create a store with the attributes of another, except for the plan and what is prepared."""
    attributes = store.attributes.model_copy(update={"plan": plan})
    create(location, NewStore(blank_coordinates(plan), prepared, attributes))


def finish(spec: Path, folder: Path, executor: Executor = serial_executor) -> Finished:
    """Run the audit to its end."""
    job, watch = job_of(spec, folder), Watch()
    run(job, executor, watch)
    return Finished(spec, job, watch)


def finish_until_killed(spec: Path, folder: Path, nth: int) -> None:
    """Run the audit as `finish` does, but kill the process when the nth file of the store is to get its name."""
    rename, files = Path.replace, count()

    def killing(path: Path, target: Path) -> Path:
        if path.match(LITTER) and next(files) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.replace = killing  # type: ignore[method-assign, assignment]  # this process does nothing else
    finish(spec, folder)


def tree(folder: Path | Location) -> dict[str, str]:
    """Return the digest of every file under `folder`, by relative path.

    The logs of runs are left out: they tell the time.
    """
    root = path_of(folder)
    records = records_folder(root)
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    files |= {key_in_store(str(path.relative_to(records))): path for path in records.rglob("*") if path.is_file()}
    return {name: sha256(file.read_bytes()).hexdigest() for name, file in files.items() if LOGS not in Path(name).parts}


def path_of(place: Path | Location) -> Path:
    path = place if isinstance(place, Path) else place.path
    assert path
    return path


def receipts(store: Path | Location) -> set[str]:
    """Return the keys of the tasks with a complete receipt: a killed process may leave one half written."""
    return {path.name for path in object_path(store, RECEIPTS).glob("*") if not path.match(LITTER)}


def copy_store(store: Path | Location, target: Path) -> None:
    """Copy a store with its records."""
    shutil.copytree(path_of(store), target)
    shutil.copytree(records_folder(path_of(store)), records_folder(target))


def object_path(store: Path | Location, *parts: str) -> Path:
    """Return the path of an object of a store, such as `object_path(store, "_ledger", "score-00000-00")`."""
    key = "/".join(parts)
    return records_folder(path_of(store)) / key_in_records(key) if is_record(key) else path_of(store) / key


def lost_with(bad: Task, context: Context) -> set[Task]:
    """Return the task and all that read from it, directly or not: the slow definition."""
    dependencies, lost = Dependencies(context.plan, context.target_images.tolist()), {bad}
    for task in context.plan.all_tasks():
        if lost & set(dependencies.of(task)):
            lost.add(task)
    return lost


def shard_key(plan: Plan, task: Task, name: str) -> str:
    """Return the key of the one shard of an array that the task writes."""
    variable = VARIABLES[name]
    shard = variable.shard(plan.sizes, plan.tile)
    position = [(part.start or 0) // size for part, size in zip(plan.region(task, variable), shard, strict=True)]
    return f"{name}/c/{'/'.join(map(str, position))}"


def needs_mask() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which metrics need a mask of the object."""
    return np.array([entry.of == "map and mask" for entry in MAP_METRICS.values()])


def same(one: Arrays, other: Arrays) -> bool:
    """Return whether two tasks made the same bytes."""
    return _bytes(one) == _bytes(other)


def _bytes(arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: (values.dtype.str, values.shape, values.tobytes()) for name, values in arrays.items()}
