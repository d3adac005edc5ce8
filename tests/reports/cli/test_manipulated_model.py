"""`srd-audit manipulate-model`: its numbers against networks loaded from its files, its split, its refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Command
from safetensors.torch import load_file
from small_audits import edit, tree, write_audit

from pipeline.demo import shapes
from pipeline.experiments.manipulated_models import ManipulationExperiment, load_manipulation_experiment, similarity_of
from pipeline.inputs.data import Subset
from pipeline.inputs.demo_data import Shapes
from pipeline.inputs.models import load_model
from pipeline.spec.manipulation import load_manipulated_model_spec
from srd.decomposition import decompose
from srd.metrics.pearson import pearson
from srd.metrics.ssim import ssim
from srd.metrics.top_k_intersection import top_k_intersection
from srd.types import Maps

HOME = Path("audit") / "runs" / "small" / "manipulated"
TABLE = """[manipulation]
against = "srd"
goal = "location_corner"
weight = 20.0
steps = 100
batch = 3
rate = 0.02
images = 3
"""
METHODS = '["srd", "saliency", "smooth_grad", "random", "edges"]'


def write_spec(folder: Path) -> Path:
    spec = write_audit(folder)
    text = spec.read_text()
    start, end = text.index("[[perturbation]]"), text.index("[run]")
    spec.write_text(text[:start].replace('["srd", "saliency", "random"]', METHODS) + TABLE + text[end:])
    return spec


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path / "audit")


def subject_of(spec: Path) -> ManipulationExperiment:
    return load_manipulation_experiment(load_manipulated_model_spec(spec), spec.parent)


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "manipulated.json").read_text())
    return found


def row(rows: list[dict[str, Any]], **facts: str) -> dict[str, Any]:
    (found,) = (each for each in rows if all(each[name] == value for name, value in facts.items()))
    return found


def maps_and_classes(spec: Path, subject: ManipulationExperiment, name: str) -> tuple[Maps, np.ndarray[Any, Any]]:
    """SRD's maps of the classes that the original predicts, and the classes, by the network in a file of the result."""
    asked = subject.spec.model
    model = load_model(asked, spec.parent).model
    images = subject.held_out.images(range(len(subject.held_out.ids)))
    with torch.no_grad():
        target = model(images).argmax(1)
        if name != "original":
            model.network.load_state_dict(load_file(HOME / f"{name}.safetensors"))
        classes = model(images).argmax(1)
    return decompose(model.network, model.normalise(images), target), classes.numpy()


def test_the_numbers_are_those_of_the_networks_in_the_files(command: Command, spec: Path) -> None:
    ended = command("manipulate-model", spec)
    assert (ended.code, ended.err, ended.out) == (0, "", f"{HOME.absolute() / 'index.html'}\n")
    subject, found = subject_of(spec), result()
    labels = np.array(subject.held_out.labels)
    original, clean = maps_and_classes(spec, subject, "original")
    for name in ("control", "manipulated"):
        maps, classes = maps_and_classes(spec, subject, name)
        answers = row(found["answers"], network=name)
        assert answers["accuracy"]["value"] == (classes == labels).mean()
        assert answers["kept"]["value"] == (classes == clean).mean()
        assert answers["lost"]["value"] == pytest.approx((clean == labels).mean() - (classes == labels).mean())
        for similarity in (pearson, ssim, top_k_intersection):
            expected = float(similarity(original.double(), maps.double()).mean())
            moved = row(found["moved"], method="srd", similarity=similarity.__name__)
            assert moved[name]["value"] == pytest.approx(expected, abs=1e-6)
        share = maps.abs()[:, :8, :8].sum((1, 2)) / maps.abs().sum((1, 2))
        reached = row(found["reached"], method="srd")
        assert reached[name]["value"] == pytest.approx(float(share.mean()), abs=1e-6)
    assert reached["manipulated"]["value"] > max(reached["control"]["value"], reached["original"]["value"]) + 0.02
    assert reached["gained"]["value"] == pytest.approx(reached["manipulated"]["value"] - reached["original"]["value"])


def test_maps_that_ignore_the_network_are_the_same_and_the_attacked_method_is_marked(
    command: Command, spec: Path
) -> None:
    command("manipulate-model", spec)
    found = result()
    for method in ("random", "edges"):
        for each in (each for each in found["moved"] if each["method"] == method):
            assert each["role"] == "ignores the network"
            assert each["control"]["value"] == each["manipulated"]["value"] == 1.0
            assert each["beyond_control"]["value"] == 0.0
    roles = {each["method"]: each["role"] for each in found["moved"]}
    assert roles["srd"] == "attacked"
    assert roles["saliency"] == roles["smooth_grad"] == "transfer"


@pytest.mark.slow
def test_the_same_spec_gives_the_same_bytes(command: Command, spec: Path) -> None:
    command("manipulate-model", spec)
    command("manipulate-model", spec, "--out", "elsewhere")
    assert tree(HOME) == tree(Path("elsewhere/manipulated"))
    edit(spec, "seed = 1", "seed = 2")
    command("manipulate-model", spec, "--out", "elsewhere")
    assert tree(HOME)["manipulated.safetensors"] != tree(Path("elsewhere/manipulated"))["manipulated.safetensors"]


def test_the_page_links_what_is_there_and_shows_the_numbers(command: Command, spec: Path) -> None:
    command("manipulate-model", spec)
    page, found = (HOME / "index.html").read_text(), result()
    files = {path for each in found["exhibits"] for path in (each["image_file"], *(p["file"] for p in each["panels"]))}
    files |= {"manipulated.json", "manipulated.safetensors", "control.safetensors", "style.css", "figures/methods.svg"}
    assert all((HOME / file).is_file() and f'"{file}"' in page for file in files)
    assert files == {name for name in tree(HOME) if name != "index.html"}
    for each in found["moved"]:
        assert f"{each['manipulated']['value']:.3f}" in page


def test_the_manipulated_network_can_be_audited_like_any_other(command: Command, spec: Path) -> None:
    command("manipulate-model", spec)
    weights = (HOME / "manipulated.safetensors").resolve()
    other = write_audit(spec.parent.parent / "other")
    edit(other, '"weights.pt"', f'"{weights}"')
    assert command("run", other, "--stage", "perturb").code == 0


def test_no_image_is_fine_tuned_on_and_measured_and_the_seed_splits(spec: Path) -> None:
    first, again = subject_of(spec), subject_of(spec)
    other = subject_of(edit(spec, "seed = 1", "seed = 3"))
    assert len(first.examples.ids) == len(first.held_out.ids) == 3
    assert not set(first.examples.ids) & set(first.held_out.ids)
    assert first.examples.ids == again.examples.ids
    assert {first.examples.ids, other.examples.ids} == {first.examples.ids} | {other.examples.ids}
    assert first.examples.digest == again.examples.digest != first.held_out.digest


def test_the_demo_is_fine_tuned_on_scenes_that_it_was_trained_on(tmp_path: Path) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(
        '[model]\nspec = "demo:vgg"\n[data]\npath = "demo:shapes"\nn = 4\n[explain]\nmethods = ["saliency"]\n'
        '[manipulation]\nagainst = "saliency"\ngoal = "top_k"\nimages = 5\n'
    )
    subject = subject_of(file)
    assert subject.examples.ids == tuple(f"shapes-{shapes.TRAIN_SEED}-{n:06d}" for n in range(5))
    assert subject.held_out.ids == tuple(f"shapes-{shapes.TEST_SEED}-{n:06d}" for n in range(4))
    trained = torch.from_numpy(shapes.scene(shapes.TRAIN_SEED, 3).image)
    assert torch.equal(subject.examples.images([3])[0], trained)


def test_chosen_images_are_those_of_the_whole() -> None:
    whole = Shapes(6)
    part = Subset(whole, [4, 1])
    assert part.ids == (whole.ids[1], whole.ids[4])
    assert part.labels == (whole.labels[1], whole.labels[4])
    assert torch.equal(part.images([1, 0]), whole.images([4, 1]))
    assert torch.equal(part.masks([1]), whole.masks([4]))


def test_equal_maps_are_alike_by_exactly_1_and_constant_ones_not_at_all() -> None:
    maps = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    maps[2] = 5.0
    other = maps.clone()
    other[1, 0, 0] += 1e-3
    scores = similarity_of("pearson", maps, other)
    assert float(scores[0]) == 1.0
    assert 0.99 < float(scores[1]) < 1.0
    assert bool(scores[2].isnan())


Damage = Callable[[Path], Any]
REFUSALS: dict[str, tuple[Damage, str]] = {
    "no table": (lambda spec: edit(spec, TABLE, ""), "add [manipulation]"),
    "not among": (lambda spec: edit(spec, 'against = "srd"', 'against = "grad_cam"'), "not among explain.methods"),
    "no gradient": (lambda spec: edit(spec, 'against = "srd"', 'against = "random"'), "have no gradient"),
    "goal": (lambda spec: edit(spec, "location_corner", "location_frme"), "did you mean 'location_frame'"),
    "key": (lambda spec: edit(spec, "steps = 100", "step = 30"), "did you mean 'steps'"),
    "steps": (lambda spec: edit(spec, "steps = 100", "steps = 0"), "manipulation.steps"),
    "rate": (lambda spec: edit(spec, "rate = 0.02", "rate = inf"), "manipulation.rate"),
    "images": (lambda spec: edit(spec, "images = 3", "images = 6"), "manipulation.images = 6"),
    "perturbation": (
        lambda spec: edit(spec, TABLE, f'{TABLE}[[perturbation]]\nname = "gaussian_noise"\nstrengths = [0.1]\n'),
        "remove the tables",
    ),
    "diverged": (lambda spec: edit(spec, "rate = 0.02", "rate = 1e30"), "lower it"),
}


@pytest.mark.parametrize(("damage", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_done_is_refused(command: Command, spec: Path, damage: Damage, message: str) -> None:
    damage(spec)
    ended = command("manipulate-model", spec)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not HOME.exists()


def test_an_audit_refuses_the_table_with_the_command_that_it_is_for(command: Command, spec: Path) -> None:
    ended = command("run", spec)
    assert ended.code == 2
    assert "srd-audit manipulate-model" in ended.err


def test_the_page_is_not_written_through_a_link(command: Command, spec: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    HOME.parent.mkdir(parents=True)
    HOME.symlink_to(tmp_path / "outside")
    code, out, err = command("manipulate-model", spec)
    assert (code, out) == (2, "")
    assert f"{HOME.absolute()}: is a link" in err
    assert [file.read_text() for file in (tmp_path / "outside").iterdir()] == ["mine"]
