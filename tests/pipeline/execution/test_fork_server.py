"""The process of which workers are forked shares nothing with them but imports."""

import os
import signal
import sys
from pathlib import Path

import pytest

from pipeline.execution.fork_server import forked_environment, start_fork_server
from pipeline.execution.new_process import call_in_new_process
from pipeline.execution.on_dask.settings import FORKED


def surroundings() -> tuple[str, bool, bool, bool, str]:
    import torch

    status = Path(f"/proc/{os.getppid()}/status").read_text(encoding="utf-8")
    (threads,) = [line.split()[1] for line in status.splitlines() if line.startswith("Threads:")]
    is_deaf = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    imported = "pipeline.execution.worker" in sys.modules
    return threads, imported, torch.cuda.is_initialized(), is_deaf, os.environ["MALLOC_TRIM_THRESHOLD_"]


@pytest.mark.slow
def test_the_server_has_one_thread_and_has_touched_no_device() -> None:
    server, before = start_fork_server(FORKED), dict(os.environ)
    found = call_in_new_process(forked_environment(FORKED), surroundings, server=server)
    assert found == ("1", True, False, True, FORKED["MALLOC_TRIM_THRESHOLD_"])
    assert os.environ == before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.slow
def test_an_error_of_a_forked_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no number"):
        call_in_new_process({}, int, "no number", server=start_fork_server(FORKED))


@pytest.mark.slow
def test_a_forked_process_has_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials may change, and be removed, after the server began."""
    monkeypatch.setenv("SECRET_OF_BEFORE", "1")
    server = start_fork_server(FORKED)
    monkeypatch.delenv("SECRET_OF_BEFORE")
    monkeypatch.setenv("SECRET_OF_NOW", "2")
    names = call_in_new_process(forked_environment(FORKED), list_names, server=server)
    assert "SECRET_OF_NOW" in names
    assert "SECRET_OF_BEFORE" not in names


def list_names() -> list[str]:
    return list(os.environ)
