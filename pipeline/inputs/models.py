"""The model of a spec: its network is loaded, and refused before any work if it cannot be audited."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from attacks.types import Model
from pipeline.demo import networks
from pipeline.inputs.checkpoints import Checkpoint
from pipeline.inputs.model_loading import open_factory
from pipeline.inputs.user_code import refusal
from pipeline.inputs.weights import load_weights, refuse_meta, state_digest
from pipeline.machine import devices
from pipeline.machine.outputs import divert_stdout
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import ModelError


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, on the device that networks run on, and the digests of its origin."""

    model: Model
    weights_digest: str
    source_digest: str
    n_parameters: int
    notes: tuple[str, ...]
    """Sentences on what was unwrapped to read the weights."""


def load_model(spec: ModelSpec, base: Path, trusted: Collection[Path] = ()) -> LoadedModel:
    """Load the model of a spec whose relative paths start at `base`; code in `trusted` files of weights may run.

    Raises
    ------
    ModelError
        If it cannot be built or loaded.
    """
    scheme, _, name = spec.spec.partition(":")
    if scheme == "demo":
        return _load_demo(spec, name)
    place = f"model.spec = {spec.spec!r}"
    weights, notes = _checkpoint(spec, base, trusted), tuple[str, ...]()
    with open_factory(spec.spec, base, spec.kwargs) as factory:
        network = factory.build()
        refuse_meta(network, place)
        if weights:
            notes = load_weights(network, weights, spec.weights_prefix)
        elif state_digest(network, place) != state_digest(factory.build(), place):
            raise ModelError(f"{place}: two calls gave two networks; set model.weights")
    return _loaded_model(network, spec, weights, factory.digest, notes)


def logits_of(model: Model, images: Tensor, place: str) -> Tensor:
    """Return the model's answer to `images`.

    Raises
    ------
    ModelError
        If the model cannot read them, or does not answer with a tensor.
    """
    try:
        with divert_stdout():
            logits = model(images.to(model.device))
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        shape = "x".join(map(str, images.shape[1:]))
        way_out = "set model.resize to the size that it reads"
        raise refusal(f"{place}: the network fails on images of {shape}", error, Path(), way_out) from error
    if not isinstance(logits, Tensor):
        raise ModelError(f"{place}: the output is a {type(logits).__name__}, audits need a tensor of logits")
    return logits


def refuse_unless_logits(logits: Tensor, n_classes: int, spec: ModelSpec) -> None:
    """Refuse a model whose outputs are not finite logits, one for each class.

    Raises
    ------
    ModelError
        If they are of another shape, not finite, probabilities or their logarithms.
    """
    place = f"model.spec = {spec.spec!r}"
    if logits.dim() != 2 or logits.shape[1] != n_classes:
        raise ModelError(
            f"{place}: the output has shape {tuple(logits.shape)}, the data {n_classes} classes; "
            "give the network's class order in model.classes"
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{place}: the output is not finite on clean images; check weights, mean and std")
    kind = _kind_of_probability(logits, spec.outputs_are_logits)
    if kind:
        way_out = (
            "audits need the logits; wrap the network so that it returns what goes into its last step (docs/data.md)"
        )
        raise ModelError(f"{place}: the outputs are {kind}: {way_out}")


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


def _kind_of_probability(logits: Tensor, are_logits: bool) -> str:
    """Return what the outputs are if they are no logits, else an empty text."""
    if bool((logits >= 0).all()) and _are_near(logits.sum(1), 1):
        return "probabilities (each row sums to 1)"
    if bool((logits <= 0).all()) and _are_near(logits.logsumexp(1), 0):
        return "logarithms of probabilities (log-softmax)"
    if not are_logits and bool(((logits >= 0) & (logits <= 1)).all()):
        return (
            "all between 0 and 1, as those of a sigmoid are (if they are logits, set model.outputs_are_logits = true)"
        )
    return ""


def _are_near(values: Tensor, value: float) -> bool:
    return torch.allclose(values, torch.full_like(values, value), atol=1e-4)


def _checkpoint(spec: ModelSpec, base: Path, trusted: Collection[Path]) -> Checkpoint | None:
    if spec.weights is None:
        return None
    file = base / spec.weights
    return Checkpoint(file, spec.weights_key, file.resolve() in trusted)


def _load_demo(spec: ModelSpec, name: str) -> LoadedModel:
    if spec.weights:
        raise ModelError(f"model.weights = {spec.weights!r}: a demo network has its own weights; remove the key")
    if spec.kwargs:
        raise ModelError(f"model.kwargs = {spec.kwargs}: a demo network takes no arguments; remove the key")
    if name not in networks.NETWORKS:
        raise ModelError(f"model.spec = {spec.spec!r}: no demo network; {closest(name, networks.NETWORKS)}")
    source_digest = sha256(Path(networks.__file__).read_bytes()).hexdigest()
    return _loaded_model(networks.load(name), spec, Checkpoint(networks.weights_file(name)), source_digest, ())


def _loaded_model(
    network: nn.Module, spec: ModelSpec, weights: Checkpoint | None, source_digest: str, notes: tuple[str, ...]
) -> LoadedModel:
    demo = spec.spec.startswith("demo:")
    mean = spec.mean or (networks.MEAN if demo else (0.0,))
    std = spec.std or (networks.STD if demo else (1.0,))
    model = Model(network.float(), mean, std).eval().requires_grad_(False)
    digest = weights.digest() if weights else state_digest(network, f"model.spec = {spec.spec!r}")
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return LoadedModel(model.to(devices.device()), digest, source_digest, n_parameters, notes)
