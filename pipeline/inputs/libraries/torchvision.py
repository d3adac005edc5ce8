"""The networks of torchvision by name, with the weights that it publishes, or with a local file of them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.inputs.checkpoints import Checkpoint, named_checkpoint
from pipeline.inputs.libraries.library import (
    LibraryModel,
    import_library,
    refuse_arguments,
    refuse_other_classes,
    refuse_other_hash,
    refuse_what_it_raises,
)
from pipeline.inputs.preprocessing import Preprocessing
from pipeline.inputs.weights import load_weights, take_prefix
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import MissingWeights, ModelError

Weights = Any
"""A member of torchvision's `WeightsEnum`, which has no types."""
DECIDED = ("weights", "pretrained", "progress")
INPUT_OF_TENSORFLOW = "transform_input"
"""The argument of Inception and GoogLeNet by which they read images as TensorFlow's weights need them."""


def load_torchvision(spec: ModelSpec, name: str, base: Path, trusted: Collection[Path]) -> LibraryModel:
    """Load `NAME@WEIGHTS`; the weights lie in the cache of torch.hub, or in the file `model.weights`.

    Raises
    ------
    ModelError
        If there is no such network or weights, if the file is missing or is another than its name says, or if the
        arguments do not fit the weights.
    """
    models = import_library("torchvision.models", spec)
    name, _, tag = name.partition("@")
    known = models.list_models(module=models)
    if name not in known:
        raise ModelError(f"model.spec = {spec.spec!r}: torchvision has no classifier {name!r}; {closest(name, known)}")
    members = models.get_model_weights(name).__members__
    if tag and tag not in members:
        raise ModelError(f"model.spec = {spec.spec!r}: {name} has no weights {tag!r}; {closest(tag, members)}")
    refuse_arguments(spec, DECIDED)
    builder = models.get_model_builder(name)
    weights = members[tag] if tag else _weights_of_file(spec, members)
    if weights is None:
        return _load_other_weights(spec, builder, members, base, trusted)
    return _load_own_weights(spec, builder, weights, base, trusted)


def draw_torchvision(spec: ModelSpec, name: str) -> LibraryModel:
    """Build `NAME`, which `load_torchvision` knows, with weights from torch's global generator.

    Raises
    ------
    ModelError
        If the arguments do not fit.
    """
    models = import_library("torchvision.models", spec)
    first = next(iter(models.get_model_weights(name).__members__.values()))
    with refuse_what_it_raises(spec, "mend model.kwargs"):
        network = models.get_model_builder(name)(weights=None, **spec.kwargs)
    return LibraryModel(network, _preprocessing(first, f"torchvision's {first}, as model.spec names no weights"))


def _weights_of_file(spec: ModelSpec, members: Mapping[str, Weights]) -> Weights | None:
    """Return the published weights that a file is called like, or None."""
    file = Path(spec.weights or "")
    return next((each for each in members.values() if file.name == Path(each.url).name), None)


def _load_own_weights(
    spec: ModelSpec, builder: Any, weights: Weights, base: Path, trusted: Collection[Path]
) -> LibraryModel:
    """Build a network as torchvision does for its own weights: with their arguments, and names of another time."""
    refuse_other_classes(spec, "num_classes", len(weights.meta["categories"]))
    file = base / spec.weights if spec.weights else _cached_file(spec, weights)
    checkpoint = _checkpoint(spec, file, trusted)
    _, state = checkpoint.read()
    notes = take_prefix(state, spec.weights_prefix, file) if spec.weights_prefix else ()
    way_out = f"the file must hold the weights of {weights}; of other weights leave @{weights.name} out"
    with refuse_what_it_raises(spec, way_out), _state_of(weights, state):
        network = builder(weights=weights, **spec.kwargs)
    origin = f"torchvision's {weights}"
    return LibraryModel(network, _preprocessing(weights, origin), file, (f"weights: {file.name}", *notes))


def _load_other_weights(
    spec: ModelSpec, builder: Any, members: Mapping[str, Weights], base: Path, trusted: Collection[Path]
) -> LibraryModel:
    """Build a network for a file that is not known by name; its preprocessing is taken to be that of the first."""
    if spec.weights is None:
        example = f"model.spec = '{spec.spec}@{next(iter(members))}'"
        raise MissingWeights(f"model.spec = {spec.spec!r}: names no weights; set model.weights, or {example}")
    refuse_other_classes(spec, "num_classes", None)
    with refuse_what_it_raises(spec, "mend model.kwargs"):
        network = builder(weights=None, **spec.kwargs)
    _refuse_unsaid_input(spec, network)
    file = base / spec.weights
    checkpoint = _checkpoint(spec, file, trusted)
    notes = load_weights(network, checkpoint, spec.weights_prefix)
    first = next(iter(members.values()))
    origin = f"torchvision's {first}, as model.spec names no weights"
    return LibraryModel(network, _preprocessing(first, origin), file, notes)


def _checkpoint(spec: ModelSpec, file: Path, trusted: Collection[Path]) -> Checkpoint:
    checkpoint = named_checkpoint(spec, file, trusted)
    checkpoint.digest()  # refuses what is no file, before it is opened
    refuse_other_hash(file)
    return checkpoint


def _cached_file(spec: ModelSpec, weights: Weights) -> Path:
    """Return the file in the cache of torch.hub, which is not asked to fetch any: workers may have no network."""
    file = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    if not file.is_file():
        raise ModelError(
            f"model.spec = {spec.spec!r}: {file} is missing, and audits fetch nothing; put the file there that "
            f"{weights.url} gives, or set model.weights to its place"
        )
    return file


def _refuse_unsaid_input(spec: ModelSpec, network: nn.Module) -> None:
    """Refuse to guess how Inception and GoogLeNet read images: torchvision's own weights and new ones differ."""
    if hasattr(network, INPUT_OF_TENSORFLOW) and INPUT_OF_TENSORFLOW not in spec.kwargs:
        raise ModelError(
            f"model.kwargs: {spec.spec} reads images in one of two ways; set {INPUT_OF_TENSORFLOW} = true for weights "
            "that torchvision publishes, false for those that were trained without it"
        )


@contextmanager
def _state_of(weights: Weights, state: dict[str, torch.Tensor]) -> Iterator[None]:
    """Let published weights be this state dict until the context ends; torchvision would unpickle any object."""
    kind = type(weights)
    kind.get_state_dict = lambda *_, **__: state
    try:
        yield
    finally:
        del kind.get_state_dict


def _preprocessing(weights: Weights, origin: str) -> Preprocessing:
    transform = weights.transforms()
    (resize,), (crop,) = transform.resize_size, transform.crop_size
    mean, std = tuple(transform.mean), tuple(transform.std)
    return Preprocessing(origin, mean, std, (resize, crop), interpolation=transform.interpolation.value)
