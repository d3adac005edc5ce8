"""The inspection of a network: it is loaded, passed through once and asked, and nothing is kept."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.types import Model
from pipeline.estimate.inspected import Encoder, Inspection, Layer, Operation, Output, Question, Reading
from pipeline.estimate.method_trials import try_each_method
from pipeline.execution.admission import Admission, admit
from pipeline.execution.preparation import WATCHED_CODE_RAISES
from pipeline.execution.self_checks import check_subject
from pipeline.execution.subjects import Subject
from pipeline.inputs.answers import SIGMOID, kind_of_probability, logits_of
from pipeline.inputs.correct_images import load_images
from pipeline.inputs.data import Data
from pipeline.inputs.input_shapes import settle_on_noise
from pipeline.inputs.model_and_data import settle_model
from pipeline.inputs.models import DRAWN, LoadedModel, load_or_draw_model
from pipeline.inputs.outputs import OF_MODULE, modules_that_answer
from pipeline.inputs.preprocessing import as_text
from pipeline.machine import environment
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.spec.audit import AuditSpec
from pipeline.spec.data import SHAPES, DataSpec
from pipeline.spec.model import ModelSpec
from srd.encoder_module import encoder_module
from srd.errors import ModelError
from srd.operation_list import OperationList, list_operations

IMAGES = 4
"""The number of images whose answers say what the output is."""
NOBODY = "nobody: images in [0, 1] are read as they are"


@dataclass(frozen=True)
class _Case:
    """A subject with the question that it is asked, and where the size of its images comes from."""

    question: Question
    spec: AuditSpec
    subject: Subject
    origin: str
    asked: ModelSpec
    """What was asked for, before anything was assumed."""

    @property
    def model(self) -> Model:
        return self.subject.model.model

    @property
    def inputs(self) -> Tensor:
        return self.model.normalise(self.subject.data.images(range(1)).to(self.model.device))


def inspect_subject(question: Question, tell: Tell = tell_nobody) -> Inspection:
    """Return the facts about a network, and about its data if there are any.

    What makes an audit impossible but leaves something to tell, such as outputs that are no logits, is told.

    Raises
    ------
    ModelError, DataError
        If network or data cannot be loaded, or if the network cannot read the images.
    """
    with divert_stdout(), environment.reproducible():
        case = _open_case(question, tell)
        tell(Phase("checking the network"))
        logits = _answers(case)
        admission, checks, refusal = _admit(case, logits, tell)
        target = logits.argmax(1).numpy()
        operations, encoder = _read_operations(case, target)
        methods = try_each_method(case.spec, case.subject, target, encoder, tell)
    loaded, data = case.subject.model, case.subject.data
    return Inspection(
        model=loaded.spec,
        parameters=loaded.n_parameters,
        is_random=DRAWN in loaded.notes,
        weights_digest=loaded.weights_digest,
        input_shape=tuple(case.inputs.shape[1:]),
        input_origin=case.origin,
        reading=tuple(_readings(loaded, data)),
        layers=tuple(_layers(case)),
        encoder=encoder,
        operations=_count_calls(operations),
        output=_output(case, logits),
        data=data.description if question.data else "",
        n_images=len(data.ids) if question.data else 0,
        correct=admission.correct if admission else None,
        self_checks=checks,
        methods=methods,
        notes=admission.notes if admission else (*loaded.notes, *data.notes),
        refusal=refusal,
        machine=environment.hardware(),
    )


def _open_case(question: Question, tell: Tell) -> _Case:
    """Load network and images; one number for each image is taken to be the logit of two classes."""
    case = _load_case(question, question.model, tell)
    raw = _answers(case)
    if raw.numel() == len(raw) and not question.model.binary:
        return _load_case(question, question.model.model_copy(update={"binary": True}), tell)
    if raw.dim() != 2:
        raise ModelError(
            f"model.spec = {question.model.spec!r}: the output has shape {tuple(raw.shape)}, an audit needs a row of "
            "logits for each image; set model.output to the part or module that answers so"
        )
    return case


def _load_case(question: Question, model: ModelSpec, tell: Tell) -> _Case:
    tell(Phase("loading the network"))
    loaded = load_or_draw_model(model, question.base, question.trusted)
    images: Data
    if question.data:
        images = load_images(question.data, loaded.reading(question.data), question.base, loaded, tell)
        loaded, origin = settle_model(loaded, images), "the data"
    else:
        loaded, images, origin = settle_on_noise(loaded)
    data = question.data or DataSpec(path=SHAPES)
    spec = AuditSpec(model=model, data=data, explain=question.explain, run=question.run)
    return _Case(question, spec, Subject(loaded, images), origin, question.model)


def _answers(case: _Case) -> Tensor:
    """Return what the network answers to the first images."""
    rows = range(min(IMAGES, len(case.subject.data.ids)))
    with torch.no_grad():
        return logits_of(case.model, case.subject.data.images(rows), f"model.spec = {case.spec.model.spec!r}").cpu()


def _admit(case: _Case, logits: Tensor, tell: Tell) -> tuple[Admission | None, dict[str, str], str]:
    """Return what admission and self-checks find, and the refusal of an audit, which need not be the end."""
    try:
        if case.question.data:
            admission = admit(case.spec, case.subject, tell)
            return admission, {check.name: check.found for check in admission.checks}, ""
        return None, {check.name: check.found for check in check_subject(case.spec, case.subject)}, ""
    except ModelError as error:
        if not torch.isfinite(logits).all():
            raise
        return None, {}, str(error)


def _read_operations(case: _Case, target: NDArray[np.int64]) -> tuple[OperationList, Encoder]:
    network, of_first = case.model.network, torch.from_numpy(target[:1]).to(case.model.device)
    options: dict[str, Any] = {"encoder": case.spec.model.encoder, "operations": case.spec.model.operations}
    found = list_operations(network, case.inputs, of_first, **options)
    try:
        module = encoder_module(network, case.inputs, of_first, **options)
    except WATCHED_CODE_RAISES:
        module = ""
    return found, Encoder(module, found.encoder_shape[1:], found.refusal)


def _count_calls(found: OperationList) -> tuple[Operation, ...]:
    counts = Counter(found.seen)
    return tuple(Operation(each.name, each.rule, each.in_encoder, n) for each, n in counts.items())


def _output(case: _Case, logits: Tensor) -> Output:
    asked = case.spec.model
    kind = kind_of_probability(logits, asked).replace(SIGMOID, "probably no logits: all between 0 and 1")
    n = logits.shape[1]
    if not kind:
        of_labels = "logits of labels" if asked.multilabel else "logits"
        kind = "logits of two classes, made of one" if asked.binary else "one number" if n == 1 else of_labels
    told = [note for note in case.subject.model.notes if note.startswith("model.output")]
    part = str(asked.output) if asked.output is not None else next(iter(told), "")
    return Output(kind, n, part, _remedy(case, logits))


def _remedy(case: _Case, logits: Tensor) -> dict[str, bool | str]:
    """Return the keys that make logits of the output: what was assumed, and a module that answers with some."""
    assumed: dict[str, bool | str] = {"binary": True} if case.spec.model.binary and not case.asked.binary else {}
    if kind_of_probability(logits, case.spec.model) and case.asked.output is None:
        images = case.subject.data.images(range(min(2, len(case.subject.data.ids))))
        found = modules_that_answer(case.model, images, logits.shape[1])
        return assumed | ({"output": f"{OF_MODULE}{found[0]}"} if found else {})
    return assumed


def _readings(loaded: LoadedModel, data: Data) -> Iterator[Reading]:
    asked, read = loaded.asked, loaded.spec
    is_demo = asked.spec.startswith("demo:")
    for key in ("resize", "crop", "interpolation", "mean", "std"):
        value = getattr(read, key)
        if value is None and is_demo and key in {"mean", "std"}:
            value = tuple(getattr(loaded.model, key).flatten().tolist())
        if getattr(asked, key) is not None:
            origin = f"model.{key}"
        elif value is not None:
            origin = loaded.preprocessing.origin if loaded.preprocessing else "the demo"
        else:
            origin = NOBODY
        if value is not None or key in {"resize", "mean", "std"}:
            yield Reading(key, as_text(value), origin)


def _layers(case: _Case) -> list[Layer]:
    """Return the innermost modules in the order in which they ran last."""
    shapes: dict[str, tuple[int, ...]] = {}
    modules = {name: each for name, each in case.model.network.named_modules() if name and not any(each.children())}
    with torch.no_grad(), ExitStack() as stack:
        for name, module in modules.items():
            hook = module.register_forward_hook(lambda _, __, made, name=name: shapes.update({name: _shape(made)}))
            stack.callback(hook.remove)
        case.model.network(case.inputs)
    return [Layer(name, type(modules[name]).__name__, shapes[name], _size(modules[name])) for name in shapes]


def _shape(made: Any) -> tuple[int, ...]:
    return tuple(made.shape) if isinstance(made, Tensor) else ()


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
