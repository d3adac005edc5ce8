"""Laws of outputs: the logits are found where one part can be them, chosen where several can, and explained alike."""

from collections import namedtuple
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import colour_network
import pytest
import torch
from small_audits import SIZE, edit, job_of
from torch import Tensor, nn

import srd
from attacks.types import Model
from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import load_subject
from pipeline.inputs.outputs import modules_that_answer, settle_output
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError, SpecError

N_CLASSES = 3
Pair = namedtuple("Pair", "logits features")


@dataclass
class Answer:
    """An answer as a dataclass, as transformers make them."""

    logits: Tensor
    hidden: Tensor | None = None


class Thing:
    """An answer with attributes alone."""

    def __init__(self, logits: Tensor) -> None:
        self.scores, self.name = logits, "thing"


Wrap = Callable[[Tensor], Any]
FEATURES = torch.zeros(1)
WRAPPED: dict[str, tuple[Wrap, str | int]] = {
    "tuple": (lambda z: (z,), 0),
    "list": (lambda z: [z.mean(), z], 1),
    "dict": (lambda z: {"loss": z.mean(), "out": z}, "out"),
    "dict of features": (lambda z: {"features": z.repeat(1, 4), "out": z}, "out"),
    "dataclass": (Answer, "logits"),
    "namedtuple": (lambda z: Pair(z, z.repeat(1, 2)), "logits"),
    "object": (Thing, "scores"),
}


class Wrapper(nn.Module):
    """The colour network, whose answer is wrapped."""

    def __init__(self, wrap: Wrap) -> None:
        super().__init__()
        self.inner = colour_network.build()
        self.wrap = wrap

    def forward(self, inputs: Tensor) -> Any:
        return self.wrap(self.inner(inputs))


def model_of(wrap: Wrap) -> Model:
    return Model(Wrapper(wrap), (0.0,), (1.0,)).eval().requires_grad_(False)


def images(n: int = 1) -> Tensor:
    return torch.rand(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def settle(model: Model, **keys: Any) -> tuple[str, ...]:
    return settle_output(model, ModelSpec(spec="place", **keys), images(), N_CLASSES)


def refused(wrap: Wrap, **keys: Any) -> str:
    def settle_and_ask() -> None:
        model = model_of(wrap)
        settle(model, **keys)
        model(images())

    with pytest.raises(ModelError) as caught:
        settle_and_ask()
    return str(caught.value)


@pytest.mark.parametrize("case", WRAPPED)
def test_the_only_part_of_the_right_shape_is_found_and_told(case: str) -> None:
    wrap, name = WRAPPED[case]
    model = model_of(wrap)
    (note,) = settle(model)
    assert f"{name!r} of the" in note
    assert torch.equal(model(images(4)), colour_network.build()(images(4)))


@pytest.mark.parametrize("case", WRAPPED)
def test_a_named_part_is_taken(case: str) -> None:
    wrap, name = WRAPPED[case]
    model = model_of(wrap)
    assert settle(model, output=name) == ()
    assert torch.equal(model(images(4)), colour_network.build()(images(4)))


def test_a_tensor_is_its_own_answer_without_hooks() -> None:
    model = model_of(lambda z: z)
    assert settle(model) == ()
    assert not model.network._forward_hooks


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (lambda z: (z, 2 * z), ("0", "1")),
        (lambda z: {"logits": z, "cls": z, "distilled": -z}, ("'logits'", "'cls'", "'distilled'")),
        (lambda z: Answer(z, z), ("'logits'", "'hidden'")),
    ],
)
def test_several_candidates_are_refused_with_their_names(wrap: Wrap, names: tuple[str, ...]) -> None:
    message = refused(wrap)
    assert f"{', '.join(names)} have the shape of logits" in message
    assert f"set model.output to the part that holds the logits, such as {names[0]}" in message


@pytest.mark.parametrize(
    ("wrap", "seen"),
    [(lambda z: (z.mean(),), "0 ()"), (lambda z: {"a": z[:, :2]}, "'a' (1, 2)"), (lambda z: "text", "no tensor")],
)
def test_an_output_without_candidates_is_refused_with_what_it_has(wrap: Wrap, seen: str) -> None:
    assert f"nothing has the shape of logits, (1, 3), but {seen}; set model.output" in refused(wrap)


@pytest.mark.parametrize(
    ("wrap", "output", "way_out"),
    [
        (lambda z: {"logits": z}, "logit", "did you mean 'logits'?"),
        (lambda z: (z,), 3, "known: 0"),
        (lambda z: z, "logits", "remove the key"),
        (lambda z: z, 0, "remove the key"),
    ],
)
def test_a_part_that_is_not_there_is_refused(wrap: Wrap, output: str | int, way_out: str) -> None:
    message = refused(wrap, output=output)
    assert f"model.output = {output!r}" in message
    assert way_out in message


@pytest.mark.parametrize(
    "wrap", [lambda z: z.log_softmax(1), lambda z: z.softmax(1), torch.sigmoid, lambda z: {"p": z.softmax(1)}]
)
@pytest.mark.parametrize("module", ["inner.fc", "inner"])
def test_the_output_of_a_module_is_the_answer(wrap: Wrap, module: str) -> None:
    model = model_of(wrap)
    settle(model, output=f"output of {module}")
    for _ in range(2):
        assert torch.equal(model(images(4)), colour_network.build()(images(4)))
    assert torch.equal(deepcopy(model)(images(2)), colour_network.build()(images(2)))


@pytest.mark.parametrize(("wrap", "output"), [(lambda z: z.log_softmax(1), "output of inner.fc"), (lambda z: (z,), 0)])
@pytest.mark.parametrize("method", ["srd", "saliency", "lrp_z_plus", "grad_cam", "integrated_gradients"])
def test_explanations_are_those_of_the_logits(wrap: Wrap, output: str | int, method: str) -> None:
    model = model_of(wrap)
    settle(model, output=output)
    explain = srd.ATTRIBUTORS[method]
    options = {"baseline": model.black} if "baseline" in explain.needs else {}
    found = explain(model.network, images(2), torch.tensor([0, 2]), **options)
    expected = explain(colour_network.build(), images(2), torch.tensor([0, 2]), **options)
    torch.testing.assert_close(found, expected)


class Twice(nn.Module):
    """Calls one layer twice, or never."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.fc, self.times = nn.Linear(3, 3), times

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs.mean((2, 3))
        for _ in range(self.times):
            hidden = self.fc(hidden)
        return hidden


@pytest.mark.parametrize("times", [0, 2, 3])
def test_a_module_that_is_not_called_once_is_refused(times: int) -> None:
    model = Model(Twice(times), (0.0,), (1.0,))
    settle(model, output="output of fc")
    with pytest.raises(ModelError, match=f"'fc' was called {times} times in one pass; name a module that is called"):
        model(images())


@pytest.mark.parametrize(("name", "way_out"), [("inner.fcc", "did you mean 'inner.fc'?"), ("", "known: inner,")])
def test_a_module_that_is_not_there_is_refused(name: str, way_out: str) -> None:
    message = refused(lambda z: z, output=f"output of {name}")
    assert f"no module is called {name!r}" in message
    assert way_out in message


@pytest.mark.parametrize("wrap", [lambda z: z.log_softmax(1), lambda z: z.softmax(1), torch.sigmoid])
def test_modules_with_the_logits_are_found(wrap: Wrap) -> None:
    assert modules_that_answer(model_of(wrap), images(2), N_CLASSES) == ("inner", "inner.fc")


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_one_logit_is_that_of_the_second_of_two_classes(shape: tuple[int, ...]) -> None:
    model = model_of(lambda z: z[:, 1].reshape(shape))
    settle(model, binary=True)
    logit = colour_network.build()(images(5))[:, 1]
    logits = model(images(5))
    torch.testing.assert_close(logits.softmax(1)[:, 1], logit.sigmoid())
    assert torch.equal(logits.argmax(1), (logit > 0).long())


def test_an_output_that_is_no_single_logit_is_not_binary() -> None:
    assert "the output is (1, 3), not one logit for each image; remove it" in refused(lambda z: z, binary=True)


@pytest.mark.parametrize("method", ["srd", "saliency", "input_x_gradient"])
def test_one_logit_is_explained_for_either_class(method: str) -> None:
    model = model_of(lambda z: z[:, 1:2])
    settle(model, binary=True)
    explain = srd.ATTRIBUTORS[method]
    first, second = (explain(model.network, images(3), target) for target in (0, 1))
    assert bool((second.abs().amax((1, 2)) > 0).all())
    if method == "input_x_gradient":
        torch.testing.assert_close(first, -second)


def test_binary_and_multilabel_exclude_each_other(spec: Path) -> None:
    edit(spec, "[model]\n", "[model]\nbinary = true\nmultilabel = true\n")
    with pytest.raises(SpecError, match="binary and multilabel: one logit is of one pair of classes"):
        job_of(spec, spec.parent)


def test_of_several_labels_each_is_right_above_zero(spec: Path, tmp_path: Path) -> None:
    edit(spec, "[model]\n", "[model]\nmultilabel = true\n")
    job = job_of(spec, tmp_path / "run")
    subject = load_subject(job)
    attributes = prepare_store(job, subject)
    logits = subject.model.model(subject.data.images(range(len(subject.data.ids))))
    own = logits[torch.arange(len(logits)), torch.tensor(subject.data.labels)]
    assert attributes.correct == int((own > 0).sum())
    (note,) = [note for note in attributes.notes if note.startswith("accuracy per label")]
    assert all(f"{name} " in note for name in subject.data.classes)


def test_the_network_that_is_refused_for_its_outputs_is_audited_by_the_named_module(spec: Path, tmp_path: Path) -> None:
    file = spec.parent / "network.py"
    file.write_text(
        file.read_text(encoding="utf-8").replace("return logits", "return logits.log_softmax(1)"), encoding="utf-8"
    )
    job = job_of(spec, tmp_path / "run")
    with pytest.raises(ModelError, match=r"set model\.output = 'output of fc', which answers with as many numbers"):
        prepare_store(job, load_subject(job))
    edit(spec, "[model]\n", '[model]\noutput = "output of fc"\n')
    job = job_of(spec, tmp_path / "run")
    assert prepare_store(job, load_subject(job)).correct
