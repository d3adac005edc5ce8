"""`--trust-file`: code in a file of weights runs only if the user names that file."""

import sys
from pathlib import Path

import colour_network
import pytest
import torch
from command_line import Command
from small_audits import edit, write_audit


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An audit whose weights are a pickled network."""
    spec = write_audit(tmp_path / "audit")
    monkeypatch.setitem(sys.modules, "colour_network", colour_network)
    torch.save(colour_network.build(), spec.parent / "weights.pt")
    return edit(spec, "[measure]\n", '[measure]\ncategories = ["similarity"]\n')


@pytest.mark.parametrize("words", [("run",), ("plan",), ("apop",), ("concepts", "--layer", "conv2")], ids=" ".join)
def test_a_pickled_network_is_refused_with_the_option(command: Command, spec: Path, words: tuple[str, ...]) -> None:
    name, *options = words
    end = command(name, spec, *options)
    assert end.code == 2
    assert f"--trust-file {spec.parent / 'weights.pt'}" in " ".join(end.err.split())


@pytest.mark.parametrize("words", [("run", "--stage", "perturb"), ("apop",)], ids=" ".join)
def test_a_file_that_the_user_names_is_read(
    command: Command, spec: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    name, *options = words
    monkeypatch.chdir(spec.parent)
    assert command(name, spec, *options, "--trust-file", "weights.pt").code == 0


@pytest.mark.parametrize("other", ["audit.toml", "network.py"])
def test_to_trust_another_file_is_not_enough(command: Command, spec: Path, other: str) -> None:
    file = spec if other == "audit.toml" else spec.parent / other
    assert command("run", spec, "--trust-file", file).code == 2


@pytest.mark.parametrize("name", ["run", "plan", "apop", "verify", "manipulate-model"])
def test_a_file_that_is_not_there_cannot_be_trusted(command: Command, spec: Path, name: str) -> None:
    end = command(name, spec, "--trust-file", "nowhere.pt")
    assert end.code == 2
    assert "--trust-file nowhere.pt: no such file; name the file of weights" in " ".join(end.err.split())
