"""Laws of loading a network: as the spec says, in evaluation mode, and refused with a way out where it cannot be."""

from pathlib import Path

import colour_network
import pytest
import torch
from safetensors.torch import save_file
from small_audits import edit
from torch import Tensor, nn

from pipeline.demo import networks
from pipeline.inputs.answers import logits_of, refuse_constant, refuse_unless_logits
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

NETWORK = "network.py:build"


def loaded(spec: Path, name: str = NETWORK, **options: object) -> LoadedModel:
    model = ModelSpec.model_validate({"spec": name, "weights": "weights.pt"} | options)
    return load_model(model, spec.parent)


def refused(spec: Path, name: str = NETWORK, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        loaded(spec, name, **options)
    return str(caught.value)


def weights(spec: Path, state: object) -> None:
    torch.save(state, spec.parent / "weights.pt")


def code(spec: Path, text: str) -> None:
    file = spec.parent / "network.py"
    file.write_text(file.read_text(encoding="utf-8") + "\n\n" + text, encoding="utf-8")


def test_the_network_is_the_files_with_its_weights_in_evaluation_mode(spec: Path) -> None:
    model = loaded(spec).model
    expected = colour_network.build().state_dict()
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(value, expected[name]) for name, value in model.network.state_dict().items())


def test_without_mean_and_std_the_network_reads_the_images_themselves(spec: Path) -> None:
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    model = loaded(spec).model
    assert torch.equal(model.normalise(images), images)
    assert torch.equal(model.black, torch.zeros(1, 1, 1))


def test_images_are_normalised_by_channel(spec: Path) -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    model = loaded(spec, mean=mean, std=std).model
    images = torch.ones(1, 3, 2, 2)
    expected = torch.tensor([(1 - m) / s for m, s in zip(mean, std, strict=True)])
    torch.testing.assert_close(model.normalise(images)[0, :, 0, 0], expected)


def test_half_precision_weights_are_cast_to_float32(spec: Path) -> None:
    weights(spec, {name: value.half() for name, value in colour_network.build().state_dict().items()})
    assert {parameter.dtype for parameter in loaded(spec).model.network.parameters()} == {torch.float32}


def test_safetensors_and_torch_files_give_the_same_network(spec: Path) -> None:
    save_file(colour_network.build().state_dict(), spec.parent / "weights.safetensors")
    one, other = loaded(spec), loaded(spec, weights="weights.safetensors")
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.model(images), other.model(images))


def test_digests_change_with_weights_and_with_source(spec: Path, tmp_path: Path) -> None:
    one = loaded(spec)
    state = colour_network.build().state_dict()
    state["fc.bias"][0] += 1e-7
    weights(spec, state)
    assert loaded(spec).weights_digest != one.weights_digest
    other = tmp_path / "other.py"
    other.write_text((spec.parent / "network.py").read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert loaded(spec, str(other) + ":build").source_digest != one.source_digest


def test_a_network_that_brings_its_weights_needs_no_file(spec: Path) -> None:
    one, again = loaded(spec, weights=None), loaded(spec, weights=None)
    assert one.weights_digest == again.weights_digest
    assert one.n_parameters == sum(p.numel() for p in colour_network.build().parameters())


def test_weights_that_differ_from_call_to_call_are_refused(spec: Path) -> None:
    assert "two calls gave two networks; set model.weights" in refused(spec, "network.py:ColourNetwork", weights=None)


def test_a_module_on_the_path_is_imported_by_name(spec: Path) -> None:
    assert isinstance(loaded(spec, "colour_network:build").model.network, nn.Module)


def test_a_file_may_define_dataclasses(spec: Path) -> None:
    text = "from dataclasses import dataclass\n\n\n@dataclass\nclass Options:\n    width: 'int' = 3\n"
    code(spec, text)
    assert loaded(spec).n_parameters


def test_any_callable_will_do(spec: Path) -> None:
    code(spec, "from functools import partial\n\nchosen = partial(build)\n")
    assert loaded(spec, "network.py:chosen").source_digest == loaded(spec).source_digest


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_demo_network_comes_normalised(name: str) -> None:
    model = load_model(ModelSpec(spec=f"demo:{name}"), Path()).model
    assert model.mean.flatten().tolist() == list(networks.MEAN)
    assert model.std.flatten().tolist() == list(networks.STD)


def test_a_demo_network_has_its_own_weights() -> None:
    with pytest.raises(ModelError, match="a demo network has its own weights"):
        load_model(ModelSpec(spec="demo:vgg", weights="mine.pt"), Path())
    with pytest.raises(ModelError, match="did you mean 'resnet'"):
        load_model(ModelSpec(spec="demo:resent"), Path())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("network", "expected demo:vgg, demo:resnet, path/to/file.py:callable"),
        ("network.py:", "expected demo:vgg"),
        (":build", "expected demo:vgg"),
        ("nowhere.py:build", "nowhere.py: No such file"),
        ("network.py:biuld", "has no callable 'biuld'; did you mean 'build'"),
        ("no_such_package.models:build", "cannot import 'no_such_package.models'"),
        ("os:getcwd", "returned str; name a callable that returns a torch.nn.Module"),
        ("network.py:COLOURS", "has no callable 'COLOURS'"),
        ("torch.nn:Linear", "the call without arguments failed: TypeError"),
    ],
)
def test_a_network_that_is_not_there_is_refused(spec: Path, name: str, message: str) -> None:
    assert message in refused(spec, name)


def test_a_file_that_fails_is_refused_each_time(spec: Path) -> None:
    code(spec, "raise OSError('no licence')")
    for _ in range(2):
        assert "cannot be imported: OSError: no licence" in refused(spec)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x04junk", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_weights_file_is_refused(spec: Path, content: bytes, suffix: str) -> None:
    (spec.parent / f"damaged.{suffix}").write_bytes(content)
    message = refused(spec, weights=f"damaged.{suffix}")
    assert "is damaged: " in message or "is no state dict; " in message
    assert "save network.state_dict()" in message
    assert len(message) < 1000


def test_what_was_unwrapped_is_noted(spec: Path) -> None:
    assert loaded(spec).notes == ()
    state = {f"module.{name}": value for name, value in colour_network.build().state_dict().items()}
    weights(spec, {"state_dict": state, "epoch": 3})
    under, without = loaded(spec).notes
    assert "'state_dict'" in under
    assert "'module.'" in without


ARGUMENTS = """
class Sized(nn.Module):
    def __init__(self, width, depth=1, *, sizes=(1,), name="a"):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Linear(width, width) for _ in range(depth + sum(sizes))))


def loose(**options):
    return Sized(**options)
"""


@pytest.mark.parametrize(
    ("kwargs", "n_parameters"),
    [({"width": 2}, 12), ({"width": 2, "depth": 2}, 18), ({"width": 1, "sizes": [2, 3], "name": "b"}, 12)],
)
@pytest.mark.parametrize("name", ["Sized", "loose"])
def test_arguments_go_to_the_callable(spec: Path, name: str, kwargs: dict[str, object], n_parameters: int) -> None:
    code(spec, ARGUMENTS)
    assert loaded(spec, f"network.py:{name}", weights=None, kwargs=kwargs).n_parameters == n_parameters


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("Sized", {"widht": 2}, "model.kwargs: 'network.py:Sized' has no argument 'widht'; did you mean 'width'?"),
        ("Sized", {"width": 2, "zzz": 1}, "has no argument 'zzz'; known: width, depth, sizes, name"),
        ("build", {"depth": 2}, "has no argument 'depth'; there is none to name; remove it"),
        ("loose", {"width": 2, "wide": 1}, "the call with model.kwargs (width, wide) failed: TypeError: "),
        ("loose", {"width": "two"}, "mend it, or change model.kwargs"),
        ("Sized", {}, "missing 1 required positional argument: 'width'; name a callable that needs none, or set"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(
    spec: Path, name: str, kwargs: dict[str, object], message: str
) -> None:
    code(spec, ARGUMENTS)
    assert message in refused(spec, f"network.py:{name}", weights=None, kwargs=kwargs)


def test_a_demo_network_takes_no_arguments() -> None:
    with pytest.raises(ModelError, match="a demo network takes no arguments; remove the key"):
        load_model(ModelSpec(spec="demo:vgg", kwargs={"depth": 2}), Path())


@pytest.mark.parametrize(("name", "there"), [("Linear", "nn"), ("Adam", "optim"), ("Normal", "distributions")])
def test_a_callable_of_a_module_below_is_pointed_at(spec: Path, name: str, there: str) -> None:
    message = refused(spec, f"torch:{name}", weights=None)
    assert f"did you mean 'torch.{there}:{name}'? its arguments go into model.kwargs" in message


ENDS = {
    "exit": "import sys\n        sys.exit(0)",
    "raise": "raise SystemExit",
    "parser": "import argparse\n        argparse.ArgumentParser().parse_args(['--unknown'])",
}


@pytest.mark.parametrize("case", ENDS)
def test_a_network_that_ends_the_program_is_refused_with_its_line(spec: Path, case: str) -> None:
    code(spec, f"class Ending(ColourNetwork):\n    def forward(self, inputs):\n        {ENDS[case]}\n")
    code(spec, "def end():\n    torch.manual_seed(0)\n    return Ending()\n")
    line = (spec.parent / "network.py").read_text(encoding="utf-8").splitlines().index(
        "    def forward(self, inputs):"
    ) + 1
    model = loaded(spec, "network.py:end").model
    with pytest.raises(ModelError, match=r"which would end the program \(network\.py, line \d+, in forward") as caught:
        logits_of(model, torch.zeros(1, 3, 16, 16), "place")
    assert any(f"line {line + more}," in str(caught.value) for more in (1, 2))


def test_what_a_network_prints_goes_to_stderr(spec: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code(spec, "class Loud(ColourNetwork):\n    def forward(self, inputs):\n        print('seen')\n")
    code(spec, "def loud():\n    torch.manual_seed(0)\n    return Loud()\n")
    with pytest.raises(ModelError, match="the output is a NoneType"):
        logits_of(loaded(spec, "network.py:loud").model, torch.zeros(1, 3, 16, 16), "place")
    assert capfd.readouterr() == ("", "seen\n")


def test_weights_that_do_not_fit_are_refused_by_name(spec: Path) -> None:
    state = colour_network.build().state_dict()
    weights(spec, {name: value for name, value in state.items() if name != "fc.bias"})
    assert "fc.bias" in refused(spec)
    weights(spec, state | {"fc.bias": torch.zeros(7)})
    assert "fc.bias" in refused(spec)
    weights(spec, state | {"fc.extra": torch.zeros(7)})
    assert "fc.extra" in refused(spec)


def test_weights_that_run_code_are_refused_without_running_it(spec: Path) -> None:
    weights(spec, colour_network.build())
    assert "would run code when loaded" in refused(spec)


def test_outputs_are_one_finite_logit_a_class() -> None:
    logits, spec = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]]), ModelSpec(spec="place")
    refuse_unless_logits(logits, 3, spec)
    for outputs, message in (
        (logits[:, :2], "3 classes"),
        (logits[..., None], "3 classes"),
        (logits / 0, "not finite"),
        (logits.softmax(1), r"probabilities \(each row sums to 1\): .* set model.output = 'output of MODULE'"),
        (
            logits.log_softmax(1),
            r"logarithms of probabilities \(log-softmax\): .* set model.output = 'output of MODULE'",
        ),
        (logits.softmax(1).log() - 1e-6, "logarithms of probabilities"),
        (logits.sigmoid(), r"all between 0 and 1, .*set model\.outputs_are_logits = true"),
        (logits.clamp(0, 1), "all between 0 and 1"),
    ):
        with pytest.raises(ModelError, match=message):
            refuse_unless_logits(outputs, 3, spec)


def test_small_logits_are_taken_if_the_spec_says_that_they_are_some() -> None:
    outputs, spec = torch.tensor([[0.9, 0.1, 0.5], [0.1, 0.2, 0.3]]), ModelSpec(spec="place", outputs_are_logits=True)
    refuse_unless_logits(outputs, 3, spec)
    for certain in (outputs.softmax(1), outputs.log_softmax(1)):
        with pytest.raises(ModelError, match="probabilities"):
            refuse_unless_logits(certain, 3, spec)


def test_an_answer_to_everything_is_refused() -> None:
    spec, one = ModelSpec(spec="place"), torch.tensor([[2.0, -1.0, 0.5]])
    refuse_constant(one, spec)
    refuse_constant(torch.cat([one, one + 1e-3]), spec)
    with pytest.raises(ModelError, match="the answer is the same for all 3 images; check weights, mean and std"):
        refuse_constant(one.expand(3, 3), spec)


class Other(nn.Module):
    """Answers with something else."""

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"logits": inputs.mean((2, 3))}


def test_what_the_network_cannot_read_or_answer_is_refused(spec: Path) -> None:
    model = loaded(spec).model
    with pytest.raises(ModelError, match=r"fails on images of 1x16x16: .*set model\.resize"):
        logits_of(model, torch.zeros(2, 1, 16, 16), "place")
    model.network = Other()
    with pytest.raises(ModelError, match="the output is a dict, audits need a tensor"):
        logits_of(model, torch.zeros(2, 3, 16, 16), "place")


def test_loading_moves_no_random_state(spec: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        load_model(ModelSpec(spec="demo:vgg"), Path())
        assert torch.equal(before, torch.get_rng_state())


def test_the_spec_of_another_folder_gets_its_own_file(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text((spec.parent / "network.py").read_text(encoding="utf-8"), encoding="utf-8")
    edit(tmp_path / "network.py", "manual_seed(7)", "manual_seed(8)")
    one = load_model(ModelSpec(spec=NETWORK), spec.parent)
    other = load_model(ModelSpec(spec=NETWORK), tmp_path)
    assert one.weights_digest != other.weights_digest


def test_a_network_that_is_built_without_values_is_refused(spec: Path) -> None:
    code(spec, "def empty() -> nn.Module:\n    return build().to('meta')\n")
    for weights_file in ("weights.pt", None):
        message = refused(spec, "network.py:empty", weights=weights_file)
        assert "'conv1.weight' holds no values (device meta); build the network on the CPU" in message


def test_a_network_of_another_precision_is_audited_in_float32(spec: Path) -> None:
    code(spec, "def short() -> nn.Module:\n    return build().bfloat16()\n")
    for weights_file in ("weights.pt", None):
        model = loaded(spec, "network.py:short", weights=weights_file).model
        assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
