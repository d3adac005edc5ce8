"""What the places of others do to a run: listings that lag, workers that pause or lack us, lost terminals."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from time import sleep

import pytest
from audit_processes import start_command, wait_for_end
from bare_environment import bare_process
from command_line import CommandEnd
from dask_processes import IMPORTS, process, scheduler, worker
from fault_trials import FaultTrial
from small_audits import receipts

pytestmark = pytest.mark.faults

NO_REPORT = ("--stage", "score")
FREEZE = """\
import os
listing, seen = os.listdir, {}
def first(path="."):
    return seen.setdefault(str(path), listing(path)) if "audit.records" in str(path) else listing(path)
os.listdir = first
"""


def test_a_listing_that_is_old_is_not_believed(
    trial: FaultTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FREEZE, encoding="utf-8")
    monkeypatch.setitem(IMPORTS, "PYTHONPATH", os.pathsep.join((str(tmp_path / "site"), IMPORTS["PYTHONPATH"])))
    end = trial.run(*NO_REPORT)
    monkeypatch.undo()
    assert end.code == 0, end.err
    assert "wait for others" not in end.err
    trial.settle("listings are old", end, 0, trial.run(*NO_REPORT))


def test_a_worker_that_pauses_goes_on(trial: FaultTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE", "0.001")
    limit = ("--memory-limit", "8GiB")
    with scheduler(tmp_path) as (address, _), process("worker", address, "--nthreads", 1, "--no-dashboard", *limit):
        end = trial.run("--scheduler", address, *NO_REPORT)
    assert end.code == 0, end.err
    trial.settle("workers pause", end, 0, trial.run(*NO_REPORT))


def test_a_worker_without_this_project_is_named(trial: FaultTrial, tmp_path: Path) -> None:
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(tmp_path))
        with bare_process(tmp_path, "worker", address, "--nthreads", 1, "--no-dashboard"):
            end = trial.run("--scheduler", address, *NO_REPORT)
        assert end.code == 5, end.err
        stack.enter_context(worker(address, tmp_path))
        trial.settle("a worker lacks this project", end, 0, trial.run("--scheduler", address, *NO_REPORT))


def test_no_worker_comes(trial: FaultTrial, tmp_path: Path) -> None:
    spec = trial.spec.parent / "waiting.toml"
    with scheduler(tmp_path) as (address, _):
        cluster = f'[cluster]\nkind = "scheduler"\naddress = "{address}"\nworker_timeout = 15\n'
        spec.write_text(cluster + trial.spec.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            end = wait_for_end(start_command("run", spec, "--out", trial.out, *NO_REPORT, folder=trial.folder))
        finally:
            spec.unlink()
    assert end.code == 5, end.err
    assert "no worker is there, waiting at most 5 seconds more; start some with `dask worker" in end.err
    trial.settle("no worker comes", end, 0, trial.run(*NO_REPORT))


def test_the_log_of_a_stalled_run_says_what_to_do(trial: FaultTrial, tmp_path: Path) -> None:
    spec = trial.spec.parent / "stalled.toml"
    with scheduler(tmp_path) as (address, _):
        cluster = f'[cluster]\nkind = "scheduler"\naddress = "{address}"\nworker_timeout = 15\n'
        spec.write_text(cluster + trial.spec.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            with worker(address, tmp_path):
                running = start_command("run", spec, "--out", trial.out, *NO_REPORT, folder=trial.folder)
                while running.poll() is None and not receipts(trial.store):
                    sleep(0.1)
            end = wait_for_end(running)
        finally:
            spec.unlink()
    assert end.code == 4, end.err
    lines = (trial.folder / trial.out / "logs" / "cluster.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["told"] for line in lines]
    assert texts[0] == "connecting to the cluster"
    (stalled,) = [text for text in texts if text.startswith("no worker is there, waiting at most")]
    assert "start some with `dask worker ADDRESS --nthreads 1`" in stalled
    assert stalled in end.err


def test_a_terminal_that_is_lost_stops_nothing(trial: FaultTrial) -> None:
    running = trial.start(*NO_REPORT)
    assert running.stdout
    assert running.stderr
    running.stderr.close()  # from now on nobody reads what it says
    with running.stdout:
        end = CommandEnd(running.wait(), running.stdout.read(), "")
    assert end.code == 0
    trial.settle("nobody reads what it says", end, 0, trial.run(*NO_REPORT))
