"""Networks from a spec, refused before any work if they cannot be audited."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from attacks.types import Model
from pipeline.demo import networks
from pipeline.spec import ModelSpec, closest
from srd.errors import ModelError

LONG = 400  # characters of a library's message; torch lists every parameter


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
    factory, source = _factory(spec.spec, base)
    network = _built(factory, spec.spec)
    weights = base / spec.weights if spec.weights else None
    if weights:
        _fill(network, weights)
    elif _state_digest(network) != _state_digest(_built(factory, spec.spec)):
        raise ModelError(f"model.spec = {spec.spec!r}: two calls gave two networks; set model.weights")
    return _loaded(network, spec, weights, source)


def logits_of(model: Model, images: Tensor, place: str) -> Tensor:
    """The model's answer to `images`. Raises ModelError if it cannot read them, or answers with no tensor."""
    try:
        logits = model(images)
    except Exception as error:
        shape = "x".join(map(str, images.shape[1:]))
        raise ModelError(
            f"{place}: the network fails on images of {shape}: {type(error).__name__}: {error}; "
            "set model.resize to the size that it reads"
        ) from error
    if not isinstance(logits, Tensor):
        raise ModelError(f"{place}: the output is a {type(logits).__name__}, audits need a tensor of logits")
    return logits


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
    if spec.weights:
        raise ModelError(f"model.weights = {spec.weights!r}: a demo network has its own weights; remove the key")
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


def _built(factory: Callable[[], Any], spec: str) -> nn.Module:
    try:
        network = factory()
    except Exception as error:  # the user's code may raise anything
        raise ModelError(
            f"model.spec = {spec!r}: the call without arguments failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"model.spec = {spec!r}: returned {type(network).__name__}; name a callable that returns a torch.nn.Module"
        )
    return network


def _factory(spec: str, base: Path) -> tuple[Callable[[], Any], Path | None]:
    """The callable, and the file of the module that has it."""
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
    return getattr(module, name), Path(module.__file__) if module.__file__ else None


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # the user's code may raise anything
        raise ModelError(f"model.spec: cannot import {name!r}: {type(error).__name__}: {error}") from error


def _module_of_file(file: Path) -> ModuleType:
    """The module in a file, imported once per process under a name of its own."""
    if not file.is_file():
        raise ModelError(f"model.spec: {file}: no such file; relative paths start at the folder of the spec")
    name = f"audited_{sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"model.spec: {file}: cannot be imported as Python")
    module = sys.modules[name] = module_from_spec(spec)  # before it runs: its dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        del sys.modules[name]
        raise ModelError(f"model.spec: {file}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _fill(network: nn.Module, weights: Path) -> None:
    """Loads a state dict, cast to the network's own types; strict about names and shapes."""
    if not weights.is_file():
        raise ModelError(f"model.weights = {weights}: no such file; relative paths start at the folder of the spec")
    state = _state_dict(weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"model.weights = {weights}: do not fit model.spec: {shorten(str(error), LONG)}; "
            "they need the names and shapes of the network's own state_dict()"
        ) from error


def _state_dict(weights: Path) -> dict[str, Tensor]:
    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "GLOBAL" not in str(error):
            raise ModelError(f"model.weights = {weights}: is no state dict; save network.state_dict()") from error
        raise ModelError(
            f"model.weights = {weights}: would run code when loaded (needs pickle globals); refused. Save the state "
            "dict alone: torch.save(network.state_dict(), file)"
        ) from error
    except Exception as error:  # a damaged file may raise anything
        text = shorten(f"{type(error).__name__}: {error}", LONG)
        raise ModelError(f"model.weights = {weights}: cannot be read, is it damaged? {text}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"model.weights = {weights}: holds no state dict; save network.state_dict()")
    return state
