"""Weights: whatever a file holds is loaded as a state dict of real numbers, or refused by name; no code of it runs."""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import colour_network
import pytest
import torch
from byte_edits import Edited, edited_bytes
from file_kinds import KINDS, clear
from fuzzing import count, examples, refuse_or_return
from hypothesis import given
from hypothesis import strategies as st
from json_edits import VALUES, edited_json
from safetensors.torch import save
from torch import Tensor

from pipeline.inputs.models import load_model
from pipeline.spec.model import ModelSpec

pytestmark = pytest.mark.fuzz

STATE = colour_network.build().state_dict()


class Payload:
    """An object whose unpickling would run a command."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def saved(value: object, zipped: bool = True) -> bytes:
    file = BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


FILES: Mapping[str, bytes] = {
    "zip.pt": saved(STATE),
    "legacy.pt": saved(STATE, zipped=False),
    "a.safetensors": save(STATE),
}
NAMES = ("weights.pt", "weights.safetensors", "weights.bin")
MANY = 10_000  # values of a tensor that another edit may copy
PAYLOADS: Mapping[str, object] = {
    "command": Payload(os.system, "touch pwned"),
    "process": Payload(os.posix_spawn, "/bin/true", ["true"], {}),
    "code": Payload(eval, "__import__('os').system('touch pwned')"),  # noqa: S307
    "file": Payload(open, "/tmp/pwned", "w"),
    "network": Payload(__import__, "socket"),
    "huge": Payload(bytearray, 2**40),
    "torch.load": Payload(torch.load, "/etc/passwd"),
    "in a state dict": {**STATE, "a": Payload(os.system, "touch pwned")},
    "attribute": {**STATE, "a": torch.nn.Parameter},
}


@pytest.fixture(scope="module")
def base(home: Path) -> Path:
    folder = home / "model"
    folder.mkdir()
    (folder / "network.py").write_text(Path(colour_network.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def load(base: Path, name: str) -> None:
    loaded = load_model(ModelSpec(spec="network.py:build", weights=name), base)
    assert loaded.n_parameters == sum(each.numel() for each in STATE.values())
    assert all(each.dtype is torch.float32 for each in loaded.model.parameters())


def load_content(base: Path, name: str, content: bytes, kind: str) -> str:
    for other in NAMES:
        clear(base / other)
    (base / name).write_bytes(content)
    count("weights", kind)
    return refuse_or_return(lambda: load(base, name), base.parent, "weights")


@examples(1500)
@given(edited=edited_bytes(FILES), name=st.sampled_from(NAMES))
def test_weights_of_edited_bytes_are_loaded_or_refused(base: Path, edited: Edited, name: str) -> None:
    own = "weights.safetensors" if edited.name.endswith("safetensors") else name
    load_content(base, own, edited.content, edited.kind)


def header_of(content: bytes) -> tuple[bytes, bytes]:
    """Return the header of a file of safetensors, and its values."""
    (size,) = struct.unpack("<Q", content[:8])
    return content[8 : 8 + size], content[8 + size :]


@examples(600)
@given(data=st.data())
def test_safetensors_of_an_edited_header_are_loaded_or_refused(base: Path, data: st.DataObject) -> None:
    header, values = header_of(FILES["a.safetensors"])
    edited = data.draw(edited_json(json.loads(header)))
    size = data.draw(st.sampled_from([len(edited)] * 9 + [0, 2**31, 2**40, 2**63, 2**64 - 1]))
    load_content(base, "weights.safetensors", struct.pack("<Q", size) + edited + values, "header edited")


TENSORS: Mapping[str, Callable[[Tensor], Any]] = {
    "double": Tensor.double,
    "half": Tensor.half,
    "bfloat16": Tensor.bfloat16,
    "float8": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "integers": Tensor.int,
    "bytes": lambda tensor: tensor.to(torch.uint8),
    "booleans": Tensor.bool,
    "complex": lambda tensor: tensor.to(torch.complex64),
    "sparse": Tensor.to_sparse,
    "quantised": lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    "without values": lambda tensor: tensor.to("meta"),
    "not finite": lambda tensor: tensor * float("nan"),
    "transposed": lambda tensor: tensor.transpose(0, -1),
    "flat": Tensor.flatten,
    "empty": lambda tensor: tensor[:0],
    "endless": lambda tensor: tensor.flatten()[:1].expand(2**40),
    "overlapping": lambda tensor: tensor.flatten()[:1].expand(tensor.shape),
    "a slice of much": lambda tensor: tensor.new_zeros(2_000_000)[: tensor.numel()].view(tensor.shape),
    "a parameter": torch.nn.Parameter,
    "with a gradient": lambda tensor: tensor.clone().requires_grad_(),
    "an array": lambda tensor: tensor.numpy(),
    "a list": Tensor.tolist,
    "a number": lambda tensor: 1.0,
    "in a dict": lambda tensor: {"a": tensor},
    "a view of bits": lambda tensor: tensor.view(torch.int32),
    "nested": lambda tensor: torch.nested.nested_tensor([tensor], layout=torch.jagged),
}


@st.composite
def crafted_state(draw: st.DrawFn) -> tuple[str, object]:
    """Return a state dict with one or a few edits, and the kind of the first."""
    state: dict[Any, Any] = dict(STATE)
    kinds = draw(st.lists(st.sampled_from(["removed", "renamed", "added", *TENSORS]), min_size=1, max_size=3))
    for kind in kinds:
        name = draw(st.sampled_from(sorted(state, key=str) or ["a"]))
        value = state.get(name)
        if kind == "removed":
            state.pop(name, None)
        elif kind == "renamed":
            state[draw(st.sampled_from(["", "a", "module.a", "\x1b[2J", 3, ("a",), "a" * 5000, "fc.weight"]))] = (
                state.pop(name, 0)
            )
        elif kind == "added":
            state[draw(st.sampled_from(["a", "fc.a", "_metadata", "conv1"]))] = draw(st.sampled_from(VALUES))
        elif isinstance(value, Tensor) and value.is_floating_point() and value.numel() < MANY:
            with suppress(RuntimeError, TypeError, NotImplementedError), catch_warnings(action="ignore"):
                state[name] = TENSORS[kind](value)
    return kinds[0], state


@examples(1500)
@given(crafted=crafted_state(), zipped=st.booleans())
def test_a_crafted_state_dict_is_loaded_or_refused(base: Path, crafted: tuple[str, object], zipped: bool) -> None:
    kind, state = crafted
    try:
        with catch_warnings(action="ignore"):
            content = saved(state, zipped)
    except (RuntimeError, TypeError, NotImplementedError, pickle.PicklingError):  # no file can hold it
        return
    load_content(base, "weights.pt", content, f"state dict: {kind}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_code_in_weights_is_run(base: Path, payload: str, name: str) -> None:
    value = PAYLOADS[payload]
    for content in (saved(value), saved(value, zipped=False), pickle.dumps(value)):
        assert load_content(base, name, content, "payload") == "ModelError"


def zip_of(entries: Mapping[str, bytes], compression: int) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return file.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_repacked_archive_is_loaded_or_refused(base: Path, compression: int) -> None:
    with zipfile.ZipFile(BytesIO(FILES["zip.pt"])) as archive:
        entries = {each: archive.read(each) for each in archive.namelist()}
    for left_out in [None, *entries]:
        content = zip_of({name: value for name, value in entries.items() if name != left_out}, compression)
        load_content(base, "weights.pt", content, "archive repacked")


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_file_are_refused(base: Path, kind: str, name: str) -> None:
    for other in NAMES:
        clear(base / other)
    KINDS[kind](base / name)
    count("weights", "no regular file")
    assert refuse_or_return(lambda: load(base, name), base.parent, "weights") == "ModelError"
    clear(base / name)
