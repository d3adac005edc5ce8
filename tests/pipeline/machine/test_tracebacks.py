"""Errors keep their cause: where they were raised is told, in whose code, with short paths, wherever it is read."""

import json
import pickle
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Command
from small_audits import edit, store_in, write_audit

from attacks.corruptions.geometry import rotation_back
from pipeline.machine.tracebacks import Origin, locate
from pipeline.plan.stages import VARIABLES
from pipeline.spec.audit import parse_spec
from pipeline.stages import score as scoring
from pipeline.store.packing import pack
from pipeline.store.store import failures
from srd.errors import ModelError, SpecError, StageError

NETWORK = """
import json
import torch
from torchvision.transforms.functional import rgb_to_grayscale

def plain():
    raise ZeroDivisionError("on purpose")

def in_torch():
    return torch.ones(2, 3) @ torch.ones(2, 3)

def in_the_standard_library():
    return json.loads("{")

def in_a_library():
    return rgb_to_grayscale(torch.ones(4))
"""
LINES = {"plain": 7, "in_torch": 10, "in_the_standard_library": 13, "in_a_library": 16}


@pytest.fixture
def network(tmp_path: Path) -> ModuleType:
    (tmp_path / "network.py").write_text(NETWORK, encoding="utf-8")
    spec = spec_from_file_location("network_of_a_user", tmp_path / "network.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def caught(function: Callable[[], object], base: Path) -> Origin:
    with pytest.raises(Exception) as info:  # noqa: PT011  of any kind
        function()
    return locate(info.value, base)


@pytest.mark.parametrize("name", LINES)
def test_the_line_of_the_user_is_named_whoever_it_called(network: ModuleType, tmp_path: Path, name: str) -> None:
    origin = caught(getattr(network, name), tmp_path)
    assert origin.place == f"network.py, line {LINES[name]}, in {name}"
    assert not origin.is_own
    assert str(tmp_path) not in origin.traceback
    assert f'File "network.py", line {LINES[name]}, in {name}' in origin.traceback


def test_a_refusal_of_what_the_user_raised_names_the_line(network: ModuleType, tmp_path: Path) -> None:
    def refuse() -> None:
        try:
            network.plain()
        except ZeroDivisionError as error:
            raise ModelError("the network fails") from error

    origin = caught(refuse, tmp_path)
    assert (origin.place, origin.is_own) == ("network.py, line 7, in plain", False)
    assert "ZeroDivisionError: on purpose" in origin.traceback
    assert origin.traceback.rstrip().endswith("ModelError: the network fails")


@pytest.mark.parametrize(
    "function",
    [
        lambda: pack(np.zeros(3, np.float32)),
        lambda: rotation_back(torch.zeros(3), 10.0, []),
        lambda: VARIABLES["of nobody"],
    ],
    ids=["numpy", "torch", "alone"],
)
def test_what_fails_in_this_project_is_its_own_whatever_it_called(
    function: Callable[[], object], tmp_path: Path
) -> None:
    origin = caught(function, tmp_path)
    assert (origin.place, origin.is_own) == ("", True)


def test_a_refusal_is_no_bug(tmp_path: Path) -> None:
    origin = caught(lambda: parse_spec({}, "spec"), tmp_path)
    assert SpecError.__name__ in origin.traceback
    assert not origin.is_own


def test_the_error_of_a_task_survives_the_way_from_another_process() -> None:
    error = StageError("score-00000-00 failed: ValueError: x", "network.py, line 3, in forward", "Traceback ...", True)
    sent = pickle.loads(pickle.dumps(error))
    assert str(sent) == "score-00000-00 failed: ValueError: x\n  network.py, line 3, in forward"
    assert (sent.cause, sent.place, sent.traceback, sent.is_own) == (
        error.cause, error.place, error.traceback, True
    )  # fmt: skip


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """An audit whose network fails where gradients are asked for of a tile of two: in the attack alone."""
    spec = write_audit(tmp_path / "audit")
    edit(
        spec.parent / "network.py",
        "    def forward(self, inputs: Tensor) -> Tensor:\n",
        "    def forward(self, inputs: Tensor) -> Tensor:\n"
        "        if len(inputs) == 2 and torch.is_grad_enabled():\n"
        '            raise FloatingPointError("on purpose")\n',
    )
    return spec


def logged(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "logs" / "tasks.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_task_that_fails_in_the_users_code_names_its_line_last_and_ends_with_4(
    command: Command, failing: Path, tmp_path: Path, workers: int
) -> None:
    ended = command("run", failing, "--out", tmp_path / "run", "--workers", workers)
    assert ended.code == 4
    number = (failing.parent / "network.py").read_text(encoding="utf-8").splitlines().index(
        '            raise FloatingPointError("on purpose")'
    ) + 1  # fmt: skip
    assert ended.err.splitlines()[-1] == f"  network.py, line {number}, in forward"
    kept = failures(store_in(tmp_path / "run"))
    told = [line for line in logged(tmp_path / "run") if line["error"]]
    assert told
    assert kept
    for text in (*(failure.traceback for failure in kept.values()), *(line["traceback"] for line in told)):
        assert f'File "network.py", line {number}, in forward' in text
        assert 'File "pipeline/' in text
        assert str(tmp_path) not in text
    assert "Traceback" not in ended.err


def test_the_traceback_is_printed_if_asked_for(command: Command, failing: Path, tmp_path: Path) -> None:
    ended = command("run", failing, "--out", tmp_path / "run", "--debug")
    assert ended.code == 4
    assert "Traceback (most recent call last):" in ended.err
    assert 'File "network.py"' in ended.err
    assert ended.err.splitlines()[-1].startswith("  network.py, line ")


def test_a_task_that_fails_in_our_own_code_ends_with_1(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_audit(tmp_path / "audit")
    monkeypatch.setattr(scoring, "read_maps", lambda *_: None)
    ended = command("run", spec, "--out", tmp_path / "run")
    assert ended.code == 1
    assert "AttributeError" in ended.err
    assert "network.py" not in ended.err
