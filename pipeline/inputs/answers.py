"""The answers of a network to images: asked for, and refused where they are no logits, one for each class."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.types import Images, Model
from pipeline.inputs.user_code import refusal
from pipeline.machine.outputs import divert_stdout
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

SIGMOID = "all between 0 and 1, as those of a sigmoid are (if they are logits, set model.outputs_are_logits = true)"


def ask(model: Model, images: Images, place: str) -> Any:
    """Return whatever the model answers to `images`.

    Raises
    ------
    ModelError
        If the model cannot read them.
    """
    try:
        with divert_stdout():
            return model(images.to(model.device))
    except ModelError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        shape = "x".join(map(str, images.shape[1:]))
        way_out = "set model.resize to the size that it reads, and model.channels = 1 if it reads grey images"
        raise refusal(f"{place}: the network fails on images of {shape}", error, Path(), way_out) from error


def logits_of(model: Model, images: Images, place: str) -> Tensor:
    """Return the model's answer to `images`.

    Raises
    ------
    ModelError
        If the model cannot read them, or does not answer with a tensor.
    """
    logits = ask(model, images, place)
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"{place}: the output is a {type(logits).__name__}, audits need a tensor of logits; set model.output to "
            "the part that holds them"
        )
    return logits


def find_right(logits: Tensor, labels: Tensor, model: ModelSpec) -> Tensor:
    """Return which images are answered as labelled.

    The label has the highest logit; of several labels at once, one above 0, where its sigmoid is above a half.
    """
    if model.multilabel:
        return logits.gather(1, labels[:, None])[:, 0] > 0
    return logits.argmax(1) == labels


def refuse_other_channels(spec: ModelSpec, images: Tensor) -> None:
    """Refuse a mean and a standard deviation that would make other channels of the images (n, c, h, w).

    Raises
    ------
    ModelError
        If they have several numbers, but not one for each channel.
    """
    channels, n = images.shape[1], len(spec.mean or (0.0,))
    if n not in {1, channels}:
        raise ModelError(
            f"model.mean has {n} numbers, the images have {channels} channels; write one number, or one for each "
            "channel, or read image files with other model.channels"
        )


def refuse_unless_logits(
    logits: Tensor, n_classes: int, spec: ModelSpec, modules: Callable[[], Sequence[str]] = tuple
) -> None:
    """Refuse a model whose outputs are not finite logits, one for each class.

    Parameters
    ----------
    modules
        Returns the names of modules that answer with logits, for the way out.

    Raises
    ------
    ModelError
        If they are of another shape, not finite, probabilities or their logarithms.
    """
    place = f"model.spec = {spec.spec!r}"
    if logits.dim() != 2 or logits.shape[1] != n_classes:
        is_one = n_classes == 2 and logits.shape[1:] in {(), (1,)}
        way_out = "set model.binary = true" if is_one else "give the network's class order in model.classes"
        raise ModelError(
            f"{place}: the output has shape {tuple(logits.shape)}, the data {n_classes} classes; {way_out}"
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{place}: the output is not finite on clean images; check weights, mean and std")
    kind = kind_of_probability(logits, spec)
    if kind:
        found = modules()
        way_out = (
            f"set model.output = 'output of {found[0]}', which answers with as many numbers"
            if found
            else "set model.output = 'output of MODULE' with the module of which the last step reads (docs/models.md)"
        )
        raise ModelError(f"{place}: the outputs are {kind}: audits need the logits; {way_out}")


def refuse_constant(logits: Tensor, spec: ModelSpec) -> None:
    """Refuse a model that gives the same answer to all images of an audit.

    Raises
    ------
    ModelError
        If it does.
    """
    if len(logits) > 1 and bool((logits == logits[0]).all()):
        raise ModelError(
            f"model.spec = {spec.spec!r}: the answer is the same for all {len(logits)} images; "
            "check weights, mean and std"
        )


def kind_of_probability(logits: Tensor, spec: ModelSpec) -> str:
    """Return what outputs (n, classes) are if they are no logits, else an empty text."""
    if spec.binary:  # of one output z the logits are -z / 2 and z / 2
        return "" if spec.outputs_are_logits or not _are_within(2 * logits[:, 1]) else SIGMOID
    if bool((logits >= 0).all()) and _are_near(logits.sum(1), 1):
        return "probabilities (each row sums to 1)"
    if bool((logits <= 0).all()) and _are_near(logits.logsumexp(1), 0):
        return "logarithms of probabilities (log-softmax)"
    return SIGMOID if not spec.outputs_are_logits and _are_within(logits) else ""


def _are_within(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _are_near(values: Tensor, value: float) -> bool:
    return torch.allclose(values, torch.full_like(values, value), atol=1e-4)
