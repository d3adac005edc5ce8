"""Laws of the spec: what is accepted, kept as written, and never changed."""

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_audits import SPEC

from pipeline.spec.audit import (
    AuditSpec,
    attacked_methods,
    condition_id,
    condition_pairs,
    draw_numbers,
    load_spec,
    parse_spec,
)
from pipeline.spec.comparison import ComparisonSpec, load_audits
from pipeline.spec.model import ModelSpec
from pipeline.spec.toml import parse_table
from srd.errors import SpecError

PGD = {"name": "pgd", "strengths": ["8/255"]}


def table(**changes: Any) -> dict[str, Any]:
    smallest = {"model": {"spec": "demo:vgg"}, "data": {"path": "demo:shapes"}, "explain": {"methods": ["srd"]}}
    return smallest | changes


def perturbed(**changes: Any) -> AuditSpec:
    return parse_spec(table(perturbation=[PGD | changes]), "spec")


@pytest.mark.parametrize(("written", "value"), [("8/255", 8 / 255), (0.1, 0.1), ("0.1", 0.1), (1, 1.0), ("1e-3", 1e-3)])
def test_a_strength_is_a_fraction_or_a_number_and_keeps_its_text(written: str | float, value: float) -> None:
    (strength,) = perturbed(strengths=[written]).perturbation[0].strengths
    assert strength.value == value
    assert strength.text == str(written)


ADVICE = re.compile(r'write (?:one that is, such as )?"?([^" ]+)"?')


@pytest.mark.parametrize("name", ["pgd", "gaussian_noise", "rotation", "imagenet_c_fog", "zoom"])
@pytest.mark.parametrize("written", [0, "0", -1, -0.5, "512/2", 256, 1000, "1e3"])
def test_what_is_advised_in_place_of_a_strength_is_taken(name: str, written: Any) -> None:
    with pytest.raises(SpecError, match=r"is not in \(0, ") as caught:
        perturbed(name=name, strengths=[written], options={})
    advised = ADVICE.search(str(caught.value))
    assert advised, str(caught.value)
    assert perturbed(name=name, strengths=[advised[1]], options={})


@pytest.mark.parametrize("written", [8, 8.0, 7.5, 254, "16/2", 1.5])
@pytest.mark.parametrize("name", ["pgd", "gaussian_noise", "zoom"])
def test_a_strength_in_0_to_255_is_advised_as_a_share(name: str, written: Any) -> None:
    with pytest.raises(SpecError, match="if you count in 0 to 255") as caught:
        perturbed(name=name, strengths=[written], options={})
    advised = ADVICE.search(str(caught.value))
    assert advised
    (strength,) = perturbed(name=name, strengths=[advised[1]], options={}).perturbation[0].strengths
    assert strength.value == pytest.approx(float(Fraction(str(written))) / 255, rel=1e-3)


def test_only_what_can_be_meant_in_0_to_255_is_advised_so() -> None:
    for written, advice in (
        (0, 'such as "8/255"'),
        (8, 'write "8/255" if'),
        ("16/2", 'write "8/255" if'),
        (-8, "such as"),
    ):
        with pytest.raises(SpecError, match=advice):
            perturbed(name="pgd", strengths=[written])


@pytest.mark.parametrize("value", [3, 0.5, "text", True, [3, 4, 6, 3], [[1, 2], [3]], ["a", True], []], ids=repr)
def test_arguments_are_plain_values_and_survive_the_store(value: Any) -> None:
    model = ModelSpec.model_validate({"spec": "a.py:b", "kwargs": {"x": value}})
    assert ModelSpec.model_validate(model.model_dump(mode="json")) == model
    assert model.kwargs == {"x": value}


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], float("nan"), [float("inf")], None], ids=repr)
def test_other_arguments_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="is no argument; write a finite number, a text, a boolean or a list"):
        ModelSpec.model_validate({"spec": "a.py:b", "kwargs": {"x": value}})


@pytest.mark.parametrize("written", ["abc", "", "1/0", "8/", True, [1], float("nan"), float("inf"), 0, -0.1, "256/255"])
def test_no_other_strength_is_accepted(written: object) -> None:
    with pytest.raises(SpecError, match="number 1"):
        perturbed(strengths=[written])


def test_a_spec_is_frozen() -> None:
    spec = perturbed()
    with pytest.raises(ValidationError, match="frozen"):
        spec.run.tile = 3
    with pytest.raises(ValidationError, match="frozen"):
        spec.perturbation[0].strengths[0].value = 1.0
    assert isinstance(spec.explain.methods, tuple)


def test_equal_specs_have_equal_dumps_and_others_do_not(tmp_path: Path) -> None:
    one, again = tmp_path / "one.toml", tmp_path / "again.toml"
    one.write_text(SPEC, encoding="utf-8")
    again.write_text("# a comment changes nothing\n" + SPEC, encoding="utf-8")
    assert load_spec(one) == load_spec(again)
    assert load_spec(one).model_dump_json() == load_spec(again).model_dump_json()
    again.write_text(SPEC.replace("seed = 1", "seed = 2"), encoding="utf-8")
    assert load_spec(one).model_dump_json() != load_spec(again).model_dump_json()


def test_a_dump_is_the_spec_again() -> None:
    spec = perturbed(options={"steps": 3})
    assert AuditSpec.model_validate_json(spec.model_dump_json()) == spec


def test_what_is_left_out_has_its_default() -> None:
    spec = parse_spec(table(), "spec")
    assert spec.perturbation == ()
    assert (spec.run.tile, spec.run.seed) == (8, 0)
    assert spec.explain.target == "predicted"
    assert spec.data.n is None


@pytest.mark.parametrize("resize", [224, [256, 224]])
def test_resize_is_a_size_or_a_size_and_a_cut(resize: Any) -> None:
    spec = parse_spec(table(model={"spec": "demo:vgg", "resize": resize}), "spec")
    assert spec.model.resize == (tuple(resize) if isinstance(resize, list) else resize)


@pytest.mark.parametrize("resize", [0, -1, True, 224.0, "224", [224], [224, 256], [1, 2, 3], [256, 0]])
def test_no_other_resize_is_accepted(resize: Any) -> None:
    with pytest.raises(SpecError, match=r"model\.resize: .* is no size; write 224"):
        parse_spec(table(model={"spec": "demo:vgg", "resize": resize}), "spec")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"resize": {"height": 4}}, r"model\.resize: \{'height': 4\} is no size; write \{ height = 128, width = 64 \}"),
        ({"resize": {"height": 4, "width": 0}}, "is no size"),
        ({"resize": {"height": 4, "width": 5000}}, "at most 4096"),
        ({"crop": 0}, r"model\.crop: 0 is no size of a cut; write 224, \[height, width\] of at most 4096, or 'none'"),
        ({"crop": "centre"}, "is no size of a cut"),
        ({"crop": [1, 2, 3]}, "is no size of a cut"),
        (
            {"resize": [256, 224], "crop": 128},
            r"resize = \[256, 224\] cuts 224 out already; set resize = 256, or remove",
        ),
        ({"interpolation": "bicubic"}, "nothing is resized; set resize, or remove it"),
        ({"resize": 8, "interpolation": "cubic"}, "model.interpolation: Input should be 'nearest', "),
        ({"channels": 4}, "model.channels: Input should be 1 or 3"),
        ({"channels": 1, "mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]}, "one for each of 1 channels"),
    ],
)
def test_a_geometry_that_cannot_be_meant_is_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec(table(model={"spec": "demo:vgg"} | model), "spec")


@pytest.mark.parametrize(
    "model",
    [
        {"resize": {"height": 128, "width": 64}, "interpolation": "lanczos"},
        {"resize": 256, "crop": [224, 192]},
        {"resize": 256, "crop": "none"},
        {"crop": 24},
        {"channels": 1, "mean": [0.5], "std": [0.25]},
        {"mean": [0.1, 0.2, 0.3, 0.4, 0.5], "std": [1.0, 1.0, 1.0, 1.0, 1.0]},
    ],
)
def test_a_geometry_is_the_same_after_a_store_has_kept_it(model: dict[str, Any]) -> None:
    spec = parse_spec(table(model={"spec": "demo:vgg"} | model), "spec")
    assert AuditSpec.model_validate(json.loads(spec.model_dump_json())) == spec


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"path": "images"}, "folder"),
        ({"path": "x.csv"}, "csv"),
        ({"path": "x.npz"}, "arrays"),
        ({"path": "x.zarr/"}, "arrays"),
        ({"path": "x.npz", "format": "folder"}, "folder"),
        ({"path": "x", "format": "torchvision:MNIST"}, "torchvision"),
        ({"path": "x", "format": "huggingface"}, "huggingface"),
        ({"path": "demo:shapes"}, "demo"),
    ],
)
def test_the_format_is_named_or_seen_by_the_path(data: dict[str, Any], kind: str) -> None:
    assert parse_spec(table(data=data), "spec").data.kind == kind


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"format": "imagenets"}, "data.format: 'imagenets' is no format; did you mean 'imagenet-s'"),
        ({"format": "torchvision"}, "is no format; did you mean 'torchvision:NAME'"),
        (
            {"path": "demo:shapes", "format": "folder"},
            "format = 'folder': the demo images have their own; remove the key",
        ),
        (
            {"split": "test"},
            "split = 'test': is for data of the format imagenet-s, arrays, torchvision, huggingface, this",
        ),
        (
            {"path": "x.csv", "labels": "y.csv"},
            "labels = 'y.csv': is for data of the format folder, imagenet-s, arrays",
        ),
        (
            {"layout": "nhwc"},
            "layout = 'nhwc': is for data of the format arrays, this is of folder; remove the key, or",
        ),
        (
            {"path": "x.npy", "range": [1.0, 1.0]},
            r"data.range: \[1.0, 1.0\] is no range; write \[black, white\], such as",
        ),
        ({"path": "x.npy", "range": [0.0, 1.0, 2.0]}, "is no range"),
        ({"path": "x.npy", "layout": "nchwx"}, "data.layout: Input should be 'nhwc' or 'nchw'"),
        ({"sample": "random"}, "sample = 'random': all images are taken; set data.n, or remove it"),
        ({"seed": 4}, "seed = 4: all images are taken; set data.n, or remove it"),
        ({"n": 4, "sample": "first"}, "data.sample: Input should be 'balanced', 'stratified' or 'random'"),
        ({"n": 4, "seed": -1}, "data.seed: Input should be greater than or equal to 0"),
    ],
)
def test_data_that_cannot_be_meant_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec(table(data={"path": "images"} | data), "spec")


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0.5], None, "belong together"),
        ([0.5, 0.5], [1.0, 1.0], "one for each of 3 channels"),
        ([0.5], [0.0], "std must be positive"),
    ],
)
def test_mean_and_std_fit_each_other_and_the_channels(mean: Any, std: Any, message: str) -> None:
    model = {"spec": "demo:vgg", "channels": 3, "mean": mean} | ({} if std is None else {"std": std})
    with pytest.raises(SpecError, match=message):
        parse_spec(table(model=model), "spec")


@pytest.mark.parametrize(
    "perturbations",
    [
        [PGD, PGD],
        [PGD, PGD | {"options": {"steps": 3}}],
        [PGD | {"strengths": [0.1, "0.1"]}],
        [PGD | {"name": "manipulate"}, PGD | {"name": "manipulate", "against": ["srd"]}],
    ],
)
def test_no_two_entries_of_the_axis_share_an_id(perturbations: Any) -> None:
    with pytest.raises(SpecError, match=r"\[\[perturbation\]\] number [12]: .*@.* stands twice"):
        parse_spec(table(perturbation=perturbations), "spec")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"against": ["srd"]}, "against is for attacks on explanations"),
        ({"name": "manipulate", "against": []}, "there is no method to attack"),
        ({"name": "manipulate", "against": ["saliency"]}, "not among explain.methods"),
        ({"options": {"steps": 2.5}}, "expected int, got 2.5"),
        ({"options": {"steps": True}}, "expected int, got True"),
        ({"options": {"steps": 0}}, "must be finite and at least 1, got 0"),
        ({"options": {"steps": [1]}}, "not a number, a text or a boolean"),
        ({"strengths": []}, "strengths is empty"),
        ({"strengths": 0.1}, "expected a list, got 0.1"),
        ({"name": "imagenet_c_fog", "strengths": [2.5]}, "severity = 2.5 is no whole number; write 3"),
        (
            {"name": "imagenet_c_fog", "strengths": [6]},
            r"severity = 6 is not in \(0, 5\]; write one that is, such as 3$",
        ),
        ({"name": "manipulate", "options": {"eight_bits": 1}}, "expected bool, got 1"),
        ({"name": "manipulate", "options": {"aim": "top-k"}}, "no option is called 'aim'"),
        ({"draws": 0}, r"draws: .*got 0"),
        ({"draws": 257}, r"draws: .*got 257"),
        ({"draws": 2.0}, r"draws: .*got 2\.0"),
        ({"draws": 2}, r"number 1 \(pgd\): draws = 2: pgd searches, so its draws are not alike; remove draws"),
        (
            {"name": "manipulate", "draws": 3},
            "draws = 3: manipulate searches, so its draws are not alike; remove draws",
        ),
        (
            {"name": "zoom", "strengths": [0.1], "draws": 2},
            r"number 1 \(zoom\): draws = 2: zoom draws nothing at random; remove draws",
        ),
    ],
)
def test_a_perturbation_that_cannot_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        perturbed(**changes)


@pytest.mark.parametrize(
    ("name", "strength"), [("gaussian_noise", 0.1), ("random_sign", "8/255"), ("rotation", 15), ("imagenet_c_fog", 3)]
)
def test_random_changes_may_be_drawn_several_times(name: str, strength: Any) -> None:
    spec = parse_spec(table(perturbation=[{"name": name, "strengths": [strength], "draws": 256}]), "spec")
    assert list(draw_numbers(spec.perturbation[0])) == list(range(1, 257))


def test_draws_count_as_entries() -> None:
    noise = {"name": "gaussian_noise", "strengths": [0.001 * n for n in range(1, 41)], "draws": 256}
    with pytest.raises(SpecError, match="perturbation: 10240 conditions, more than 10000; name fewer strengths, draws"):
        parse_spec(table(perturbation=[noise]), "spec")
    twice = [noise | {"strengths": [0.1], "draws": draws} for draws in (2, 3)]
    with pytest.raises(SpecError, match=r"number 2: gaussian_noise@0\.1 stands twice"):
        parse_spec(table(perturbation=twice), "spec")


GRIDS = {"data": {"path": "demo:grids"}, "model": {"spec": "demo:resnet"}}


def test_of_grids_only_the_label_is_explained() -> None:
    assert parse_spec(table(explain={"methods": ["srd"], "target": "label"}, **GRIDS), "spec")
    for explain in ({"methods": ["srd"]}, {"methods": ["srd"], "target": "predicted"}):
        refused = r"data\.path = 'demo:grids': .* explain\.target is 'predicted'; set explain\.target = 'label'"
        with pytest.raises(SpecError, match=refused):
            parse_spec(table(explain=explain, **GRIDS), "spec")
    two = {"explain": {"methods": ["srd"]}, "subject": {"one": GRIDS}}
    with pytest.raises(SpecError, match=r"subject\.one\.data\.path = 'demo:grids'"):
        parse_table(ComparisonSpec, two, "spec")


def test_an_attack_needs_a_method_with_a_gradient() -> None:
    attack = [PGD | {"name": "manipulate"}]
    with pytest.raises(SpecError, match="there is no method to attack"):
        parse_spec(table(explain={"methods": ["random", "edges"]}, perturbation=attack), "spec")
    against = [attack[0] | {"against": ["random"]}]
    with pytest.raises(SpecError, match="'random', which has nothing of the network to attack; remove it"):
        parse_spec(table(explain={"methods": ["srd", "random"]}, perturbation=against), "spec")
    against = [attack[0] | {"against": ["rise"]}]
    with pytest.raises(SpecError, match="'rise', which has no gradient to attack; remove it"):
        parse_spec(table(explain={"methods": ["srd", "rise"]}, perturbation=against), "spec")


def test_a_black_box_attack_needs_a_method_that_asks_the_network() -> None:
    attack = PGD | {"name": "black_box"}
    spec = parse_spec(table(explain={"methods": ["random", "rise", "edges", "srd"]}, perturbation=[attack]), "spec")
    assert attacked_methods(spec.perturbation[0], spec.explain.methods) == ("rise", "srd")
    against = [attack | {"against": ["random"]}]
    with pytest.raises(SpecError, match="'random', which has nothing of the network to attack; remove it"):
        parse_spec(table(explain={"methods": ["rise", "random"]}, perturbation=against), "spec")


def test_a_strength_below_one_level_is_refused_in_eight_bits_where_it_bounds_each_value() -> None:
    eight_bits = {"options": {"eight_bits": True}}
    for strengths in ([0.0039], ["8/255", 0.001]):
        with pytest.raises(SpecError, match=r"eight_bits leaves nothing of an epsilon below 1/255; remove one"):
            perturbed(name="manipulate", strengths=strengths, **eight_bits)
    perturbed(name="manipulate", strengths=["1/255"], **eight_bits)
    perturbed(name="manipulate", strengths=[0.0039])
    perturbed(name="manipulate_l2", strengths=[0.001], **eight_bits)


def test_a_perturbation_without_a_strength_has_one_entry_and_refuses_strengths() -> None:
    spec = parse_spec(table(perturbation=[{"name": "horizontal_flip"}]), "spec")
    assert [condition_id("horizontal_flip", *pair) for pair in condition_pairs(spec.perturbation[0], ("srd",))] == [
        "horizontal_flip"
    ]
    with pytest.raises(SpecError, match=r"number 1 \(horizontal_flip\): has no strength to choose; remove strengths"):
        perturbed(name="horizontal_flip")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": 3}, "run: expected a table, got 3"),
        ({"perturbation": PGD}, "perturbation: expected a list"),
        ({"explain": {"methods": []}}, "explain.methods is empty"),
        ({"explain": {"methods": ["srd", "srd"]}}, "explain.methods: 'srd' stands twice"),
        (
            {"explain": {"methods": ["srd"], "options": {"saliency": {}}}},
            "explain.options.saliency: not among explain.methods",
        ),
        ({"data": {}}, "data.path: is missing"),
        ({"data": {"path": "x", "n": 0}}, "data.n: .*got 0"),
        ({"run": {"tile": 0}}, "run.tile: .*got 0"),
        ({"run": {"seed": -1}}, "run.seed: .*got -1"),
    ],
)
def test_a_refusal_names_place_and_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^spec: {message}"):
        parse_spec(table(**changes), "spec")


def test_every_wrong_place_is_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(table(run={"tile": 0, "seed": -1}), "spec")
    assert len(str(caught.value).splitlines()) == 2


NETWORK = {"model": {"spec": "demo:vgg"}, "data": {"path": "demo:shapes"}}
SUBJECTS = """
[subject.one]
model.spec = "demo:vgg"
data = { path = "demo:shapes", n = 6 }

[subject.two-b]
model = { spec = "demo:resnet", mean = [0.5], std = [0.25] }
data.path = "demo:shapes"

[explain]
methods = ["srd", "saliency"]
target = "label"

[[perturbation]]
name = "pgd"
strengths = ["8/255"]

[run]
seed = 3
"""


def spec_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_subject_gets_the_audit_that_a_spec_of_its_own_would_give(tmp_path: Path) -> None:
    shared = {
        "explain": {"methods": ["srd", "saliency"], "target": "label"},
        "perturbation": [PGD],
        "run": {"seed": 3},
    }
    one = NETWORK | {"data": {"path": "demo:shapes", "n": 6}} | shared
    two = NETWORK | {"model": {"spec": "demo:resnet", "mean": [0.5], "std": [0.25]}} | shared
    audits = load_audits(spec_file(tmp_path, SUBJECTS))
    assert list(audits) == ["one", "two-b"]
    assert audits == {"one": parse_spec(one, "spec"), "two-b": parse_spec(two, "spec")}
    assert audits["one"].model_dump_json() == parse_spec(one, "spec").model_dump_json()


def test_a_spec_of_one_network_has_no_subjects(tmp_path: Path) -> None:
    assert load_audits(spec_file(tmp_path, SPEC)) == {}


def test_a_command_for_one_network_refuses_several(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec\.toml: subject: this command takes one network; move one subject's"):
        load_spec(spec_file(tmp_path, SUBJECTS))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[run]", "[model]\nspec = 'demo:vgg'\n[run]", r"model: each subject has its own; .* \[subject\.NAME\.model\]"),
        ("[subject.two-b]", '[subject."../b"]', r"subject\.'\.\./b': names a folder; use letters, digits, - and _"),
        ("data.path =", "data.paht =", r"subject\.two-b\.data\.paht: unknown key; did you mean 'path'\?"),
        ("data.path =", "date.path =", r"subject\.two-b\.date: unknown key; did you mean 'data'\?"),
        ('data.path = "demo:shapes"', "", r"subject\.two-b\.data: is missing; add it"),
        ("std = [0.25]", "std = [0.0]", r"subject\.two-b\.model: std must be positive"),
        ("[run]", "[runs]", r"runs: unknown key; did you mean 'run'\?"),
        ('"saliency"', '"salience"', r"explain\.methods: no method is called 'salience'; did you mean 'saliency'\?"),
    ],
)
def test_a_wrong_spec_of_several_subjects_is_refused_once_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert SUBJECTS.count(old) == 1
    with pytest.raises(SpecError, match=rf"^\S*spec\.toml: {message}[^\n]*$"):
        load_audits(spec_file(tmp_path, SUBJECTS.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[subject]\n[explain]\nmethods = ['srd']", r"subject: names no network; add \[subject\.NAME\.model\]"),
        ("subject = 3\n[explain]\nmethods = ['srd']", "subject: expected a table, got 3"),
        ("subject.a = 3\n[explain]\nmethods = ['srd']", r"subject\.a: expected a table, got 3"),
    ],
)
def test_subjects_are_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_audits(spec_file(tmp_path, text))
