"""The cost of the engine beside the work that it does, part by part. Prints Markdown tables.

overhead: a whole audit beside its kernels, which are the stage functions as each task calls them, one after the other
and on workers; imports and the start of processes are apart. scheduling: CPU and memory of driver and scheduler, for
tasks that do nothing. efficiency: many workers that only sleep. status: the command, on a store of very many receipts.
writing: a task's arrays through the store beside plain zarr, in turns, with the same shards and codec, and values that
hardly compress. Wall times are those of a shared machine, whose load is printed before and after each part; CPU seconds
suffer less.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from benchmarks.kernels import Audit, run_audit
from benchmarks.measuring import CPU, machine, ratio
from benchmarks.scheduling import Scheduling, call_apart, efficiency, scheduling
from benchmarks.stores import measure_command, measure_writing, plan_like, write_finished_run


def main() -> None:
    """Print the tables of the parts that are asked for."""
    arguments = _arguments()
    torch.set_num_threads(1)
    print(f"{machine(CPU)}, {os.cpu_count()} cores, torch {torch.__version__}, {date.today()}.")
    for name in arguments.parts:
        before = _load()
        lines = list(PARTS[name](arguments))
        print(f"\n{name}, load {before} to {_load()}:\n", *lines, sep="\n", flush=True)


def _overhead(arguments: argparse.Namespace) -> Iterator[str]:
    yield (
        "| audit | workers | tasks | kernels, s | wall, s | kernels / workers, s | overhead, wall | overhead, CPU |"
        " preparing, s | starting, s |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for _ in range(arguments.repeats):
        for workers in (1, arguments.workers):
            with TemporaryDirectory() as folder:
                audit = run_audit(arguments.spec, Path(folder) / "audit.zarr", workers)
            yield f"| {arguments.spec.stem} | {_overhead_row(audit)}"


def _overhead_row(audit: Audit) -> str:
    return (
        f"{audit.workers} | {len(audit.tasks)} | {audit.kernels:.1f} | {audit.elapsed:.1f} | "
        f"{audit.kernels / audit.workers:.1f} | {audit.overhead:.1%} | {audit.cpu_overhead:.1%} | "
        f"{audit.preparing:.1f} | {audit.starting:.1f} |"
    )


def _scheduling(arguments: argparse.Namespace) -> Iterator[str]:
    cost = Scheduling(**call_apart(scheduling, str(arguments.spec), arguments.tasks, arguments.workers))
    before, started, *shares = cost.memory
    yield "| tasks | workers | CPU ms a task | wall ms a task | MiB before | with cluster | after each tenth |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {cost.tasks} | {arguments.workers} | {cost.cpu / cost.tasks * 1e3:.2f} | "
        f"{cost.elapsed / cost.tasks * 1e3:.2f} | {before:.0f} | {started:.0f} | "
        f"{' '.join(f'{share:.0f}' for share in shares)} |"
    )


def _efficiency(arguments: argparse.Namespace) -> Iterator[str]:
    workers, each, seconds = arguments.sleepers, arguments.sleeps, arguments.seconds
    yield "| workers | tasks each | s a task | ideal / wall |"
    yield "|---|---|---|---|"
    for _ in range(arguments.repeats):
        yield f"| {workers} | {each} | {seconds:g} | {call_apart(efficiency, workers, each, seconds):.3f} |"


def _status(arguments: argparse.Namespace) -> Iterator[str]:
    yield "| command | tasks | wall, s | CPU, s | n |"
    yield "|---|---|---|---|---|"
    plan = plan_like(arguments.spec)
    images = -(-arguments.tasks // (len(list(plan.all_tasks())) // plan.n_tiles))
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        n = write_finished_run(arguments.spec, plan_like(arguments.spec, image=images, tile=1), run)
        for name, tasks, words in (("--help", "", ["--help"]), ("status", str(n), ["status", str(run)])):
            took = measure_command(words, arguments.rounds)
            yield f"| {name} | {tasks} | {median(took.elapsed):.2f} | {median(took.cpu):.2f} | {arguments.rounds} |"


def _writing(arguments: argparse.Namespace) -> Iterator[str]:
    yield "| stage | MB a task | plain zarr, MB/s | share of it, wall | quartiles | share of it, CPU | n |"
    yield "|---|---|---|---|---|---|---|"
    rounds, tile, size = arguments.rounds, arguments.tile, arguments.size
    images = (rounds + 1) * tile
    sizes = {"image": images, "tile": tile, "perturbation": arguments.entries, "y": size, "x": size, "class": 1000}
    plan = plan_like(arguments.spec, **sizes)
    for stage in ("perturb", "attribute", "score"):
        with TemporaryDirectory() as folder:
            wrote = measure_writing(arguments.spec, plan, stage, rounds, Path(folder))
        own, plain = wrote.seconds["Store.write"], wrote.seconds["plain zarr"]
        low, middle, high = ratio(plain, own)
        _, cpu, _ = ratio(wrote.cpu["plain zarr"], wrote.cpu["Store.write"])
        rate = wrote.megabytes / median(plain)
        yield (
            f"| {stage} | {wrote.megabytes:.1f} | {rate:.0f} | {middle:.2f} | {low:.2f} to {high:.2f} | {cpu:.2f} | "
            f"{rounds} |"
        )


PARTS: Mapping[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "overhead": _overhead,
    "scheduling": _scheduling,
    "efficiency": _efficiency,
    "status": _status,
    "writing": _writing,
}


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--spec", type=Path, default=Path("specs/demo.toml"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=100_000, help="of scheduling and status")
    parser.add_argument("--sleepers", type=int, default=64, help="workers that sleep")
    parser.add_argument("--sleeps", type=int, default=20, help="tasks for each of them")
    parser.add_argument("--seconds", type=float, default=1.0, help="of such a task")
    parser.add_argument("--entries", type=int, default=20, help="perturbations of writing")
    parser.add_argument("--tile", type=int, default=16, help="images of a task of writing")
    parser.add_argument("--size", type=int, default=224, help="pixels of an image of writing")
    parser.add_argument("--rounds", type=int, default=7, help="turns of writing, commands of status")
    parser.add_argument("--repeats", type=int, default=3, help="audits of overhead, runs of efficiency")
    return parser.parse_args()


if __name__ == "__main__":
    main()
