"""Laws of transformers' classifiers: images are read as their image processors do, once, and no head is random."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_audits import SIZE, edit, job_of
from torch import Tensor

from pipeline.execution.subjects import load_subject
from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.libraries.library import import_library
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.inputs.outputs import settle_output
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

hf: Any = pytest.importorskip("transformers", reason="the extra hf is not installed")

SQUARE = {"height": 32, "width": 32}
CUT = {"crop_size": SQUARE}
PROCESSORS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "stretched": ("ViTImageProcessor", {"size": SQUARE}),
    "oblong": ("ViTImageProcessor", {"size": {"height": 24, "width": 40}}),
    "cut": ("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 40}, **CUT}),
    "bicubic": ("CLIPImageProcessor", {"size": {"shortest_edge": 32}, **CUT}),
    "stretched and cut": ("DeiTImageProcessor", {"size": {"height": 40, "width": 40}, **CUT}),
    "by share": ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
    "large": ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    "not rescaled": ("ViTImageProcessor", {"size": SQUARE, "do_rescale": False}),
    "rescaled otherwise": ("ViTImageProcessor", {"size": SQUARE, "rescale_factor": 1 / 128}),
    "not normalised": ("ViTImageProcessor", {"size": SQUARE, "do_normalize": False}),
    "bare": ("ViTImageProcessor", {"size": SQUARE, "do_normalize": False, "do_rescale": False}),
    "divided twice": ("EfficientNetImageProcessor", {"size": SQUARE, "image_std": [0.5, 0.4, 0.3]}),
    "from -1 to 1": ("EfficientNetImageProcessor", {"size": SQUARE, "rescale_offset": True, "rescale_factor": 2 / 255}),
}


def build(n_labels: int = 3) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        options = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": n_labels}
        network: Any = hf.ResNetForImageClassification(hf.ResNetConfig(**options))
        return network.eval()


def saved(folder: Path, processor: str | None = "stretched", **options: Any) -> Path:
    build().save_pretrained(folder, **options)
    if processor is not None:
        kind, said = PROCESSORS[processor]
        getattr(hf, kind)(**said).save_pretrained(folder)
    return folder


def loaded(folder: Path, **keys: Any) -> LoadedModel:
    return load_model(ModelSpec.model_validate({"spec": "hf:saved", **keys}), folder)


def refused(folder: Path, **keys: Any) -> str:
    with pytest.raises(ModelError) as caught:
        loaded(folder, **keys)
    return str(caught.value)


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def answers(network: Any) -> Tensor:
    logits: Tensor = network(images()).logits
    return logits


@pytest.mark.parametrize("options", [{}, {"max_shard_size": "5KB"}])
def test_a_folder_gives_the_network_that_was_saved(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = saved(tmp_path / "saved", **options)
    assert len(list(folder.glob("*.safetensors"))) > 1 or not options
    found = loaded(tmp_path)
    assert torch.equal(answers(found.model.network), answers(build()))
    assert loaded(tmp_path).weights_digest == found.weights_digest


@pytest.mark.parametrize("case", PROCESSORS)
def test_images_are_read_as_by_the_image_processor(tmp_path: Path, case: str) -> None:
    saved(tmp_path / "saved", case)
    found = loaded(tmp_path)
    processor = hf.AutoImageProcessor.from_pretrained(tmp_path / "saved")
    for height, width in ((300, 420), (521, 260)):
        y, x = np.mgrid[:height, :width] / 17
        picture = np.round(np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1) * 120 + 128).astype(np.uint8)
        theirs = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
        image = torch.from_numpy(geometry_of(found.spec).apply("", picture).astype(np.float32) / 255)
        ours = found.model.normalise(image.permute(2, 0, 1)[None])[0]
        largest = float(theirs.abs().max())
        assert float((ours - theirs).abs().mean()) <= 0.01 * largest  # filters round to bytes, each in its own way


@pytest.mark.parametrize("kind", ["LevitImageProcessor", "PoolFormerImageProcessor"])
def test_a_processor_that_does_something_else_is_refused_unless_the_spec_says_it_all(tmp_path: Path, kind: str) -> None:
    saved(tmp_path / "saved", None)
    getattr(hf, kind)(size={"shortest_edge": 32}, **CUT).save_pretrained(tmp_path / "saved")
    assert f"{kind} does more than to resize, cut, rescale and normalise; set model.mean" in refused(tmp_path)
    assert loaded(tmp_path, mean=(0.5,), std=(0.5,), resize=(36, 32)).spec.resize == (36, 32)


def test_a_folder_without_a_processor_needs_mean_and_std(tmp_path: Path) -> None:
    saved(tmp_path / "saved", None)
    assert "set model.mean, model.std and model.resize to what the network reads" in refused(tmp_path)
    assert loaded(tmp_path, mean=(0.5,), std=(0.5,)).model.mean.flatten().tolist() == [0.5]


def test_the_logits_are_found_by_themselves(tmp_path: Path) -> None:
    saved(tmp_path / "saved")
    found = loaded(tmp_path)
    (note,) = settle_output(found.model, found.spec, images(1), 3)
    assert "'logits' of the ImageClassifierOutput" in note
    assert torch.equal(found.model(images()), found.model.network(found.model.normalise(images())))


def test_a_network_without_its_head_is_never_random(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    build().resnet.save_pretrained(folder)
    message = refused(tmp_path)
    assert "holds no values for 2 tensors of the network, such as 'classifier.1.bias', 'classifier.1.weight'" in message
    assert "which would be random; save the classifier with its head, or set model.weights" in message


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_labels": 5}, "the weights have 3 classes, and the last layer would be drawn at random"),
        ({"num_labels": 0}, "the network would answer with features"),
        ({"trust_remote_code": True}, "model.kwargs.trust_remote_code: is decided by"),
        ({"ignore_mismatched_sizes": True}, "model.kwargs.ignore_mismatched_sizes: is decided by"),
    ],
)
def test_arguments_that_would_make_another_network_are_refused(
    tmp_path: Path, kwargs: dict[str, Any], message: str
) -> None:
    saved(tmp_path / "saved")
    assert message in refused(tmp_path, kwargs=kwargs)


def test_code_in_a_folder_does_not_run(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    table = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    table["auto_map"] = {"AutoModelForImageClassification": "code.Net", "AutoConfig": "code.Config"}
    table["model_type"] = "nobody_knows"
    (folder / "config.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    assert "name a folder that save_pretrained of an image classifier wrote" in refused(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_surplus_tensors_are_told(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(tmp_path / "saved")
    state = load_file(folder / "model.safetensors")
    save_file(state | {"pooler.weight": torch.ones(1)}, folder / "model.safetensors", {"format": "pt"})
    assert "model.spec: 1 tensors are not of the network: 'pooler.weight'" in loaded(tmp_path).notes


def test_other_weights_are_loaded_into_the_network_of_a_folder(tmp_path: Path) -> None:
    saved(tmp_path / "saved")
    network = build()
    with torch.no_grad():
        network.classifier[1].bias += 1
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    found = loaded(tmp_path, weights="mine.pt")
    assert torch.equal(answers(found.model.network), answers(network))
    torch.save(build(5).state_dict(), tmp_path / "mine.pt")
    assert "2 of another shape: 'classifier.1.weight' is (5, 16)" in refused(tmp_path, weights="mine.pt")
    five = loaded(tmp_path, weights="mine.pt", kwargs={"num_labels": 5})
    assert answers(five.model.network).shape == (2, 5)


def test_a_repository_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    message = refused(tmp_path, spec="hf:nobody/nothing")
    assert "the cache of the hub holds no nobody/nothing, and audits fetch nothing; `hf download nobody/no" in message


def test_half_precision_is_cast(tmp_path: Path) -> None:
    build().half().save_pretrained(tmp_path / "saved")
    hf.ViTImageProcessor(size=SQUARE).save_pretrained(tmp_path / "saved")
    assert {value.dtype for value in loaded(tmp_path).model.network.parameters()} == {torch.float32}


def test_a_folder_is_audited_from_a_spec(spec: Path, tmp_path: Path) -> None:
    saved(spec.parent / "saved")
    edit(spec, 'spec = "network.py:build"\nweights = "weights.pt"\n', 'spec = "hf:saved"\n')
    subject = load_subject(job_of(spec, tmp_path / "run"))
    assert subject.data.images(range(1)).shape == (1, 3, 32, 32) != (1, 3, SIZE, SIZE)
    assert subject.model.model(subject.data.images(range(2))).shape == (2, len(subject.data.classes))
    told, chosen = subject.model.notes
    assert told.startswith("preprocessing of the image processor ViTImageProcessor: ")
    assert "'logits' of the ImageClassifierOutput" in chosen


def test_a_library_that_is_not_installed_is_refused_with_its_extra() -> None:
    with pytest.raises(
        ModelError, match=r"no_such_library is not installed; install this project with the extra \[hf\]"
    ):
        import_library("no_such_library", ModelSpec(spec="hf:x"), "hf")
