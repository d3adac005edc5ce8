"""The callable that a spec names to build a network, and the source files that it is made from."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pipeline.spec import closest
from srd.errors import ModelError


@dataclass(frozen=True)
class Factory:
    """A callable without arguments that gives a network."""

    spec: str
    call: Callable[[], Any]
    sources: set[Path] = field(default_factory=set)
    """Its module's file and what that imported from the same folder; complete once the factory is closed."""

    def build(self) -> nn.Module:
        """A new network. Raises ModelError."""
        try:
            network = self.call()
        except Exception as error:  # the user's code may raise anything
            raise ModelError(
                f"model.spec = {self.spec!r}: the call without arguments failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(network, nn.Module):
            raise ModelError(
                f"model.spec = {self.spec!r}: returned {type(network).__name__}; "
                "name a callable that returns a torch.nn.Module"
            )
        return network

    @property
    def digest(self) -> str:
        """Of the names and texts of all sources."""
        digest = sha256()
        for file in sorted(self.sources):
            digest.update(file.name.encode() + file.read_bytes())
        return digest.hexdigest()


@contextmanager
def opened(spec: str, base: Path) -> Iterator[Factory]:
    """The factory named by `path/to/file.py:callable` or `package.module:callable`. Raises ModelError.

    While it is open, modules beside the file can be imported by name, as if the file were run as a script.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ModelError(
            f"model.spec = {spec!r}: expected demo:vgg, demo:resnet, path/to/file.py:callable or "
            "package.module:callable"
        )
    if not place.endswith(".py"):
        yield _factory(_module(place), spec)
        return
    file = (base / place).resolve()
    with _neighbours(file.parent) as sources:
        factory = _factory(_module_of_file(file), spec)
        yield factory
    factory.sources.update(sources)


def _factory(module: ModuleType, spec: str) -> Factory:
    place, _, name = spec.rpartition(":")
    if not callable(getattr(module, name, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise ModelError(f"model.spec = {spec!r}: {place} has no callable {name!r}; {closest(name, functions)}")
    return Factory(spec, getattr(module, name), {Path(module.__file__)} if module.__file__ else set())


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # the user's code may raise anything
        raise ModelError(f"model.spec: cannot import {name!r}: {type(error).__name__}: {error}") from error


def _module_of_file(file: Path) -> ModuleType:
    """The module in a file, run anew, under a name that no other module has."""
    if not file.is_file():
        raise ModelError(f"model.spec: {file}: no such file; relative paths start at the folder of the spec")
    name = f"audited_{sha256(str(file).encode()).hexdigest()[:16]}"
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


@contextmanager
def _neighbours(folder: Path) -> Iterator[set[Path]]:
    """While open, `folder` comes first on the path; then the modules that came from it are listed and forgotten."""
    before, sources = set(sys.modules), set[Path]()
    sys.path.insert(0, str(folder))
    try:
        yield sources
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            if file.is_relative_to(folder):
                sources.add(file)
                del sys.modules[name]
