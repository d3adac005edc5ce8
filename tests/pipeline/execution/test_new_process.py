"""A call in a process of its own."""

import os
import sys
from pathlib import Path
from subprocess import DEVNULL, Popen

import psutil
import pytest
from audit_processes import wait_until, workers_of
from dask_processes import IMPORTS

from pipeline.execution.new_process import call_in_new_process
from pipeline.machine.phases import Phase, Tell, count_aloud
from srd.errors import WorkerLost


@pytest.mark.slow
def test_a_process_of_its_own_has_its_variables_and_raises_its_errors() -> None:
    assert call_in_new_process({"PILOT": "yes"}, os.getenv, "PILOT") == "yes"
    assert "PILOT" not in os.environ
    with pytest.raises(ValueError, match="no number"):
        call_in_new_process({}, int, "no number")


WAITING = """
from time import sleep
from pipeline.execution.new_process import call_in_new_process

if __name__ == "__main__":
    call_in_new_process({}, sleep, 600)
"""


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING, encoding="utf-8")
    command = Popen([sys.executable, script], env=os.environ | IMPORTS, stderr=DEVNULL, encoding="utf-8")
    wait_until(lambda: bool(workers_of(command)), command)
    processes = workers_of(command)
    command.kill()
    command.wait()
    assert not psutil.wait_procs(processes, 30)[1]


@pytest.mark.slow
def test_a_process_that_ends_itself_is_lost() -> None:
    with pytest.raises(WorkerLost, match="took too much memory, or crashed"):
        call_in_new_process({}, os._exit, 0)


def read_aloud(words: str, tell: Tell) -> str:
    for number in count_aloud(range(3), words, tell):
        tell(Phase(words, f"image {number}"))
    return "done"


@pytest.mark.slow
def test_what_is_told_there_is_told_here() -> None:
    told: list[Phase] = []
    assert call_in_new_process({}, read_aloud, "reading", tell=told.append) == "done"
    assert [phase.detail for phase in told if phase.detail.startswith("image")] == ["image 0", "image 1", "image 2"]


def what_cannot_be_sent() -> object:
    return lambda: None


@pytest.mark.slow
def test_an_answer_that_cannot_be_sent_is_no_silence() -> None:
    with pytest.raises(WorkerLost, match="the answer of a process cannot be sent"):
        call_in_new_process({}, what_cannot_be_sent)
