"""The door for files of weights: the state dict of real numbers that a spec names, and the digests of its files."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from warnings import catch_warnings

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.inputs.shards import is_index, read_index
from pipeline.inputs.weight_archives import Archive, archive_of
from pipeline.machine.files import LONG, MIB, UnreadableFile, open_file, refuse_what_a_parser_raises
from pipeline.machine.memory import free_memory
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import ModelError

MOST_BYTES = 64 * 1024 * MIB
"""The most bytes of a weights file."""
ROOM = 4
"""The bytes of memory that a byte of a weights file may take while it is read."""
UNFIT: tuple[tuple[Callable[[Tensor], bool], str, str], ...] = (
    (lambda tensor: tensor.is_meta, "holds no values (device meta)", "save it with its values"),
    (lambda tensor: tensor.is_quantized, "is quantised", "save tensor.dequantize()"),
    (lambda tensor: tensor.is_complex(), "is complex", "audits need a network of real numbers"),
    (lambda tensor: tensor.layout is not torch.strided, "is sparse or packed", "save tensor.to_dense()"),
)
"""Tensors that no network here can hold: which, what they are, and the way out."""
DEEPEST = 2
"""The most keys above a state dict."""
SAVE_ALONE = "save the state dict alone, torch.save(network.state_dict(), file)"
StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights, and what a spec and its user say of it."""

    file: Path
    """A safetensors file, a file that torch loads, or the index of several of them."""
    key: str | None = None
    """The key of the state dict to take; needed if there are several."""
    is_trusted: bool = False
    """Whether code in it may run."""

    def read(self) -> tuple[str, StateDict]:
        """Return the key under which the state dict stands, or "", and the state dict.

        Raises
        ------
        ModelError
            If the file holds no state dict, several of which none is named, or tensors that no network can hold.
        """
        with refuse_what_a_parser_raises(ModelError, f"{self._place}: is damaged", "save network.state_dict() again"):
            found = dict(self._state_dicts())
            key = self._choose(found)
            for name, tensor in found[key].items():
                _refuse_unfit(self._place, name, tensor)
            return key, found[key]

    def digest(self) -> str:
        """Return the digest of the bytes of a file, or of an index and all files that it names.

        Raises
        ------
        ModelError
            If one is no regular file of at most `MOST_BYTES`.
        """
        if not is_index(self.file):
            return _digest(self.file)
        digests = [_digest(file) for file in (self.file, *read_index(self.file).files)]
        return sha256("".join(digests).encode()).hexdigest()

    @property
    def _place(self) -> str:
        return f"model.weights = {self.file}"

    def _state_dicts(self) -> Iterator[tuple[str, StateDict]]:
        if not is_index(self.file):
            return _state_dicts(self._content(self.file), ())
        index = read_index(self.file)
        parts = {file: self._content(file) for file in index.files}
        return iter([("", index.join(parts))])

    def _content(self, file: Path) -> object:
        """Return what one file holds; torch's warnings about the kinds of tensor in it are no news to the user."""
        place = f"model.weights = {file}"
        with _open_weights(file) as opened, _refuse_claims(opened, place), catch_warnings(action="ignore"):
            return self._parse(opened, file, place)

    def _parse(self, opened: BufferedReader, file: Path, place: str) -> object:
        if file.suffix == ".safetensors":
            return load_file(file)
        archive = archive_of(opened, file)
        if archive is Archive.TAR:
            raise ModelError(f"{place}: is an archive of torch before 0.1.10; save network.state_dict() again")
        if self.is_trusted:
            return _tables_of(archive.load(opened))
        if archive is not Archive.PICKLE:
            raise ModelError(f"{place}: is {archive.value}, whose code may run when it is read; {self._if_trusted}")
        return self._unpickle(opened, place)

    def _unpickle(self, opened: BufferedReader, place: str) -> object:
        try:
            return torch.load(opened, map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            if "GLOBAL" not in str(error):
                raise ModelError(f"{place}: is no state dict; save network.state_dict()") from error
            raise ModelError(
                f"{place}: would run code when loaded (needs pickle globals); refused; {self._if_trusted}"
            ) from error

    @property
    def _if_trusted(self) -> str:
        return (
            f"{SAVE_ALONE}, or, if you trust whoever made it with all that you may do on this machine, pass "
            f"--trust-file {self.file}"
        )

    def _choose(self, found: Mapping[str, StateDict]) -> str:
        if not found:
            raise ModelError(f"{self._place}: holds no state dict; save network.state_dict()")
        if self.key is not None:
            if self.key not in found:
                way_out = closest(self.key, filter(None, found))
                raise ModelError(f"model.weights_key = {self.key!r}: {self.file} has no such state dict; {way_out}")
            return self.key
        if len(found) > 1:
            keys = shorten(", ".join(map(repr, found)), LONG)
            way_out = f"name the one to audit, such as model.weights_key = {next(iter(found))!r}"
            raise ModelError(f"{self._place}: holds {len(found)} state dicts, {keys}; {way_out}")
        return next(iter(found))


def named_checkpoint(spec: ModelSpec, file: Path, trusted: Collection[Path]) -> Checkpoint:
    """Return the checkpoint in a file, as a spec names it; code in it may run if it is one of the `trusted` files."""
    is_trusted = bool(trusted) and Path(os.path.realpath(file)) in trusted
    return Checkpoint(file, spec.weights_key, is_trusted)


def _digest(file: Path) -> str:
    with _open_weights(file) as opened:
        return file_digest(opened, sha256).hexdigest()


def _tables_of(content: object) -> object:
    """Return content with the state dicts of the modules in it, of which a trusted file may have some."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict())
    return {key: _tables_of(value) for key, value in content.items()} if isinstance(content, dict) else content


def _state_dicts(content: object, keys: tuple[str, ...]) -> Iterator[tuple[str, StateDict]]:
    """Yield the state dicts of a checkpoint, each with the keys that lead to it.

    A table within the checkpoint that is empty, or has keys other than texts, such as an optimizer's, is none.
    """
    if not isinstance(content, dict):
        return
    if all(map(_is_weight, content.items())) and (content or not keys):
        yield ".".join(keys), content
    elif len(keys) < DEEPEST:
        for name, value in content.items():
            if isinstance(name, str) and name.isprintable():
                yield from _state_dicts(value, (*keys, name))


def _is_weight(item: tuple[object, object]) -> bool:
    name, value = item
    return isinstance(name, str) and name.isprintable() and isinstance(value, Tensor)


def _refuse_unfit(place: str, name: str, tensor: Tensor) -> None:
    for is_unfit, what, way_out in UNFIT:
        if is_unfit(tensor):
            raise ModelError(f"{place}: {name!r} {what}; {way_out}")


@contextmanager
def _refuse_claims(file: BufferedReader, place: str) -> Iterator[None]:
    """Refuse a file that claims memory beyond what it holds: torch lets a pickle ask for bytes of any number."""
    try:
        yield
    except MemoryError as error:
        if free_memory() < ROOM * os.fstat(file.fileno()).st_size:
            raise
        raise ModelError(f"{place}: claims more memory than it has values; save network.state_dict() again") from error


@contextmanager
def _open_weights(weights: Path) -> Iterator[BufferedReader]:
    try:
        with open_file(weights, MOST_BYTES) as file:
            yield file
    except UnreadableFile as error:
        raise ModelError(
            f"model.weights = {weights}: {error}; relative paths start at the folder of the spec"
        ) from None
