"""Laws of torchvision's networks by name: they are torchvision's own, and no file passes for another."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models

from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

SMALL = ("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5")
TAG = "IMAGENET1K_V1"
SIZES = ((300, 420), (521, 260), (224, 224), (97, 401))

pytestmark = pytest.mark.filterwarnings("ignore")  # builders warn of their initialisation


def build(name: str, **options: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = models.get_model_builder(name)(**options)  # type: ignore[attr-defined]
        return network.eval()


def saved(folder: Path, content: object, name: str = "mine.pt") -> str:
    torch.save(content, folder / name)
    return name


def loaded(folder: Path, name: str, **keys: Any) -> LoadedModel:
    return load_model(ModelSpec.model_validate({"spec": f"torchvision:{name}", **keys}), folder)


def refused(folder: Path, name: str, **keys: Any) -> str:
    with pytest.raises(ModelError) as caught:
        loaded(folder, name, **keys)
    return str(caught.value)


def answers(network: nn.Module, size: int = 96) -> Tensor:
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits: Tensor = network(images)
    return logits


def with_hash(folder: Path, name: str) -> str:
    """Give a file the name that torch.hub gives it: with the first digits of its hash."""
    digest = sha256((folder / name).read_bytes()).hexdigest()
    return (folder / name).rename(folder / f"{Path(name).stem}-{digest[:8]}.pth").name


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("tag", ["", f"@{TAG}"])
def test_a_local_state_dict_gives_torchvisions_network(tmp_path: Path, name: str, tag: str) -> None:
    network = build(name)
    file = with_hash(tmp_path, saved(tmp_path, network.state_dict()))
    found = loaded(tmp_path, f"{name}{tag}", weights=file)
    assert type(found.model.network) is type(network)
    assert torch.equal(answers(found.model.network), answers(network))
    assert found.weights_digest == sha256((tmp_path / file).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("digits", ["0123abcd", "00000000", "f" * 16])
@pytest.mark.parametrize("tag", ["", f"@{TAG}"])
def test_a_file_whose_name_carries_another_hash_is_refused(tmp_path: Path, name: str, digits: str, tag: str) -> None:
    file = saved(tmp_path, build(name).state_dict(), f"{name}-{digits}.pth")
    message = refused(tmp_path, f"{name}{tag}", weights=file)
    digest = sha256((tmp_path / file).read_bytes()).hexdigest()
    assert f"its SHA-256 begins with {digest[: len(digits)]}, its name says {digits}; fetch it again" in message


@pytest.mark.parametrize("name", SMALL)
def test_the_cache_of_the_hub_is_checked_and_never_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = models.get_model_weights(name)[TAG]  # type: ignore[attr-defined]
    file = tmp_path / "hub/checkpoints" / Path(weights.url).name
    message = refused(tmp_path, f"{name}@{TAG}")
    assert f"{file} is missing, and audits fetch nothing; put the file there that {weights.url} gives" in message
    file.parent.mkdir(parents=True)
    torch.save(build(name).state_dict(), file)
    assert "its SHA-256 begins with" in refused(tmp_path, f"{name}@{TAG}")


class Payload:
    """An object whose unpickling would write a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("tag", ["", f"@{TAG}"])
def test_code_in_a_file_does_not_run(tmp_path: Path, tag: str) -> None:
    state = {**build("squeezenet1_1").state_dict(), "more": Payload(tmp_path / "ran")}
    message = refused(tmp_path, f"squeezenet1_1{tag}", weights=saved(tmp_path, state))
    assert "would run code when loaded" in message
    assert not (tmp_path / "ran").exists()


def test_names_of_another_time_are_read_as_torchvision_reads_its_own(tmp_path: Path) -> None:
    network = build("densenet121")
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    old = {name.replace("norm1", "norm.1").replace("conv2", "conv.2"): network.state_dict()[name] for name in names}
    assert old.keys() != network.state_dict().keys()
    file = saved(tmp_path, old)
    found = loaded(tmp_path, f"densenet121@{TAG}", weights=file)
    assert torch.equal(answers(found.model.network, 64), answers(network, 64))
    assert "missing in the file" in refused(tmp_path, "densenet121", weights=file)


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_the_input_of_tensorflow_is_that_of_published_weights_and_said_of_others(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path, build(name, init_weights=False).state_dict())
    published: Any = loaded(tmp_path, f"{name}@{TAG}", weights=file).model.network
    assert published.transform_input is True
    assert "reads images in one of two ways; set transform_input = true" in refused(tmp_path, name, weights=file)
    for said in (True, False):
        kwargs = {"transform_input": said, "init_weights": False}
        own: Any = loaded(tmp_path, name, weights=file, kwargs=kwargs).model.network
        assert own.transform_input is said
        same = torch.equal(answers(own), answers(published))
        assert same is said


@pytest.mark.parametrize(
    ("asked", "message"), [(10, "the weights have 1000 classes, and the last layer"), (0, "= 0: ")]
)
def test_another_number_of_classes_than_the_weights_have_is_refused(tmp_path: Path, asked: int, message: str) -> None:
    assert message in refused(tmp_path, f"squeezenet1_1@{TAG}", kwargs={"num_classes": asked})


def test_own_weights_may_have_their_own_classes(tmp_path: Path) -> None:
    network = build("squeezenet1_1", num_classes=7)
    file = saved(tmp_path, network.state_dict())
    found = loaded(tmp_path, "squeezenet1_1", weights=file, kwargs={"num_classes": 7})
    assert torch.equal(answers(found.model.network), answers(network))
    assert "of another shape: 'classifier.1.weight'" in refused(tmp_path, "squeezenet1_1", weights=file)
    message = refused(tmp_path, f"squeezenet1_1@{TAG}", weights=file)
    assert f"of other weights leave @{TAG} out" in message


WRONG: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "no network": ("resnet5", {}, "torchvision has no classifier 'resnet5'; did you mean 'resnet50'?"),
    "a detector": ("fasterrcnn_resnet50_fpn", {}, "torchvision has no classifier"),
    "no weights": ("resnet50@IMAGENET1K_V3", {}, "has no weights 'IMAGENET1K_V3'; did you mean 'IMAGENET1K_V2'?"),
    "none named": (
        "resnet50",
        {},
        "names no weights; set model.weights, or model.spec = 'torchvision:resnet50@IMAGENET",
    ),
    "decided": (f"resnet50@{TAG}", {"kwargs": {"weights": "x"}}, "model.kwargs.weights: is decided by model.spec"),
    "missing": (f"resnet50@{TAG}", {"weights": "none.pt"}, "none.pt: No such file or directory; relative paths"),
    "unknown": ("squeezenet1_1", {"weights": "none.pt", "kwargs": {"deep": 1}}, "argument 'deep'; mend model.kwargs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_there_is_refused_with_a_way_out(tmp_path: Path, case: str) -> None:
    name, keys, message = WRONG[case]
    assert message in refused(tmp_path, name, **keys)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("squeezenet1_1", TAG),
        ("shufflenet_v2_x1_5", TAG),
        ("efficientnet_b1", "IMAGENET1K_V2"),
        ("regnet_y_400mf", TAG),
    ],
)
def test_images_are_read_as_by_the_transforms_of_the_weights(tmp_path: Path, name: str, tag: str) -> None:
    weights = models.get_model_weights(name)[tag]  # type: ignore[attr-defined]
    found = loaded(tmp_path, f"{name}@{tag}", weights=saved(tmp_path, build(name).state_dict()))
    draw = np.random.default_rng(0)
    for height, width in SIZES:
        picture = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = weights.transforms()(Image.fromarray(picture))
        image = torch.from_numpy(geometry_of(found.spec).apply("", picture).astype(np.float32) / 255)
        torch.testing.assert_close(found.model.normalise(image.permute(2, 0, 1)[None])[0], expected)
    assert any(note.startswith(f"preprocessing of torchvision's {weights}: ") for note in found.notes)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"mean": (0.5,), "std": (0.5,)}, {"mean", "std"}),
        ({"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}, set()),
        ({"resize": 224}, {"resize"}),
        ({"resize": (256, 224), "interpolation": "bicubic"}, {"interpolation"}),
        ({"resize": (256, 224)}, set()),
    ],
)
def test_a_spec_that_contradicts_the_weights_is_obeyed_and_told(
    tmp_path: Path, keys: dict[str, Any], told: set[str]
) -> None:
    file = saved(tmp_path, build("squeezenet1_1").state_dict())
    found = loaded(tmp_path, f"squeezenet1_1@{TAG}", weights=file, **keys)
    contradictions = [note for note in found.notes if "contradicts" in note]
    assert {note.partition(" =")[0].removeprefix("model.") for note in contradictions} == told
    assert all(getattr(found.spec, name) == value for name, value in keys.items())


def test_what_is_read_changes_the_digest_of_the_source(tmp_path: Path) -> None:
    file = saved(tmp_path, build("mnasnet0_5").state_dict())
    one = loaded(tmp_path, f"mnasnet0_5@{TAG}", weights=file)
    again, other = loaded(tmp_path, f"mnasnet0_5@{TAG}", weights=file), loaded(tmp_path, "mnasnet0_5", weights=file)
    assert one.source_digest == again.source_digest
    assert one.source_digest != other.source_digest


def test_the_demo_keeps_its_size(tmp_path: Path) -> None:
    from pipeline.spec.data import DataSpec

    found = loaded(tmp_path, "squeezenet1_1", weights=saved(tmp_path, build("squeezenet1_1").state_dict()))
    assert found.reading(DataSpec(path="images")).resize == (256, 224)
    assert found.reading(DataSpec(path="demo:shapes")).resize is None
