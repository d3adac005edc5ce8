"""`srd-audit init` on a network and its data: the spec that it writes runs, and says where each key comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from inspected_networks import VARIANTS
from small_audits import write_audit

from pipeline.inputs.formats import find_format
from pipeline.machine.phases import tell_nobody
from pipeline.spec.audit import AuditSpec, load_spec
from reports.cli import drafting, inspecting

ONE_STAGE = ("--stage", "perturb", "--set", "perturbation=[]", "--set", "measure.categories=['similarity']")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a small audit, looked at in this process: another one takes seconds to start."""

    def here(_: dict[str, str], function: Callable[..., Any], *arguments: Any, tell: Any = None) -> Any:
        return function(*arguments, *([tell_nobody] if tell else []))

    for module in (inspecting, drafting):
        monkeypatch.setattr(module, "call_in_new_process", here)
    write_audit(tmp_path / "mine")
    file = tmp_path / "mine" / "network.py"
    file.write_text(file.read_text(encoding="utf-8") + VARIANTS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def drafted(command: Command, folder: Path) -> Callable[..., tuple[AuditSpec, str]]:
    """Return a function that writes a spec, starts its audit, and returns the spec and its text."""

    def draft(network: str, *options: object) -> tuple[AuditSpec, str]:
        (folder / "specs").mkdir(exist_ok=True)
        spec = folder / "specs" / f"{network}.toml"
        files = ("--data", "mine/images", "--masks", "mine/masks")
        end = command("init", spec, "--model", f"mine/network.py:{network}", *files, *options)
        assert (end.code, end.out) == (0, f"{spec}\n"), end.err
        started = command("run", spec, *ONE_STAGE)
        assert started.code == 0, started.err
        return load_spec(spec), spec.read_text(encoding="utf-8")

    return draft


def test_a_spec_in_another_folder_runs(drafted: Callable[..., tuple[AuditSpec, str]]) -> None:
    weights = ("--weights", "mine/weights.pt", "--classes", "mine/classes.json")
    spec, text = drafted("build", *weights, "--set", "model.resize=16")
    assert (spec.model.spec, spec.model.weights) == ("../mine/network.py:build", "../mine/weights.pt")
    assert (spec.data.path, spec.data.masks, spec.data.n) == ("../mine/images", "../mine/masks", None)
    assert spec.explain.methods == ("srd", "saliency", "input_x_gradient", "integrated_gradients", "grad_cam", "random",
                                    "edges")  # fmt: skip
    assert "# left out, generic_attention: no attention was seen" in text
    assert "# 6 of these 6 are classified as labelled" in text
    assert "# mean and std: nobody says them" in text
    assert [each.name for each in spec.perturbation] == ["gaussian_noise", "random_sign", "pgd", "manipulate"]


def test_methods_that_refuse_the_network_are_left_out(drafted: Callable[..., tuple[AuditSpec, str]]) -> None:
    spec, text = drafted("Sorted")
    assert "srd" not in spec.explain.methods
    assert "saliency" in spec.explain.methods
    assert "# left out, srd: there is no rule for torch.cumsum" in text
    assert "# resize: nobody says it, and all images that were looked at have 16x16 pixels" in text


def test_probabilities_are_replaced_by_the_logits_within(drafted: Callable[..., tuple[AuditSpec, str]]) -> None:
    spec, text = drafted("LogSoftmax")
    assert spec.model.output == "output of inner"
    assert "# as it is, the network answers with logarithms of probabilities" in text


def test_the_choices_of_the_command_line_are_kept(drafted: Callable[..., tuple[AuditSpec, str]]) -> None:
    options = ("model.mean=[0.5]", "model.std=[0.25]", "model.resize={height=20,width=24}", "data.n=4", "data.seed=1")
    spec, _ = drafted("build", *[part for option in options for part in ("--set", option)])
    assert (spec.model.mean, spec.model.std, spec.data.n, spec.data.seed) == ((0.5,), (0.25,), 4, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "mine/network.py:build"), "--data: is missing; a spec that runs needs both --model and --data"),
        (("--data", "mine/images"), "--model: is missing"),
        (("--set", "data.n=4"), "--model: is missing"),
        (("--model", "mine/network.py:Maps", "--data", "mine/images"), "the output has shape (4, 6, 16, 16)"),
        (("--model", "mine/network.py:OneLogit", "--data", "mine/images"), "the data 3 classes"),
        (("--model", "mine/network.py:build", "--data", "none"), "none"),
        (("--model", "mine/network.py:build", "--data", "mine/images", "--set", "data.n=99"), "holds only 6 images"),
    ],
    ids=str,
)
def test_what_no_audit_can_be_made_of_is_refused(
    command: Command, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    end = command("init", "new.toml", *arguments)
    assert (end.code, end.out) == (2, "")
    assert message in end.err
    assert not (folder / "new.toml").exists()


def test_weights_drawn_at_random_are_refused(command: Command, folder: Path) -> None:
    code = folder / "mine" / "network.py"
    code.write_text(
        code.read_text(encoding="utf-8") + "\n\ndef drawn():\n    return ColourNetwork()\n", encoding="utf-8"
    )
    end = command("init", "new.toml", "--model", "mine/network.py:drawn", "--data", "mine/images")
    assert end.code == 2
    assert "random ones are no audit's subject; name them by --weights" in end.err


def test_a_file_that_is_there_is_not_looked_past(command: Command) -> None:
    end = command("init", "mine/small.toml", "--model", "none.py:none", "--data", "none")
    assert (end.code, end.err) == (2, "error mine/small.toml: is there already; name another file\n")


def test_formats_that_a_spec_must_name_are_seen(tmp_path: Path) -> None:
    assert find_format(tmp_path / "mine" / "images") is None
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_info.json").write_text(json.dumps({}), encoding="utf-8")
    assert find_format(tmp_path / "saved") == ("huggingface", "it has a dataset_info.json")
    for part in ("validation", "validation-segmentation"):
        (tmp_path / "sets" / part).mkdir(parents=True)
    assert find_format(tmp_path / "sets") == ("imagenet-s", "it has a validation-segmentation")
    (tmp_path / "sets" / "validation").rmdir()
    assert find_format(tmp_path / "sets") is None
