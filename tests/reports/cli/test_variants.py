"""`srd-audit variants`: its numbers against networks loaded apart, what a variant cannot run, its refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from colour_network import build
from command_line import Command
from small_audits import edit, tree, write_audit

from pipeline.experiments.variants import compare, load_variant_experiment
from pipeline.inputs.models import load_model
from pipeline.inputs.weights import state_digest
from pipeline.spec.variants import load_variants_spec
from srd.decomposition import decompose
from srd.metrics.pearson import pearson
from srd.metrics.relative_change import relative_change
from srd.registry import SIMILARITIES

HOME = Path("audit") / "runs" / "small" / "variants"
METHODS = '["srd", "saliency", "smooth_grad", "rise", "random", "edges"]'
TABLES = """[variant.same]
weights = "weights.pt"

[variant.double]
dtype = "float64"

[variant.int8]
quantize = "int8-dynamic"

[variant.other]
weights = "other.pt"

"""
WITH_GRADIENT = ["srd", "saliency", "smooth_grad"]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    spec = write_audit(tmp_path / "audit")
    text = spec.read_text(encoding="utf-8")
    start, end = text.index("[[perturbation]]"), text.index("[run]")
    methods = text[:start].replace('["srd", "saliency", "random"]', f"{METHODS}\noptions.rise.masks = 20")
    spec.write_text(f"{methods}{TABLES}{text[end:]}", encoding="utf-8")
    write_other_weights(spec.parent / "other.pt")
    return spec


@torch.no_grad()
def write_other_weights(file: Path) -> None:
    """Write the weights of a network that sees the same colours, but not by the same map."""
    network, draw = build(), torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=draw), alpha=0.1)
    torch.save(network.state_dict(), file)


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "variants.json").read_text(encoding="utf-8"))
    return found


def rows(found: list[dict[str, Any]], **facts: str) -> list[dict[str, Any]]:
    return [each for each in found if all(each[name] == value for name, value in facts.items())]


def test_a_variant_that_is_the_network_moves_nothing(command: Command, spec: Path) -> None:
    ended = command("variants", spec)
    assert (ended.code, ended.err, ended.out) == (0, "", f"{HOME.absolute() / 'index.html'}\n")
    found = result()
    (answers,) = rows(found["answers"], variant="same")
    assert (answers["kept"]["value"], answers["largest"], answers["lost"]["value"]) == (1.0, 0.0, 0.0)
    moved = rows(found["moved"], variant="same")
    assert {each["method"] for each in moved} == set(json.loads(METHODS))
    for each in moved:
        assert each["estimate"]["value"] == (1.0 if each["quantity"] in SIMILARITIES else 0.0)


def test_float64_moves_maps_by_rounding_alone_also_of_methods_that_draw(command: Command, spec: Path) -> None:
    command("variants", spec)
    found = result()
    for each in rows(found["moved"], variant="double", quantity="relative_change"):
        reads_network = each["method"] not in {"random", "edges"}
        assert (0.0 < each["estimate"]["value"] < 1e-4) if reads_network else each["estimate"]["value"] == 0.0
    scale = {each["method"]: each for each in rows(found["scale"], quantity="relative_change")}
    assert {name for name, each in scale.items() if each["repeat"]} == {"smooth_grad", "rise", "random"}
    for each in rows(found["moved"], variant="double", quantity="relative_change"):
        assert each["estimate"]["value"] < 0.01 * scale[each["method"]]["other_image"]["value"]
    assert scale["random"]["repeat"]["value"] > 1.0


def test_methods_that_need_a_gradient_are_listed_for_int8_and_the_others_are_measured(
    command: Command, spec: Path
) -> None:
    command("variants", spec)
    found = result()
    assert [(each["variant"], each["method"]) for each in found["refused"]] == [("int8", n) for n in WITH_GRADIENT]
    assert all("no gradient passes through 'fc'" in each["reason"] for each in found["refused"])
    moved = rows(found["moved"], variant="int8", quantity="pearson")
    assert [each["method"] for each in moved] == ["rise", "random", "edges"]
    page = (HOME / "index.html").read_text(encoding="utf-8")
    assert page.count("no gradient passes through") == len(WITH_GRADIENT)


def test_the_numbers_of_other_weights_are_those_of_a_network_that_is_loaded_apart(command: Command, spec: Path) -> None:
    command("variants", spec)
    found = result()
    subject = load_variant_experiment(load_variants_spec(spec), spec.parent)
    images = subject.data.images(range(len(subject.data.ids)))
    asked = subject.spec.model
    ours = load_model(asked, spec.parent).model
    theirs = load_model(asked.model_copy(update={"weights": "other.pt"}), spec.parent).model
    with torch.no_grad():
        first, second = ours(images), theirs(images)
    maps = [decompose(each.network, each.normalise(images), first.argmax(1)).double() for each in (ours, theirs)]
    for quantity, metric in (("pearson", pearson), ("relative_change", relative_change)):
        (moved,) = rows(found["moved"], variant="other", method="srd", quantity=quantity)
        assert moved["estimate"]["value"] == pytest.approx(float(metric(*maps).mean()), abs=1e-6)
        assert moved["estimate"]["n"] == len(images)
    (moved,) = rows(found["moved"], variant="other", method="srd", quantity="relative_change")
    assert moved["estimate"]["value"] > 0.01
    (answers,) = rows(found["answers"], variant="other")
    assert answers["kept"]["value"] == (first.argmax(1) == second.argmax(1)).double().mean()
    change = (first.double().softmax(1) - second.double().softmax(1)).abs().amax(1)
    assert answers["probability_change"]["value"] == pytest.approx(float(change.mean()), abs=1e-6)
    assert answers["largest"] == pytest.approx(float(change.max()), abs=1e-6)
    assert set(found["weights"]) == {"", "same", "other"}
    assert found["weights"][""] == found["weights"]["same"] != found["weights"]["other"]


def test_the_network_is_left_as_found(spec: Path) -> None:
    subject = load_variant_experiment(load_variants_spec(spec), spec.parent)
    network = subject.loaded.model.network
    before = state_digest(network, "")
    assert len(list(subject.measure(subject.variants()))) == len(subject.tiles) == 2
    assert state_digest(network, "") == before
    assert type(network.get_submodule("fc")) is torch.nn.Linear
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in network.modules())


def test_a_variant_that_has_no_answer_is_listed_alone(command: Command, spec: Path) -> None:
    state = torch.load(spec.parent / "weights.pt", weights_only=True)
    torch.save(state | {"fc.bias": torch.full_like(state["fc.bias"], torch.inf)}, spec.parent / "other.pt")
    assert command("variants", spec).code == 0
    found = result()
    (reason,) = rows(found["refused"], variant="other")
    assert (reason["method"], reason["reason"]) == ("", "the answer to an image is not finite; check weights and dtype")
    assert not rows(found["moved"], variant="other")
    assert not rows(found["answers"], variant="other")
    assert "other was not measured" in (HOME / "index.html").read_text(encoding="utf-8")


def test_one_image_has_no_other_to_be_compared_with(command: Command, spec: Path) -> None:
    edit(spec, 'path = "images"', 'path = "images"\nn = 1')
    assert command("variants", spec).code == 0
    assert all(each["other_image"]["reason"] == "there is no other image" for each in result()["scale"])


def test_the_same_spec_gives_the_same_bytes_and_the_page_links_what_is_there(command: Command, spec: Path) -> None:
    command("variants", spec)
    command("variants", spec, "--out", "elsewhere")
    assert tree(HOME) == tree(Path("elsewhere/variants"))
    page = (HOME / "index.html").read_text(encoding="utf-8")
    files = {"variants.json", "style.css", "figures/variants.svg"}
    assert files == {name for name in tree(HOME) if name != "index.html"}
    assert all(f'"{file}"' in page for file in files)


def test_maps_that_are_not_finite_compare_to_nothing() -> None:
    maps = torch.rand(2, 12, 12, generator=torch.Generator().manual_seed(0))
    other = maps.clone()
    other[1, 0, 0] = torch.inf
    found = torch.from_numpy(compare(maps, other))
    assert not bool(found[:, 0].isnan().any())
    assert bool(found[:, 1].isnan().all())


Damage = Callable[[Path], Any]
REFUSALS: dict[str, tuple[Damage, str]] = {
    "no table": (lambda spec: edit(spec, TABLES, ""), "add [variant.NAME]"),
    "empty": (lambda spec: edit(spec, 'dtype = "float64"', ""), "variant.double: changes nothing"),
    "dtype": (lambda spec: edit(spec, '"float64"', '"int4"'), "variant.double.dtype"),
    "key": (lambda spec: edit(spec, 'dtype = "float64"', 'dtipe = "float64"'), "did you mean 'dtype'"),
    "both": (lambda spec: edit(spec, 'quantize = "', 'dtype = "float16"\nquantize = "'), "read float32; remove dtype"),
    "name": (lambda spec: edit(spec, "[variant.same]", '[variant."a b"]'), "use letters, digits, - and _"),
    "no weights": (lambda spec: edit(spec, '"float64"', '"float64"\nweights_key = "ema"'), "set weights, or remove it"),
    "no file": (lambda spec: edit(spec, '"other.pt"', '"none.pt"'), "variant.other: model.weights"),
    "perturbation": (
        lambda spec: edit(spec, TABLES, f'{TABLES}[[perturbation]]\nname = "gaussian_noise"\nstrengths = [0.1]\n'),
        "remove the tables",
    ),
}


@pytest.mark.parametrize(("damage", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_done_is_refused(command: Command, spec: Path, damage: Damage, message: str) -> None:
    damage(spec)
    ended = command("variants", spec)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not HOME.exists()


def test_an_audit_refuses_the_tables_with_the_command_that_they_are_for(command: Command, spec: Path) -> None:
    ended = command("run", spec)
    assert ended.code == 2
    assert "srd-audit variants" in ended.err
