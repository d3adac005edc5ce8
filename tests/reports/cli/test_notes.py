"""Every command that runs a network notes and refuses what `run` does, and says which methods are not complete."""

import runpy
from pathlib import Path

import pytest
import torch
from command_line import Command
from rich.console import Console
from small_audits import edit, job_of, write_audit

from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import load_subject
from pipeline.store.attributes import CheckResult
from pipeline.store.results import open_results
from reports.audit.page import markdown
from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from reports.audit.summarise import summarise
from reports.cli.notes import print_notes
from reports.cli.progress import Display

COMMANDS: dict[str, tuple[object, ...]] = {
    "apop": (),
    "manipulate-model": (),
    "concepts": ("--layer", "relu1", "--clusters", 2, "--vectors", 4, "--members", 1),
}
TABLE = '[manipulation]\nagainst = "saliency"\ngoal = "location_corner"\nsteps = 1\nbatch = 3\nimages = 3\n'
RANDOM = """

def noisy():
    network = build()
    network.register_forward_hook(lambda module, read, made: made + torch.rand_like(made))
    return network
"""
TRANSFORMER = """
import torch
from torchvision.models import VisionTransformer


def build():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = VisionTransformer(image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16,
                                    num_classes=3)
        torch.nn.init.normal_(network.heads.head.weight)
    return network
"""
every_command = pytest.mark.parametrize("name", COMMANDS)


def write_spec(folder: Path, name: str) -> Path:
    """Write a small audit, in the form that the command takes."""
    spec = write_audit(folder)
    if name == "manipulate-model":
        text = spec.read_text(encoding="utf-8")
        start, end = text.index("[[perturbation]]"), text.index("[run]")
        spec.write_text(text[:start] + TABLE + text[end:], encoding="utf-8")
    return spec


@every_command
def test_what_was_left_out_is_noted(command: Command, tmp_path: Path, name: str) -> None:
    spec = write_spec(tmp_path / "audit", name)
    (tmp_path / "audit" / "images" / "red" / "2.tga").write_bytes(b"")
    ended = command(name, spec, *COMMANDS[name])
    assert ended.code == 0, ended.err
    assert "1 file in red/: .tga is not read" in ended.err


@every_command
def test_a_network_that_answers_at_random_is_refused(command: Command, tmp_path: Path, name: str) -> None:
    spec = edit(write_spec(tmp_path / "audit", name), "network.py:build", "network.py:noisy")
    with (tmp_path / "audit" / "network.py").open("a", encoding="utf-8") as file:
        file.write(RANDOM)
    code, _, err = command(name, spec, *COMMANDS[name])
    assert code == 2
    assert "two passes over the same images gave different answers" in " ".join(err.split())


@pytest.mark.parametrize("method", ["deep_lift", "integrated_gradients", "expected_gradients"])
def test_a_caveat_is_printed_under_the_title_of_its_method(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = CheckResult(name="a law", found="not complete on this network: 3.0 %", method=method, is_marked=True)
    kept = CheckResult(name="another law", found="holds", method="srd")
    print_notes(Console(width=200), ["a note"], [kept, found])
    note, caveat = capsys.readouterr().out.splitlines()
    assert note == "a note"
    assert caveat.endswith(": not complete on this network: 3.0 %")
    assert caveat.lower().startswith(method.split("_", maxsplit=1)[0])


def test_deep_lift_on_a_transformer_is_marked_not_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = edit(write_audit(tmp_path), '["srd", "saliency", "random"]', '["deep_lift", "saliency", "random"]')
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text[: text.index("[[perturbation]]")] + text[text.index("[run]") :], encoding="utf-8")
    network = tmp_path / "network.py"
    network.write_text(TRANSFORMER, encoding="utf-8")
    torch.save(runpy.run_path(str(network))["build"]().state_dict(), tmp_path / "weights.pt")
    job = job_of(spec, tmp_path / "run")
    attributes = prepare_store(job, load_subject(job))
    Display(Console(width=200)).on_store(attributes)
    (warning,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("DeepLIFT: "))
    assert warning.startswith("DeepLIFT: not complete on this network: ")
    result = summarise(Readings(open_results(job.store)), record_of(tmp_path / "run", job.store))
    assert result.caveats == {"deep_lift": warning.removeprefix("DeepLIFT: ")}
    rows = [line for line in markdown(result).splitlines() if line.startswith("| DeepLIFT ")]
    assert rows
    assert all(result.caveats["deep_lift"] in row for row in rows)
