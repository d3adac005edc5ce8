"""The factory of a network: the callable that a spec names, and the source files that it is made from."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pipeline.machine.files import TEXT, UnreadableFile, open_file
from pipeline.machine.sources import INSTALLED, OURS, STDLIB, files_digest
from pipeline.spec.values import closest
from srd.errors import ModelError


@dataclass(frozen=True)
class Factory:
    """A callable without arguments that returns a network."""

    spec: str
    call: Callable[[], Any]
    folder: Path
    sources: set[Path]
    """For a module of a package, all files of its top package below `folder`. For a file, the file and the modules
    that it imported from `folder`; this set is complete once the factory is closed."""

    def build(self) -> nn.Module:
        """Return a new network.

        Raises
        ------
        ModelError
            If the call fails, or returns something else.
        """
        try:
            network = self.call()
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            raise ModelError(
                f"model.spec = {self.spec!r}: the call without arguments failed: {type(error).__name__}: {error}; "
                "name a callable that needs none"
            ) from error
        if not isinstance(network, nn.Module):
            raise ModelError(
                f"model.spec = {self.spec!r}: returned {type(network).__name__}; "
                "name a callable that returns a torch.nn.Module"
            )
        return network

    @property
    def digest(self) -> str:
        """Return the digest of the names and texts of all sources."""
        return files_digest({str(file.relative_to(self.folder)): file for file in self.sources})


@contextmanager
def open_factory(spec: str, base: Path) -> Iterator[Factory]:
    """Open the factory that `path/to/file.py:callable` or `package.module:callable` names.

    Until the context ends, modules beside the file can be imported by name, as if the file were run as a script.

    Raises
    ------
    ModelError
        If the name is not of this form, or leads to no callable.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ModelError(
            f"model.spec = {spec!r}: expected demo:vgg, demo:resnet, path/to/file.py:callable or "
            "package.module:callable"
        )
    if not place.endswith(".py"):
        module = _import(place)
        yield Factory(spec, _callable(module, spec), *_package(module))
        return
    file = _source_file(base / place)
    with _import_from(file.parent) as sources:
        sources.add(file)
        yield Factory(spec, _callable(_run_file(file), spec), file.parent, sources)


def _callable(module: ModuleType, spec: str) -> Callable[[], Any]:
    place, _, name = spec.rpartition(":")
    if not callable(getattr(module, name, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise ModelError(f"model.spec = {spec!r}: {place} has no callable {name!r}; {closest(name, functions)}")
    return getattr(module, name)  # type: ignore[no-any-return]


def _package(module: ModuleType) -> tuple[Path, set[Path]]:
    """Return folder and files of the top package that a module belongs to.

    A module without a package is its own.
    """
    top = sys.modules[module.__name__.partition(".")[0]]
    if not top.__file__:
        raise ModelError(
            f"model.spec: {top.__name__!r} has no file to fingerprint; name a file, path/to/file.py:callable"
        )
    file = Path(top.__file__)
    return file.parent, set(file.parent.rglob("*.py")) if hasattr(top, "__path__") else {file}


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(
            f"model.spec: cannot import {name!r}: {type(error).__name__}: {error}; "
            "put its folder into PYTHONPATH, or name the file, path/to/file.py:callable"
        ) from error


def _source_file(path: Path) -> Path:
    try:
        with open_file(path, TEXT):
            return path.resolve()
    except UnreadableFile as error:
        raise ModelError(f"model.spec: {path}: {error}; relative paths start at the folder of the spec") from None


def _run_file(file: Path) -> ModuleType:
    """Return the module in a file, which is run anew, under a name that no other module has."""
    name = f"audited_{sha256(str(file).encode()).hexdigest()[:16]}"
    loader = SourceFileLoader(name, str(file))
    module = module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    sys.modules[name] = module  # before it runs: its dataclasses look themselves up there
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        del sys.modules[name]
        raise ModelError(
            f"model.spec: {file}: cannot be imported: {type(error).__name__}: {error}; "
            f"it must import as `cd {file.parent} && python {file.name}` does"
        ) from error
    return module


@contextmanager
def _import_from(folder: Path) -> Iterator[set[Path]]:
    """Put `folder` first on the import path until the context ends; then list and forget its modules.

    Libraries may be installed below the folder, and this program may lie there: these do not belong to the network.
    """
    before, sources = set(sys.modules), set[Path]()
    sys.path.insert(0, str(folder))
    try:
        yield sources
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            if file.is_relative_to(folder) and not _is_installed(name, file):
                sources.add(file)
                del sys.modules[name]


def _is_installed(name: str, file: Path) -> bool:
    return bool(INSTALLED & set(file.parts)) or STDLIB in file.parents or name.partition(".")[0] in OURS
