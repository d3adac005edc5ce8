"""The factory of a network: the callable that a spec names, and the source files that it is made from."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from torch import nn

from pipeline.inputs.siblings import Siblings
from pipeline.inputs.user_code import Script
from pipeline.machine.files import TEXT, UnreadableFile, open_file
from pipeline.machine.imports import followed_files, imports_of_ours
from pipeline.machine.sources import INSTALLED, OURS, ROOT, STDLIB, files_digest
from pipeline.spec.values import closest
from srd.errors import ModelError

OWN_NAME = "audited_"
"""The beginning of the name of the module of a file; it stays, as classes look for the module that they are from."""


@dataclass(frozen=True)
class Factory:
    """A callable that returns a network."""

    spec: str
    call: Callable[..., Any]
    script: Script
    folder: Path
    sources: set[Path]
    """For a module of a package, all files of its top package below `folder`. For a file, the file and the modules
    that it imported from `folder`; this set is complete once the factory is closed."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the call."""

    def build(self) -> nn.Module:
        """Return a new network.

        Raises
        ------
        ModelError
            If an argument has no name that the callable knows, or if the call fails or returns something else.
        """
        self._refuse_unknown_arguments()
        given = ", ".join(self.kwargs)
        call = f"the call with model.kwargs ({given})" if given else "the call without arguments"
        way_out = "mend it, or change model.kwargs" if given else "name a callable that needs none, or set model.kwargs"
        with self.script.run(f"model.spec = {self.spec!r}: {call} failed", way_out):
            network = self.call(**self.kwargs)
        if not isinstance(network, nn.Module):
            raise ModelError(
                f"model.spec = {self.spec!r}: returned {type(network).__name__}; "
                "name a callable that returns a torch.nn.Module"
            )
        return network

    def _refuse_unknown_arguments(self) -> None:
        try:
            parameters = signature(self.call).parameters
        except (TypeError, ValueError):  # what is written in C may have no signature
            return
        if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
            return
        by_name = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        known = [name for name, parameter in parameters.items() if parameter.kind in by_name]
        for name in self.kwargs:
            if name not in known:
                raise ModelError(f"model.kwargs: {self.spec!r} has no argument {name!r}; {closest(name, known)}")

    @property
    def digest(self) -> str:
        """Return the digest of the names and texts of all sources, and of what they import of this program."""
        ours = followed_files(each for file in self.sources for each in imports_of_ours(file.read_bytes()))
        own = {str(file.relative_to(self.folder)): file for file in self.sources}
        return files_digest({name: ROOT / name for name in ours} | own)


@contextmanager
def open_factory(spec: str, base: Path, kwargs: Mapping[str, Any] = MappingProxyType({})) -> Iterator[Factory]:
    """Open the factory that `path/to/file.py:callable` or `package.module:callable` names, called with `kwargs`.

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
        script = Script(place, base, is_file=False)
        module = _import(place, script)
        yield Factory(spec, _callable(module, spec), script, *_package(module), kwargs)
        return
    file = _source_file(base / place)
    siblings = Siblings(file.parent)
    script = Script(str(file), file.parent, is_file=True, siblings=siblings)
    with _import_from(file.parent, siblings) as sources:
        sources.add(file)
        yield Factory(spec, _callable(_run_file(file, script), spec), script, file.parent, sources, kwargs)


def _callable(module: ModuleType, spec: str) -> Callable[..., Any]:
    place, _, name = spec.rpartition(":")
    if not callable(getattr(module, name, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        way_out = _place_below(place, name) or closest(name, functions)
        raise ModelError(f"model.spec = {spec!r}: {place} has no callable {name!r}; {way_out}")
    return getattr(module, name)  # type: ignore[no-any-return]


def _place_below(place: str, name: str) -> str:
    """Return the hint at a callable of a module below, as `torchvision.models` is below `torchvision`, or ""."""
    below = [other for other in sys.modules if other.startswith(f"{place}.")]
    found = [other for other in below if callable(getattr(sys.modules[other], "__dict__", {}).get(name))]
    there = min(found, key=lambda other: (len(other), other), default="")
    return f"did you mean '{there}:{name}'? its arguments go into model.kwargs" if there else ""


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


def _import(name: str, script: Script) -> ModuleType:
    top = name.partition(".")[0]
    is_ours = f"{top} is a package of this program, which comes first; name the file, path/to/file.py:callable"
    elsewhere = "put its folder into PYTHONPATH, or name the file, path/to/file.py:callable"
    way_out = is_ours if top in OURS else elsewhere
    with script.run(f"model.spec: cannot import {name!r}", way_out):
        return import_module(name)


def _source_file(path: Path) -> Path:
    try:
        with open_file(path, TEXT):
            return path.resolve()
    except UnreadableFile as error:
        raise ModelError(f"model.spec: {path}: {error}; relative paths start at the folder of the spec") from None


def _run_file(file: Path, script: Script) -> ModuleType:
    """Return the module in a file, which is run anew, under a name that no other module has."""
    name = f"{OWN_NAME}{sha256(str(file).encode()).hexdigest()[:16]}"
    loader = SourceFileLoader(name, str(file))
    module = module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    module.__file__ = str(file)
    sys.modules[name] = module  # before it runs: its dataclasses look themselves up there
    way_out = f"it must import as `cd {file.parent} && python {file.name}` does"
    try:
        with script.run(f"model.spec: {file}: cannot be imported", way_out):
            loader.exec_module(module)
    except ModelError:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _import_from(folder: Path, siblings: Siblings | None = None) -> Iterator[set[Path]]:
    """Put `folder` first on the import path until the context ends; then list and forget its modules.

    Libraries may be installed below the folder, and this program may lie there: these do not belong to the network.
    """
    before, sources = set(sys.modules), set[Path]()
    sys.path.insert(0, str(folder))
    try:
        yield sources
    finally:
        sys.path.remove(str(folder))
        sources |= siblings.sources if siblings else set()
        for name in set(sys.modules) - before:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            is_own = name.startswith(OWN_NAME)
            if file.is_relative_to(folder) and not is_own and not _is_installed(name, file):
                sources.add(file)
                del sys.modules[name]


def _is_installed(name: str, file: Path) -> bool:
    return bool(INSTALLED & set(file.parts)) or STDLIB in file.parents or name.partition(".")[0] in OURS
