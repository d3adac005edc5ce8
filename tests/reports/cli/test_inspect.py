"""`srd-audit inspect`: what a network is, told before any audit, whatever it is, and refused as the audit would."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from inspected_networks import VARIANTS
from small_audits import tree, write_audit

from pipeline.execution.self_checks import SELF_CHECKS
from pipeline.machine.phases import tell_nobody
from reports.cli import inspecting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small audit with networks of several kinds, looked at in this process: another one takes seconds to start."""

    def here(_: dict[str, str], function: Callable[..., Any], *arguments: Any, tell: Any = tell_nobody) -> Any:
        return function(*arguments, tell)

    monkeypatch.setattr(inspecting, "call_in_new_process", here)
    write_audit(tmp_path)
    file = tmp_path / "network.py"
    file.write_text(file.read_text(encoding="utf-8") + VARIANTS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def seen(command: Command, folder: Path) -> Callable[..., dict[str, Any]]:
    def inspect(*arguments: object) -> dict[str, Any]:
        end = command("inspect", *arguments, "--json", "--quiet")
        assert (end.code, end.err) == (0, "")
        found: dict[str, Any] = json.loads(end.out)
        return found

    return inspect


def methods(found: dict[str, Any]) -> dict[str, str]:
    """Return the refusal of each method that was tried."""
    return {each["name"]: each["refusal"] for each in found["methods"]}


def test_a_spec_is_inspected_with_its_own_methods_and_data(seen: Callable[..., dict[str, Any]], folder: Path) -> None:
    before = tree(folder)
    found = seen("small.toml")
    assert list(methods(found)) == ["srd", "saliency", "random"]
    assert not any(methods(found).values())
    assert [(each["name"], each["shape"]) for each in found["layers"]] == [
        ("conv1", [1, 6, 16, 16]), ("relu1", [1, 6, 16, 16]), ("conv2", [1, 6, 16, 16]), ("relu2", [1, 6, 16, 16]),
        ("fc", [1, 3]),
    ]  # fmt: skip
    assert (found["encoder"]["module"], found["encoder"]["shape"]) == ("relu2", [6, 16, 16])
    assert (found["correct"], found["n_images"], found["output"]["kind"]) == (6, 6, "logits")
    assert {(each["name"].rpartition(".")[2], each["rule"]) for each in found["operations"]} == {
        ("conv2d", "affine"), ("relu", "activation"), ("mean", "linear"), ("linear", "affine")
    }  # fmt: skip
    assert len(found["self_checks"]) == len(SELF_CHECKS)
    assert found["methods"][0]["law"].startswith("conservation holds")
    assert all(each["seconds"] > 0 for each in found["methods"])
    assert tree(folder) == before


def test_the_tables_name_what_the_json_holds(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    files = ("--weights", "weights.pt", "--classes", "classes.json", "--data", "images", "--masks", "masks")
    end = command("inspect", "network.py:build", *files)
    words = " ".join(end.out.split())
    assert end.code == 0
    for text in ("ends with relu2: 6 x 16 x 16", "100.0%: 6 of 6 images", "conservation holds", "logits (3)",
                 "torch.nn.functional.conv2d", "no attention was seen", "the same answer twice"):  # fmt: skip
        assert text in words, text
    assert "checking the network ..." in end.err


def test_without_data_noise_of_the_size_that_is_read_is_looked_at(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen("network.py:build", "--set", "model.resize=20")
    assert (found["input_shape"], found["output"]["n"], found["correct"]) == ([3, 20, 20], 3, None)
    assert not found["is_random"]
    assert found["data"] == ""


def test_the_size_of_a_network_that_says_none_is_found_by_trial(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen("network.py:Digits")
    assert found["input_shape"] == [1, 28, 28]
    assert found["input_origin"].startswith("a trial")
    assert found["is_random"]
    assert "weights: drawn at random" in found["notes"][0]
    assert seen("network.py:Digits")["weights_digest"] == found["weights_digest"], "the same ones each time"


def test_the_only_part_that_can_hold_logits_is_read(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen("network.py:Parts", "--set", "model.resize=16")
    assert (found["output"]["n"], "'logits' of the dict" in found["output"]["part"]) == (3, True)


def test_one_number_is_read_as_the_logit_of_two_classes(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen("network.py:OneLogit", "--set", "model.resize=16")
    assert found["output"]["remedy"] == {"binary": True}
    assert (found["output"]["kind"], found["output"]["n"]) == ("logits of two classes, made of one", 2)


def test_a_network_without_a_rule_is_told_with_its_operation(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen("network.py:Sorted", "--set", "model.resize=16")
    assert "there is no rule for torch.cumsum" in found["encoder"]["refusal"]
    assert found["encoder"]["refusal"] == methods(found)["srd"]
    assert methods(found)["saliency"] == ""
    (unknown,) = [each for each in found["operations"] if each["rule"] == "none"]
    assert (unknown["name"], unknown["in_encoder"]) == ("torch.cumsum", True)


def test_outputs_that_are_no_logits_are_shown_and_refused(command: Command, folder: Path) -> None:
    end = command("inspect", "network.py:LogSoftmax", "--data", "images", "--json")
    found = json.loads(end.out)
    assert end.code == 2
    assert "set model.output = 'output of inner'" in end.err
    assert found["refusal"] in end.err
    assert found["output"]["kind"].startswith("logarithms of probabilities")
    assert found["output"]["remedy"] == {"output": "output of inner"}
    assert found["correct"] is None
    assert methods(found)["saliency"] == "", "the rest is told all the same"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small.toml", "--data", "images"), "--data images: small.toml says it itself"),
        (("network.py:build", "--masks", "masks"), "--masks masks: are of images; name these by --data"),
        (("network.py:none",), "has no callable 'none'"),
        (("network.py:build", "--weights", "none.pt"), "none.pt: No such file"),
        (("network.py:build", "--set", "data=5"), "the command line: data: "),
        (("network.py:Maps", "--set", "model.resize=16"), "the output has shape (4, 6, 16, 16), an audit needs a row"),
        (("torchvision:resnet19",), "torchvision has no classifier 'resnet19'; did you mean 'resnet18'?"),
        (("torchvision:resnet18@IMAGENET1K_V1",), "is missing, and audits fetch nothing"),
        (("demo:vgg", "--data", "none"), "none"),
    ],
    ids=str,
)
def test_what_cannot_be_inspected_is_refused(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(folder))
    end = command("inspect", *arguments)
    assert (end.code, end.out) == (2, "")
    assert message in end.err


def test_networks_by_name_are_inspected_without_weights(
    seen: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(inspecting, "METHODS", ("srd", "saliency"))
    monkeypatch.setenv("TORCH_HOME", str(folder))
    found = seen("torchvision:squeezenet1_1", "--set", "model.kwargs.num_classes=7")
    assert (found["is_random"], found["output"]["n"], found["input_shape"]) == (True, 7, [3, 224, 224])
    assert found["reading"][0]["origin"].startswith("torchvision's SqueezeNet1_1_Weights.IMAGENET1K_V1")
    assert found["encoder"]["module"] == "features.12"


def test_a_transformer_of_timm_is_explained_by_its_attention(
    seen: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    pytest.importorskip("timm", reason="the extra timm is not installed")
    monkeypatch.setattr(inspecting, "METHODS", ("srd", "generic_attention"))
    monkeypatch.setenv("HF_HOME", str(folder))
    found = seen("timm:test_vit")
    assert methods(found) == {"srd": "", "generic_attention": ""}
    assert "weight, held constant" in {each["rule"] for each in found["operations"]}
    assert found["input_shape"] == [3, 160, 160]
