"""The parts that the modules of libraries share: an import or its refusal, and a network with its origin."""

import inspect
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from warnings import catch_warnings

from torch import nn

from pipeline.inputs.preprocessing import Preprocessing
from pipeline.machine.files import LONG, OF_THE_CONTENT, OF_THE_PATH
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.sources import files_digest
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

HASH = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
"""The first digits of the SHA-256 of a file, which torch.hub puts at the end of its name."""


@dataclass(frozen=True)
class LibraryModel:
    """A network that a library has built, with its weights."""

    network: nn.Module
    preprocessing: Preprocessing
    weights: Path | None = None
    """The file of weights that was read; None if there are several, or if the library chose."""
    notes: tuple[str, ...] = ()
    """Sentences on how it was read."""

    def source_digest(self, library: str) -> str:
        """Return the digest of the sources of all classes of the network, the library's version and what is read."""
        classes = {type(module) for module in self.network.modules()}
        places = {each.__module__: inspect.getsourcefile(each) for each in classes}
        files = {name: Path(file) for name, file in places.items() if file and not name.startswith("torch.")}
        facts = (library, version(library), self.preprocessing, files_digest(files))
        return sha256(repr(facts).encode()).hexdigest()


def import_library(name: str, spec: ModelSpec, extra: str = "") -> ModuleType:
    """Return a library, which an extra installs unless it comes with this project.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    try:
        with quietly():
            return import_module(name)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"model.spec = {spec.spec!r}: {error.name} is not installed; install this project with the extra [{extra}]"
        ) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Send what a library prints to standard error, and drop its warnings, which are of training."""
    with divert_stdout(), catch_warnings(action="ignore"):
        yield


@contextmanager
def refuse_what_it_raises(spec: ModelSpec, way_out: str) -> Iterator[None]:
    """Turn what a library raises while it builds a network into a refusal; refusals pass as they are.

    Raises
    ------
    ModelError
        For whatever it raises but the failure of a disk.
    """
    try:
        with quietly():
            yield
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # a library may raise anything
        if isinstance(error, OSError) and error.errno not in OF_THE_PATH | OF_THE_CONTENT:
            raise
        text = shorten(f"{type(error).__name__}: {error}", LONG)
        raise ModelError(f"model.spec = {spec.spec!r}: {text}; {way_out}") from error


def refuse_arguments(spec: ModelSpec, decided: Iterable[str]) -> None:
    """Refuse arguments that model.spec and model.weights decide.

    Raises
    ------
    ModelError
        If `model.kwargs` has one.
    """
    for name in decided:
        if name in spec.kwargs:
            raise ModelError(f"model.kwargs.{name}: is decided by model.spec and model.weights; remove it")


def refuse_other_classes(spec: ModelSpec, key: str, of_weights: int | None) -> None:
    """Refuse a number of classes that pretrained weights do not have: libraries then draw a last layer at random.

    Raises
    ------
    ModelError
        If `model.kwargs[key]` is 0, or another number than that of the weights, where these bring it.
    """
    asked = spec.kwargs.get(key)
    if asked == 0:
        raise ModelError(f"model.kwargs.{key} = 0: the network would answer with features, not logits; remove it")
    if asked is not None and spec.weights is None and asked != of_weights:
        raise ModelError(
            f"model.kwargs.{key} = {asked}: the weights have {of_weights} classes, and the last layer would be drawn "
            "at random; remove it, or set model.weights to weights of that many classes"
        )


def refuse_other_hash(file: Path) -> None:
    """Refuse a file whose content is not that of which its name carries the hash, as `torch.hub` writes it.

    Raises
    ------
    ModelError
        If the SHA-256 begins otherwise.
    """
    found = HASH.search(file.name)
    if found is None:
        return
    with file.open("rb") as content:
        digest = file_digest(content, sha256).hexdigest()
    if not digest.startswith(found[1]):
        raise ModelError(
            f"model.weights = {file}: its SHA-256 begins with {digest[: len(found[1])]}, its name says {found[1]}; "
            "fetch it again, or rename it if the digits are no hash"
        )
