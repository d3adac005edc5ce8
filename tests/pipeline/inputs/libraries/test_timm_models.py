"""Laws of timm's networks by name: never random in silence, and images are read as timm's own transforms read them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

timm: Any = pytest.importorskip("timm", reason="the extra timm is not installed")

SMALL = ("test_resnet", "test_vit", "test_byobnet")
SIZES = ((300, 420), (521, 260), (224, 224))


def build(name: str, **options: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(name, **options).eval()


def saved(folder: Path, network: Any) -> Path:
    """Write a folder as timm writes it for the hub."""
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return folder


def loaded(folder: Path, name: str, **keys: Any) -> LoadedModel:
    return load_model(ModelSpec.model_validate({"spec": f"timm:{name}", **keys}), folder)


def refused(folder: Path, name: str, **keys: Any) -> str:
    with pytest.raises(ModelError) as caught:
        loaded(folder, name, **keys)
    return str(caught.value)


def answers(network: nn.Module) -> Tensor:
    images = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits: Tensor = network(images)
    return logits


@pytest.mark.parametrize("name", SMALL)
def test_a_folder_gives_the_network_that_was_saved(tmp_path: Path, name: str) -> None:
    network = build(name, num_classes=7)
    saved(tmp_path / "saved", network)
    found = loaded(tmp_path, "local-dir:saved")
    assert torch.equal(answers(found.model.network), answers(network))
    assert loaded(tmp_path, "local-dir:saved").weights_digest == found.weights_digest


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("files", ["model.safetensors", "*.safetensors", "model*"])
def test_a_folder_without_weights_is_never_random(tmp_path: Path, name: str, files: str) -> None:
    folder = saved(tmp_path / "saved", build(name))
    for file in [*folder.glob(files), *folder.glob("*.bin")]:
        file.unlink()
    assert "No suitable checkpoints found" in refused(tmp_path, "local-dir:saved")


@pytest.mark.parametrize("name", SMALL)
def test_a_folder_without_a_configuration_is_refused(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "saved", build(name))
    (folder / "config.json").unlink()
    assert "saved has no config.json; name the folder that timm.models.save_for_hf wrote" in refused(
        tmp_path, "local-dir:saved"
    )
    assert "elsewhere has no config.json" in refused(tmp_path, "local-dir:elsewhere")


@pytest.mark.parametrize(("asked", "message"), [(5, "the weights have 7 classes, and the last layer"), (0, "features")])
@pytest.mark.parametrize("name", SMALL)
def test_other_classes_than_those_of_the_weights_are_refused(
    tmp_path: Path, name: str, asked: int, message: str
) -> None:
    saved(tmp_path / "saved", build(name, num_classes=7))
    assert message in refused(tmp_path, "local-dir:saved", kwargs={"num_classes": asked})
    assert torch.equal(
        answers(loaded(tmp_path, "local-dir:saved", kwargs={"num_classes": 7}).model.network),
        answers(loaded(tmp_path, "local-dir:saved").model.network),
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_name_and_a_file_of_weights_give_the_network(tmp_path: Path, name: str) -> None:
    network = build(name, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    found = loaded(tmp_path, name, weights="mine.pt", kwargs={"num_classes": 7})
    assert torch.equal(answers(found.model.network), answers(network))
    assert "of another shape" in refused(tmp_path, name, weights="mine.pt")
    assert "features, not logits" in refused(tmp_path, name, weights="mine.pt", kwargs={"num_classes": 0})


@pytest.mark.parametrize("name", SMALL)
def test_a_name_alone_needs_weights_in_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    message = refused(tmp_path, name)
    assert "its weights are in no cache of this machine, and audits fetch nothing; bring the file from" in message
    assert "set model.weights to its place" in message


WRONG: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "no network": ("resnet5", {}, "timm has no network 'resnet5'; did you mean 'resnet50'?"),
    "no tag": ("resnet18.a1_in2k", {}, "resnet18 has no weights 'a1_in2k'; did you mean"),
    "decided": ("resnet18", {"kwargs": {"pretrained": True}}, "model.kwargs.pretrained: is decided by model.spec"),
    "no repository": ("hf-hub:nobody/nothing", {}, "holds no nobody/nothing, and audits fetch nothing; `hf download"),
    "unknown argument": ("resnet18", {"weights": "w.pt", "kwargs": {"deep": 1}}, "; mend model.kwargs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_there_is_refused_with_a_way_out(tmp_path: Path, case: str) -> None:
    name, keys, message = WRONG[case]
    assert message in refused(tmp_path, name, **keys)


@pytest.mark.parametrize(
    "read",
    [
        {"crop_pct": 0.875, "interpolation": "bicubic"},
        {"crop_pct": 0.95, "interpolation": "bilinear", "mean": (0.5,) * 3, "std": (0.25, 0.5, 1.0)},
        {"crop_pct": 1.0, "interpolation": "lanczos"},
        {"crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bicubic"},
        {"crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear"},
    ],
    ids=str,
)
@pytest.mark.parametrize("side", [160, 96])
def test_images_are_read_as_by_timms_transforms(tmp_path: Path, read: dict[str, Any], side: int) -> None:
    network = build("test_resnet")
    network.pretrained_cfg = {**network.pretrained_cfg, "input_size": (3, side, side), **read}
    saved(tmp_path / "saved", network)
    found = loaded(tmp_path, "local-dir:saved")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    draw = np.random.default_rng(0)
    for height, width in SIZES:
        picture = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        image = torch.from_numpy(geometry_of(found.spec).apply("", picture).astype(np.float32) / 255)
        expected = transform(Image.fromarray(picture))
        torch.testing.assert_close(found.model.normalise(image.permute(2, 0, 1)[None])[0], expected)


def test_a_configuration_changes_the_digest_of_the_source(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", build("test_resnet"))
    one = loaded(tmp_path, "local-dir:saved")
    table = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    table["pretrained_cfg"]["mean"] = [0.1, 0.2, 0.3]
    (folder / "config.json").write_text(json.dumps(table), encoding="utf-8")
    other = loaded(tmp_path, "local-dir:saved")
    assert one.weights_digest == other.weights_digest
    assert one.source_digest != other.source_digest
    assert other.spec.mean == (0.1, 0.2, 0.3)
