"""Whatever is wrong with the input: exit code 2, one message with place, value and way out, and nothing is made."""

import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import colour_network
import pytest
import torch
from PIL import Image
from small_audits import edit, write_audit, write_picture, write_png

from reports.cli import main
from srd.errors import AuditError

Damage = Callable[[Path], Any]
FORWARD = "logits: Tensor = self.fc(hidden.mean((2, 3)))\n        return logits"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_audit(tmp_path / "audit")


@pytest.fixture
def srd_audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the command line in this process; returns the exit code and what it wrote to stderr."""

    def command(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["srd-audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert captured.out == ""
        return int(ended.value.code or 0), captured.err

    return command


def replaced(old: str, new: str) -> Damage:
    return lambda folder: edit(folder / "small.toml", old, new)


def forward(code: str) -> Damage:
    return lambda folder: edit(folder / "network.py", FORWARD, code)


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Damage:
    return lambda folder: torch.save(change(colour_network.build().state_dict()), folder / "weights.pt")


def removed(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def written(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def moved(old: str, new: str) -> Damage:
    return lambda folder: (folder / old).rename(folder / new)


def emptied(folder: Path) -> None:
    for file in (folder / "images").rglob("*.png"):
        file.unlink()


def without_folders(folder: Path) -> None:
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()


class Code:
    """What a weights file must not do."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("pwned",)


def poisoned(folder: Path) -> None:
    (folder / "weights.pt").write_bytes(pickle.dumps(Code(), protocol=2))


def small_images(folder: Path) -> None:
    for kind in ("images", "masks"):
        for file in (folder / kind).rglob("*.png"):
            Image.open(file).resize((8, 8)).save(file)


def bomb(folder: Path) -> None:
    """A picture whose header says 60000 x 60000 pixels."""
    file = folder / "images" / "red" / "0.bmp"
    Image.new("RGB", (16, 16)).save(file)
    data = bytearray(file.read_bytes())
    data[18:26] = struct.pack("<ii", 60000, 60000)
    file.write_bytes(data)


LAW: dict[str, tuple[Damage, str, str]] = {
    "unknown key": (replaced("tile = 4", "tiles = 4"), "run.tiles", "did you mean 'tile'?"),
    "unknown key of a perturbation": (
        replaced("strengths = [0.1]", "strenghts = [0.1]"),
        "[[perturbation]] number 1 strenghts",
        "did you mean 'strengths'?",
    ),
    "unknown table": (replaced("[explain]", "[explains]"), "explains: unknown key", "did you mean 'explain'?"),
    "misspelt method": (replaced('"saliency"', '"salience"'), "explain.methods: no method", "did you mean 'saliency'?"),
    "method of another world": (
        replaced('"saliency"', '"zzz"'),
        "no method is called 'zzz'",
        "known: srd, srd_no_contrast",
    ),
    "misspelt perturbation": (replaced('"pgd"', '"pdg"'), "number 2: no perturbation is called 'pdg'", "mean 'pgd'?"),
    "unknown option": (
        replaced("steps = 2\n\n[[", "step = 2\n\n[["),
        "number 2 (pgd) options: no option is called 'step'",
        "did you mean 'steps'?",
    ),
    "epsilon in 0 to 255": (
        replaced('strengths = ["8/255"]\noptions.steps = 2\n\n[[', "strengths = [8]\n\n[["),
        "epsilon = 8 is not in (0, 1]",
        'write "8/255" if you count in 0 to 255',
    ),
    "strength that is no number": (
        replaced("[0.1]", '["strong"]'),
        "'strong' is not a number",
        'write 0.03 or "8/255"',
    ),
    "strength that is a table": (
        replaced("[0.1]", '[{value = 0.1, text = "1/10"}]'),
        "is not a number",
        'write 0.03 or "8/255"',
    ),
    "tile beyond reason": (replaced("tile = 4", "tile = 1000000000000"), "run.tile", "less than or equal to 4096"),
    "entry that stands twice": (replaced("[0.1]", "[0.1, 0.1]"), "gaussian_noise@0.1 stands twice", "remove one"),
    "syntax": (
        replaced("tile = 4", "tile = "),
        "small.toml: is no TOML: TOMLDecodeError: Invalid value (at line",
        "compare it with",
    ),
    "strength that takes all memory": (
        replaced("[0.1]", '["1e99999999"]'),
        "strengths.0: '1e99999999' is not a number",
        'write 0.03 or "8/255"',
    ),
    "name with a zero byte": (replaced('"network.py:build"', r'"\u0000"'), "model.spec: '\\x00'", "remove them"),
    "secret of a store": (
        replaced("[run]", "[store]\nurl = 's3://bucket/a'\noptions.SAS_KEY = 'x'\n[run]"),
        "[store]: options.SAS_KEY: looks like a secret",
        "set it in the environment",
    ),
    "secret of a worker": (
        replaced("[run]", "[cluster]\nkind = 'kubernetes'\nworkers = 1\nimage = 'a'\nenv.API_KEY = 'x'\n[run]"),
        "[cluster]: env.API_KEY: looks like a secret",
        "set it in the environment",
    ),
    "method that is missing": (
        replaced('methods = ["srd", "saliency", "random"]', ""),
        "explain.methods: is missing",
        "add it as in the spec that `srd-audit init` writes",
    ),
    "weights that are missing": (
        removed("weights.pt"),
        "model.weights = ",
        "weights.pt: No such file or directory; relative paths",
    ),
    "weights that do not fit": (
        weights(lambda state: state | {"fc.bias": torch.zeros(7)}),
        "weights.pt: do not fit model.spec",
        "fc.bias",
    ),
    "weights with code": (poisoned, "weights.pt: would run code when loaded", "torch.save(network.state_dict(), file)"),
    "weights that are a network": (
        weights(lambda _: colour_network.build()),
        "weights.pt: would run code when loaded (needs pickle globals)",
        "torch.save(network.state_dict(), file)",
    ),
    "weights that are a checkpoint": (
        weights(lambda state: {"state_dict": state, "ema": state, "epoch": 3}),
        "weights.pt: holds 2 state dicts, 'state_dict', 'ema'",
        "name the one to audit",
    ),
    "weights that are no state dict": (
        weights(lambda state: {"epoch": 3}),
        "weights.pt: holds no state dict",
        "save network.state_dict()",
    ),
    "strength of nothing": (
        replaced("[0.1]", "[0]"),
        "sigma = 0 is not in (0, 1]",
        "write one that is, such as 0.1",
    ),
    "network file that ends the program": (
        written("network.py", "import sys\n\nsys.exit(0)\n"),
        "network.py: cannot be imported: SystemExit: 0, which would end the program (network.py, line 3, in <module>)",
        "remove what ends it",
    ),
    "forward that ends the program": (
        forward("raise SystemExit"),
        "the network fails on images of 3x16x16: SystemExit: None, which would end the program (network.py, line ",
        "remove what ends it",
    ),
    "forward that ends the program where it is explained": (
        forward(
            "if inputs.requires_grad and len(inputs) == 1:\n            raise SystemExit(3)\n"
            "        return self.fc(hidden.mean((2, 3)))"
        ),
        "fails on the first image: SystemExit: 3, which would end the program (network.py, line ",
        "remove what ends it",
    ),
    "argument that the callable has not": (
        replaced("[model]", "[model]\nkwargs = { widht = 3 }"),
        "model.kwargs: 'network.py:build' has no argument 'widht'",
        "there is none to name; remove it",
    ),
    "callable of a module below": (
        replaced("network.py:build", "torch:Linear"),
        "torch has no callable 'Linear'",
        "did you mean 'torch.nn:Linear'? its arguments go into model.kwargs",
    ),
    "damaged weights": (written("weights.pt", "<html>404</html>"), "weights.pt: is no state dict", "save network"),
    "class count that does not fit": (
        written("classes.json", '["red", "green", "blue", "grey"]'),
        "the output has shape (6, 3), the data 4 classes",
        "give the network's class order in model.classes",
    ),
    "folder that is no class": (
        written("classes.json", '["red", "green", "blues"]'),
        "folder 'blue' is no class of",
        "did you mean 'blues'?",
    ),
    "classes that are no list": (
        written("classes.json", "{}"),
        "classes.json: expected a list of names",
        "[folder, title]",
    ),
    "folder that is not there": (
        replaced('path = "images"', 'path = "pictures"'),
        "pictures: no such folder",
        "relative",
    ),
    "folder without folders": (
        without_folders,
        "images: holds no folders",
        "put the images of each class into one",
    ),
    "folders without images": (emptied, "images: its folders hold no image", ".png"),
    "image that cannot be read": (
        written("images/red/0.png", "no image"),
        "images/red/0.png: cannot be read as an image",
        "remove or replace it",
    ),
    "images of several sizes": (
        lambda folder: write_picture(folder, 0, "red/2.png", size=20),
        "images/red/2.png is 20x20, ",
        "set model.resize, such as resize = [256, 224]",
    ),
    "mask that is missing": (removed("masks/red/1.png"), "masks/red/1.png is missing", "leave data.masks out"),
    "mask of another size": (
        lambda folder: write_png(folder / "masks/red/1.png", torch.ones(8, 8).numpy()),
        "masks/red/1.png: a mask must have the size of its image",
        "images/red/1.png",
    ),
    "probabilities": (
        forward("return self.fc(hidden.mean((2, 3))).softmax(1)"),
        "the outputs are probabilities",
        "audits need the logits",
    ),
    "output that is no tensor": (
        forward("return {'logits': self.fc(hidden.mean((2, 3))), 'other': self.fc(hidden.amax((2, 3)))}"),
        "the output is a dict in which 'logits', 'other' have the shape of logits",
        "set model.output to the part that holds the logits, such as 'logits'",
    ),
    "network file that is missing": (
        removed("network.py"),
        "network.py: No such file or directory",
        "relative paths start at",
    ),
    "network file that fails": (
        written("network.py", "import no_such_module"),
        "network.py: cannot be imported: ModuleNotFoundError: No module named 'no_such_module'",
        "&& python network.py` does",
    ),
    "callable that is missing": (
        replaced("network.py:build", "network.py:biuld"),
        "network.py has no callable 'biuld'",
        "did you mean 'build'?",
    ),
    "callable that returns no network": (
        written("network.py", "def build():\n    return 3\n"),
        "'network.py:build': returned int",
        "name a callable that returns a torch.nn.Module",
    ),
    "callable that fails": (
        written("network.py", "def build(depth):\n    return depth\n"),
        "the call without arguments failed: TypeError: build() missing 1 required positional argument: 'depth'",
        "name a callable that needs none",
    ),
    "size that the network cannot read": (
        forward("return self.fc(hidden.flatten(1))"),
        "the network fails on images of 3x16x16",
        "set model.resize",
    ),
    "operation without a rule": (
        forward("return self.fc(hidden.sin().mean((2, 3)))"),
        "method 'srd' cannot explain this network: there is no rule for torch.Tensor.sin",
        "leave the method out of explain.methods",
    ),
    "method for another kind of network": (
        replaced('"saliency"', '"attention_rollout"'),
        "method 'attention_rollout' cannot explain this network: no attention was seen",
        "explain a vision transformer with global attention in every layer, or leave the method out",
    ),
    "encoder that is not there": (
        replaced("[model]", '[model]\nencoder = "layer4"'),
        "model.encoder: layer 'layer4'",
        "its top modules",
    ),
    "value of an option": (
        replaced("[explain]", '[explain]\noptions.srd.bias = "none"'),
        "explain.options.srd: bias 'none'",
        "norm, ratio, uniform, drop",
    ),
    "one predicted class": (
        forward("return self.fc(hidden.mean((2, 3))) * 0.01 + torch.tensor([20.0, 0.0, 0.5])"),
        "every image is predicted as the same class",
        "add images of other classes, or check model.mean and model.std",
    ),
    "module that is not there": (
        replaced("network.py:build", "no_such_package.network:build"),
        "cannot import 'no_such_package.network'",
        "put its folder into PYTHONPATH, or name the file",
    ),
    "half of a normalisation": (
        replaced("[model]", "[model]\nmean = [0.5]"),
        "model: mean and std belong together",
        "give both, or neither",
    ),
    "images too small for SSIM": (
        small_images,
        "images of 8x8 pixels: SSIM compares windows of 11x11",
        "set model.resize",
    ),
    "damaged image header": (
        bomb,
        "images/red/0.bmp: has more than 64000000 pixels (Image size",
        "store it smaller, or remove it",
    ),
}


@pytest.mark.parametrize("case", LAW)
def test_bad_input_is_refused_with_place_value_and_way_out(
    case: str, spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]
) -> None:
    damage, place, way_out = LAW[case]
    assert way_out
    damage(spec.parent)
    before = sorted(tmp_path.rglob("*"))
    code, message = srd_audit("run", spec, "--out", tmp_path / "run")
    assert code == 2, message
    assert place in message
    assert way_out in message
    assert_one_message(message)
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in path.parts] == before


def test_a_spec_that_is_wrong_starts_no_cluster(
    spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("distributed.LocalCluster")
    edit(spec, '"srd", "saliency"', '"sdr", "saliency"')
    code, message = srd_audit("run", spec, "--out", tmp_path / "run", "--workers", 2)
    assert code == 2
    assert_one_message(message)


OWN_ERROR = "class Own(Exception):\n    pass\n\n\ndef build() -> nn.Module:\n    raise Own('on purpose')\n"


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_what_a_network_raises_is_told_from_a_worker_as_from_here(
    spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]], workers: int
) -> None:
    network = spec.parent / "network.py"
    network.write_text(f"{network.read_text(encoding='utf-8')}\n\n{OWN_ERROR}", encoding="utf-8")
    code, message = srd_audit("run", spec, "--out", tmp_path / "run", "--workers", workers)
    assert code == 2
    *_, last = message.splitlines()
    assert_one_message(last)
    assert "Own: on purpose" in last


def assert_one_message(message: str) -> None:
    """Besides the names of phases, which end with an ellipsis."""
    *phases, last = message.splitlines()
    assert all(phase.endswith("...") for phase in phases)
    assert last.startswith("error ")
    assert "Traceback" not in last
    assert len(last) < 800


@pytest.mark.slow
def test_a_thread_of_the_network_does_not_keep_the_command(spec: Path, tmp_path: Path) -> None:
    network = spec.parent / "network.py"
    endless = "\n\nfrom threading import Event, Thread\n\nThread(target=Event().wait).start()\n"
    network.write_text(network.read_text(encoding="utf-8") + endless, encoding="utf-8")
    command = [sys.executable, "-c", "from reports.cli import main; main()", "run", str(spec), "--out", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "cannot be imported: starts the thread 'Thread-1 (wait)', which still runs" in ended.stderr


def test_a_spec_that_is_missing_is_refused(tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]) -> None:
    code, message = srd_audit("run", tmp_path / "no.toml", "--out", tmp_path / "run")
    assert code == 2
    assert "no.toml: No such file or directory; `srd-audit init` writes a spec to start from" in message
    assert_one_message(message)
    assert list(tmp_path.iterdir()) == []


def test_a_spec_that_is_a_folder_is_refused(tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]) -> None:
    code, message = srd_audit("run", tmp_path, "--out", tmp_path / "run")
    assert code == 2
    assert_one_message(message)


def test_another_audit_in_the_folder_is_refused(
    spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "run"
    assert srd_audit("run", spec, "--out", out, "--stage", "perturb")[0] == 0
    before = sorted(out.rglob("*"))
    code, message = srd_audit("run", edit(spec, "seed = 1", "seed = 2"), "--out", out)
    assert code == 2
    assert "audit.zarr was made by another audit (it differs in: spec.run.seed (1 there, 2 here))" in message
    assert "choose another folder with --out, or remove this one" in message
    assert_one_message(message)
    assert sorted(out.rglob("*")) == before


def test_a_file_in_place_of_the_folder_is_refused(
    spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "run").write_text("a file", encoding="utf-8")
    code, message = srd_audit("run", spec, "--out", tmp_path / "run")
    assert code == 2
    assert "--out" in message
    assert_one_message(message)


def test_a_misspelt_stage_is_refused(spec: Path, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]) -> None:
    code, message = srd_audit("run", spec, "--out", tmp_path / "run", "--stage", "scor")
    assert code == 2
    assert "--stage 'scor': no stage is called so; did you mean 'score'?" in message
    assert_one_message(message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_run_that_is_not_there_is_refused(
    command: str, tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]
) -> None:
    for folder in (tmp_path / "no", tmp_path):
        code, message = srd_audit(command, folder)
        assert code == 2
        assert "start one with `srd-audit run SPEC`" in message
        assert_one_message(message)


def test_init_overwrites_nothing(tmp_path: Path, srd_audit: Callable[..., tuple[int, str]]) -> None:
    (tmp_path / "mine.toml").write_text("# mine", encoding="utf-8")
    code, message = srd_audit("init", tmp_path / "mine.toml")
    assert code == 2
    assert "mine.toml: is there already; name another file" in message
    assert_one_message(message)
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "# mine"


USAGE = [
    (["rum"], "No such command 'rum'"),
    (["run"], "Missing"),
    (["run", "a.toml", "--outt", "x"], "No such option: --outt"),
    (["run", "a.toml", "--workers", "two"], "Invalid value for '--workers'"),
    (["run", "a.toml", "--workers", "-1"], "Invalid value for '--workers'"),
    (["status", "a", "b"], "unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "text"), USAGE)
def test_a_wrong_command_line_is_refused(
    arguments: list[str], text: str, srd_audit: Callable[..., tuple[int, str]]
) -> None:
    code, message = srd_audit(*arguments)
    assert code == 2
    assert text in " ".join(message.replace("│", " ").split())
    assert "Traceback" not in message


def test_whatever_is_refused_on_purpose_has_an_exit_code() -> None:
    def family(kind: type[AuditError]) -> list[type[AuditError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in family(child))]

    assert {kind.exit_code for kind in family(AuditError)} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("arguments", [["run", "no.toml"], ["rum"]])
def test_the_installed_command_refuses_in_the_same_way(arguments: list[str], tmp_path: Path) -> None:
    code = "from reports.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert arguments[-1] in ended.stderr
