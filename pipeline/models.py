"""Networks from a spec, refused before any work if they cannot be audited."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from attacks.types import Model
from pipeline.demo import networks
from pipeline.spec import ModelSpec, closest
from srd.errors import ModelError


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, and where it comes from."""

    model: Model
    weights_digest: str
    source_digest: str
    n_parameters: int


def load_model(spec: ModelSpec, base: Path) -> LoadedModel:
    """The network of a spec whose relative paths start at `base`. Raises ModelError."""
    scheme, _, name = spec.spec.partition(":")
    if scheme == "demo":
        return _demo(spec, name)
    factory = _factory(spec.spec, base)
    network = factory()
    if not isinstance(network, nn.Module):
        raise ModelError(f"model.spec = {spec.spec!r}: returned {type(network).__name__}, not a torch.nn.Module")
    weights = base / spec.weights if spec.weights else None
    if weights:
        _fill(network, weights)
    source = inspect.getsourcefile(factory)
    return _loaded(network, spec, weights, Path(source) if source else None)


def refuse_unless_logits(logits: Tensor, n_classes: int, place: str) -> None:
    """Raises ModelError unless `logits` are finite, one per class, and no probabilities."""
    if logits.dim() != 2 or logits.shape[1] != n_classes:
        raise ModelError(
            f"{place}: the output has shape {tuple(logits.shape)}, the data {n_classes} classes; "
            "give the network's class order in model.classes"
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{place}: the output is not finite on clean images; check weights, mean and std")
    if bool((logits >= 0).all()) and torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-4):
        raise ModelError(f"{place}: the outputs are probabilities (each row sums to 1); audits need the logits")


def _demo(spec: ModelSpec, name: str) -> LoadedModel:
    if name not in networks.NETWORKS:
        raise ModelError(f"model.spec = {spec.spec!r}: no demo network; {closest(name, networks.NETWORKS)}")
    network = networks.load(name)
    return _loaded(network, spec, networks.weights_file(name), Path(networks.__file__))


def _loaded(network: nn.Module, spec: ModelSpec, weights: Path | None, source: Path | None) -> LoadedModel:
    demo = spec.spec.startswith("demo:")
    mean = spec.mean or (networks.MEAN if demo else (0.0,))
    std = spec.std or (networks.STD if demo else (1.0,))
    model = Model(network.float(), mean, std).eval()
    digest = sha256(weights.read_bytes()).hexdigest() if weights else _state_digest(network)
    code = sha256(source.read_bytes()).hexdigest() if source else ""
    return LoadedModel(model, digest, code, sum(p.numel() for p in network.parameters()))


def _state_digest(network: nn.Module) -> str:
    digest = sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _factory(spec: str, base: Path) -> Callable[[], Any]:
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ModelError(
            f"model.spec = {spec!r}: expected demo:vgg, demo:resnet, path/to/file.py:callable or "
            "package.module:callable"
        )
    module = _module_of_file(base / place) if place.endswith(".py") else _module(place)
    if not callable(getattr(module, name, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise ModelError(f"model.spec = {spec!r}: {place} has no callable {name!r}; {closest(name, functions)}")
    return getattr(module, name)  # type: ignore[no-any-return]


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"model.spec: cannot import {name!r}: {error}") from error


def _module_of_file(file: Path) -> ModuleType:
    """The module in a file, imported once per process under a name of its own."""
    if not file.is_file():
        raise ModelError(f"model.spec: {file}: no such file")
    name = f"audited_{sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"model.spec: {file}: cannot be imported as Python")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def _fill(network: nn.Module, weights: Path) -> None:
    """Loads a state dict, cast to the network's own types; strict about names and shapes."""
    if not weights.is_file():
        raise ModelError(f"model.weights = {weights}: no such file")
    state = _state_dict(weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"model.weights = {weights}: do not fit model.spec: {error}") from error


def _state_dict(weights: Path) -> dict[str, Tensor]:
    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ModelError(
            f"model.weights = {weights}: would run code when loaded (needs pickle globals); refused. Save the state "
            "dict alone: torch.save(network.state_dict(), file)"
        ) from error
    except (RuntimeError, SafetensorError, EOFError, KeyError, ValueError) as error:
        raise ModelError(f"model.weights = {weights}: cannot be read as a state dict: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"model.weights = {weights}: holds no state dict; save network.state_dict()")
    return state
