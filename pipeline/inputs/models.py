"""The model of a spec: its network is loaded, and refused before any work if it cannot be audited."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import torch
from torch import nn

from attacks.types import Model
from pipeline.demo import networks
from pipeline.inputs.checkpoints import Checkpoint, named_checkpoint
from pipeline.inputs.libraries.hugging_face import load_hugging_face
from pipeline.inputs.libraries.library import LibraryModel
from pipeline.inputs.libraries.timm import draw_timm, load_timm
from pipeline.inputs.libraries.torchvision import draw_torchvision, load_torchvision
from pipeline.inputs.model_loading import open_factory
from pipeline.inputs.preprocessing import GEOMETRY, Preprocessing
from pipeline.inputs.weights import load_weights, refuse_meta, state_digest
from pipeline.machine import devices
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import MissingWeights, ModelError

Load = Callable[[ModelSpec, str, Path, Collection[Path]], LibraryModel]


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, on the device that networks run on, and the digests of its origin."""

    model: Model
    asked: ModelSpec
    preprocessing: Preprocessing | None
    """The preprocessing that the weights come with; None if they come with none."""
    weights_digest: str
    source_digest: str
    n_parameters: int
    notes: tuple[str, ...]
    """Sentences on what was unwrapped to read the weights, and on preprocessing that comes with them."""

    @property
    def spec(self) -> ModelSpec:
        """Return what was asked for, with the preprocessing of the weights where that leaves it out."""
        return self.preprocessing.complete(self.asked) if self.preprocessing else self.asked

    def reading(self, data: DataSpec) -> ModelSpec:
        """Return what is read of a set of images: those of the demo keep their size."""
        kept = {name: getattr(self.asked, name) for name in GEOMETRY}
        return self.spec.model_copy(update=kept) if data.path.startswith("demo:") else self.spec


LIBRARIES: Mapping[str, tuple[str, Load]] = MappingProxyType(
    {
        "torchvision": ("torchvision", load_torchvision),
        "timm": ("timm", load_timm),
        "hf": ("transformers", load_hugging_face),
    }
)
"""The libraries that know networks by name: the beginning of `model.spec`, the name of the package, and what loads."""


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
    if scheme in LIBRARIES:
        return _load_from_library(spec, scheme, name, base, trusted)
    return _load_from_code(spec, base, trusted)


DRAWN = "weights: drawn at random, as none are named and none are at hand"
DRAWING: Mapping[str, Callable[[ModelSpec, str], LibraryModel]] = MappingProxyType(
    {"torchvision": draw_torchvision, "timm": draw_timm}
)
"""The libraries that build a network by name without weights."""


def load_or_draw_model(spec: ModelSpec, base: Path, trusted: Collection[Path] = ()) -> LoadedModel:
    """Load a model as `load_model` does; where no weights are named or at hand, draw them, and note `DRAWN`.

    They are always the same, and torch's global generator stays as it was. No audit is made of them.

    Raises
    ------
    ModelError
        If it cannot be built, or if weights are named and cannot be loaded.
    """
    try:
        return load_model(spec, base, trusted)
    except MissingWeights:
        if spec.spec.startswith("timm:") and "." in spec.spec:  # a tag names weights
            raise
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return _draw_model(spec, base)


def _draw_model(spec: ModelSpec, base: Path) -> LoadedModel:
    scheme, _, name = spec.spec.partition(":")
    if scheme in DRAWING:
        found = DRAWING[scheme](spec, name)
        notes = (DRAWN, *found.preprocessing.sentences(spec))
        digest = found.source_digest(LIBRARIES[scheme][0])
        return _loaded_model(found.network, spec, None, digest, notes, found.preprocessing)
    with open_factory(spec.spec, base, spec.kwargs) as factory:
        network = factory.build()
    return _loaded_model(network, spec, None, factory.digest, (DRAWN,))


def _load_from_library(spec: ModelSpec, scheme: str, name: str, base: Path, trusted: Collection[Path]) -> LoadedModel:
    package, load = LIBRARIES[scheme]
    found = load(spec, name, base, trusted)
    weights = Checkpoint(found.weights) if found.weights else None
    notes = (*found.notes, *found.preprocessing.sentences(spec))
    return _loaded_model(found.network, spec, weights, found.source_digest(package), notes, found.preprocessing)


def _load_from_code(spec: ModelSpec, base: Path, trusted: Collection[Path]) -> LoadedModel:
    place = f"model.spec = {spec.spec!r}"
    weights = named_checkpoint(spec, base / spec.weights, trusted) if spec.weights else None
    notes: tuple[str, ...] = ()
    with open_factory(spec.spec, base, spec.kwargs) as factory:
        network = factory.build()
        refuse_meta(network, place)
        if weights:
            notes = load_weights(network, weights, spec.weights_prefix)
        elif state_digest(network, place) != state_digest(factory.build(), place):
            raise MissingWeights(f"{place}: two calls gave two networks; set model.weights")
    return _loaded_model(network, spec, weights, factory.digest, notes)


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
    network: nn.Module,
    spec: ModelSpec,
    weights: Checkpoint | None,
    source_digest: str,
    notes: tuple[str, ...],
    preprocessing: Preprocessing | None = None,
) -> LoadedModel:
    digest = weights.digest() if weights else state_digest(network, f"model.spec = {spec.spec!r}")
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    mean, std = _normalisation(preprocessing.complete(spec) if preprocessing else spec)
    model = Model(network.float(), mean, std).eval().requires_grad_(False).to(devices.device())
    return LoadedModel(model, spec, preprocessing, digest, source_digest, n_parameters, notes)


def _normalisation(read: ModelSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    is_demo = read.spec.startswith("demo:")
    return read.mean or (networks.MEAN if is_demo else (0.0,)), read.std or (networks.STD if is_demo else (1.0,))
