"""Laws of the door for weights: real numbers of any precision come in, all else is refused by name, unharmed."""

import io
import json
import os
import tarfile
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.inputs import weights
from pipeline.inputs.checkpoints import MOST_BYTES, Checkpoint
from pipeline.inputs.weights import refuse_meta, state_digest
from srd.errors import ModelError

Change = Callable[[Tensor], Tensor]
quietly = pytest.mark.filterwarnings("ignore::UserWarning")
"""The test itself makes tensors that torch warns of."""


def load_weights(network: nn.Module, file: Path, prefix: str | None = None, **facts: Any) -> tuple[str, ...]:
    return weights.load_weights(network, Checkpoint(file, **facts), prefix)


def weights_digest(file: Path) -> str:
    return Checkpoint(file).digest()


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def state(change: Change = lambda tensor: tensor) -> dict[str, Tensor]:
    own = network().state_dict()
    return dict(own) | {"3.weight": change(own["3.weight"])}


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def refused(file: Path, target: nn.Module | None = None) -> str:
    into = target or network()
    before = state_digest(into, "place")
    with pytest.raises(ModelError) as caught:
        load_weights(into, file)
    assert state_digest(into, "place") == before or "do not fit" in str(caught.value)
    message = str(caught.value)
    assert message.startswith(f"model.weights = {file}: ")
    assert len(message) < 1000
    return message


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_any_precision_is_cast_to_the_networks_own(tmp_path: Path, dtype: torch.dtype, suffix: str) -> None:
    file, loaded = tmp_path / f"weights.{suffix}", network()
    content = state(lambda tensor: tensor.to(dtype))
    (save_file if suffix == "safetensors" else torch.save)(content, file)
    load_weights(loaded, file)
    expected = content["3.weight"].to(torch.float32)
    assert loaded.state_dict()["3.weight"].dtype == torch.float32
    assert torch.equal(loaded.state_dict()["3.weight"], expected)


UNFIT: dict[str, tuple[Change, str]] = {
    "complex": (lambda tensor: tensor.to(torch.complex64), "is complex; audits need a network of real numbers"),
    "conjugate": (lambda tensor: tensor.to(torch.complex128).conj(), "is complex; audits need"),
    "quantised": (
        lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
        "is quantised; save tensor.dequantize()",
    ),
    "quantised by channel": (
        lambda tensor: torch.quantize_per_channel(tensor, torch.ones(2), torch.zeros(2), 0, torch.qint8),
        "is quantised; save tensor.dequantize()",
    ),
    "sparse": (lambda tensor: tensor.to_sparse(), "is sparse or packed; save tensor.to_dense()"),
    "sparse by row": (lambda tensor: tensor.to_sparse_csr(), "is sparse or packed; save tensor.to_dense()"),
    "meta": (lambda tensor: tensor.to("meta"), "holds no values (device meta); save it with its values"),
    "levels": (lambda tensor: tensor.to(torch.int8), "holds torch.int8, not real numbers; save it as torch.float32"),
    "booleans": (lambda tensor: tensor > 0, "holds torch.bool, not real numbers; save it as torch.float32"),
}


@quietly
@pytest.mark.parametrize("case", UNFIT)
def test_tensors_that_no_network_here_can_hold_are_refused_by_name(tmp_path: Path, case: str) -> None:
    change, message = UNFIT[case]
    assert f"'3.weight' {message}" in refused(saved(tmp_path, state(change)))


@pytest.mark.parametrize("case", ["quantised", "sparse", "sparse by row"])
def test_warnings_of_torch_are_no_news(tmp_path: Path, case: str, recwarn: pytest.WarningsRecorder) -> None:
    file = saved(tmp_path, state(UNFIT[case][0]))
    recwarn.clear()
    assert refused(file)
    assert not recwarn.list


@quietly
def test_nested_tensors_are_refused(tmp_path: Path) -> None:
    assert "save" in refused(saved(tmp_path, {"a": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}))


@pytest.mark.parametrize(
    "content",
    [
        {1: torch.ones(1)},
        {("3", "weight"): torch.ones(1)},
        {None: torch.ones(1)},
        {b"3.weight": torch.ones(1)},
        {"a\ud800": torch.ones(1)},
        {"a\0": torch.ones(1)},
        {"\x1b[31m": torch.ones(1)},
        {"3.weight": [1.0]},
        {"3.weight": torch.ones(1).untyped_storage()},
        [torch.ones(1)],
        torch.ones(1),
        None,
    ],
    ids=repr,
)
@quietly
def test_what_is_no_table_of_names_and_tensors_is_no_state_dict(tmp_path: Path, content: object) -> None:
    assert "holds no state dict; save network.state_dict()" in refused(saved(tmp_path, content))


@pytest.mark.parametrize(
    "metadata", [[1], 3, "text", {"": 3}, {"1": [2]}, {"": {"version": "x"}, "1": {"version": "x"}}]
)
def test_metadata_that_torch_does_not_expect_are_refused(tmp_path: Path, metadata: Any) -> None:
    content = OrderedDict(state())
    content._metadata = metadata  # type: ignore[attr-defined]
    assert "do not fit model.spec: " in refused(saved(tmp_path, content))


def test_a_table_whose_method_is_replaced_is_refused(tmp_path: Path) -> None:
    content = OrderedDict(state())
    content.their_own = 3  # type: ignore[attr-defined]
    file = tmp_path / "weights.pt"
    torch.save(content, file, _use_new_zipfile_serialization=False)
    name = b"X" + len("their_own").to_bytes(4, "little") + b"their_own"
    other = b"X" + len("items").to_bytes(4, "little") + b"items"
    assert name in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(name, other))
    assert "'int' object is not callable" in refused(file)


def under(*keys: str) -> Callable[[dict[str, Tensor]], Any]:
    def nest(content: Any) -> Any:
        for key in reversed(keys):
            content = {key: content, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}}, "empty": {}}
        return content

    return nest


@pytest.mark.parametrize(
    "keys", [("state_dict",), ("model",), ("net",), ("ema",), ("model_state_dict",), ("a", "b")], ids=".".join
)
def test_the_only_state_dict_of_a_checkpoint_is_found(tmp_path: Path, keys: tuple[str, ...]) -> None:
    target = network()
    content = state(lambda tensor: tensor + 1)
    notes = load_weights(target, saved(tmp_path, under(*keys)(content)))
    assert torch.equal(target.state_dict()["3.weight"], content["3.weight"])
    assert notes == (f"model.weights: the state dict is the one under {'.'.join(keys)!r}",)


@pytest.mark.parametrize("names", [("state_dict", "ema"), ("model", "teacher", "student"), ("a.b", "c")])
def test_a_checkpoint_of_several_state_dicts_is_refused_by_name(tmp_path: Path, names: tuple[str, ...]) -> None:
    message = refused(saved(tmp_path, {name: state() for name in names}))
    assert f"holds {len(names)} state dicts, {', '.join(map(repr, names))}; name the one to audit" in message


@pytest.mark.parametrize(
    ("prefix", "removed"),
    [
        ("module.", "'module.'"),
        ("_orig_mod.", "'_orig_mod.'"),
        ("model.", "'model.'"),
        ("_orig_mod.module.", "'_orig_mod.' and 'module.'"),
        ("module._orig_mod.", "'module.' and '_orig_mod.'"),
        ("module.model.", "'module.' and 'model.'"),
    ],
)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_prefixes_of_wrappers_are_removed(tmp_path: Path, prefix: str, removed: str, suffix: str) -> None:
    file, target = tmp_path / f"weights.{suffix}", network()
    content = state(lambda tensor: tensor + 1)
    (save_file if suffix == "safetensors" else torch.save)({prefix + name: t for name, t in content.items()}, file)
    notes = load_weights(target, file)
    assert torch.equal(target.state_dict()["3.weight"], content["3.weight"])
    assert notes == (f"model.weights: {removed} was removed from the names of the tensors",)


def test_the_wrapped_networks_of_torch_are_read(tmp_path: Path) -> None:
    wrappers: tuple[Any, ...] = (nn.DataParallel, torch.compile)
    for wrapped in (wrap(network()) for wrap in wrappers):
        assert load_weights(network(), saved(tmp_path, wrapped.state_dict()))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_prefixes_that_the_network_has_stay(tmp_path: Path, prefix: str) -> None:
    name = prefix.removesuffix(".")
    target = nn.ModuleDict({name: nn.Linear(2, 2)})
    assert load_weights(target, saved(tmp_path, target.state_dict())) == ()
    file = saved(tmp_path, {f"{prefix}weight": torch.ones(2, 2)})
    assert f"{prefix}bias" in refused(file, target)


class Wrapped(nn.Module):
    """A network within another that has no weights of its own."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.inner = Wrapped(depth - 1) if depth > 1 else network()


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_of_the_network_within_a_wrapper_fit(tmp_path: Path, depth: int, prefix: str, suffix: str) -> None:
    file, target = tmp_path / f"weights.{suffix}", Wrapped(depth)
    content = state(lambda tensor: tensor + 1)
    (save_file if suffix == "safetensors" else torch.save)({prefix + name: t for name, t in content.items()}, file)
    notes = load_weights(target, file)
    where = ".".join(["inner"] * depth)
    assert torch.equal(target.get_submodule(where).state_dict()["3.weight"], content["3.weight"])
    assert notes[-1] == f"model.weights: the names are those of the network's module {where!r}, which has all weights"


@pytest.mark.parametrize("other", [nn.Linear(2, 2), nn.BatchNorm2d(3, affine=False), network()])
def test_weights_of_a_part_of_a_network_do_not_fit(tmp_path: Path, other: nn.Module) -> None:
    target = nn.ModuleDict({"inner": network(), "other": other})
    assert "'inner.0.weight' (nearest: '0.weight')" in refused(saved(tmp_path, state()), target)


def test_what_is_missing_beside_a_prefix_is_named_without_it(tmp_path: Path) -> None:
    content = {f"module.{name}": tensor for name, tensor in state().items() if name != "3.bias"}
    message = refused(saved(tmp_path, content))
    assert "3.bias" in message
    assert "module" not in message


@pytest.mark.parametrize("metadata", [[1], 3, {"module": 3}, {"module.1": {"version": "x"}}])
def test_odd_metadata_beside_a_prefix_are_refused(tmp_path: Path, metadata: Any) -> None:
    content = OrderedDict({f"module.{name}": tensor for name, tensor in state().items()})
    content._metadata = metadata  # type: ignore[attr-defined]
    assert "do not fit model.spec: " in refused(saved(tmp_path, content))


def safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def entry(shape: list[Any], offsets: list[Any], dtype: str = "F32") -> bytes:
    return json.dumps({"3.weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        safetensors(b"{}", length=2**63),
        safetensors(b"{}", length=2**64 - 1),
        safetensors(b"{}", length=0),
        safetensors(entry([2, 4], [0, 32]), bytes(16)),
        safetensors(entry([2, 4], [0, 16]), bytes(16)),
        safetensors(entry([2, 4], [32, 0]), bytes(32)),
        safetensors(entry([2**40, 2**40], [0, 32]), bytes(32)),
        safetensors(entry([-2, 4], [0, 32]), bytes(32)),
        safetensors(entry([2, 4], [0, 32], "Q7"), bytes(32)),
        safetensors(b"[" * 100_000),
        safetensors(b'{"\\ud800": {}}'),
        safetensors(b"\xff\xfe"),
    ],
    ids="huge largest none short other-size backwards overflow negative type deep surrogate binary".split(),
)
def test_a_lying_header_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    assert "is damaged: SafetensorError: " in refused(file)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float, suffix: str) -> None:
    file = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(state(), file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert "; save network.state_dict()" in refused(file)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("place", ["pipe", "folder", "device", "loop", "large", "missing", "x" * 300, "a\0b"])
def test_weights_are_one_file_of_bounded_size(tmp_path: Path, place: str, suffix: str) -> None:
    file = tmp_path / f"{place}{suffix}"
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"loop{suffix}").symlink_to(f"loop{suffix}")
    with (tmp_path / f"large{suffix}").open("wb") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    assert "; relative paths start at the folder of the spec" in refused(file)
    with pytest.raises(ModelError, match="relative paths start at"):
        weights_digest(file)


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    for content in (b"", b"abc", bytes(3_000_001)):
        file.write_bytes(content)
        assert weights_digest(file) == sha256(content).hexdigest()


class Holder(nn.Module):
    """Holds one tensor, and what it says of itself."""

    values: Tensor

    def __init__(self, values: Tensor, extra: object = None) -> None:
        super().__init__()
        self.register_buffer("values", values)
        self.extra = extra

    def get_extra_state(self) -> object:
        return self.extra


def test_the_digest_of_ordinary_values_is_that_of_names_and_bytes() -> None:
    expected = sha256()
    for name, tensor in network().state_dict().items():
        expected.update(name.encode() + tensor.numpy().tobytes())
    assert state_digest(network(), "place") == expected.hexdigest()


VALUES: dict[str, Change] = {
    "bfloat16": lambda tensor: tensor.bfloat16(),
    "float8": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "complex": lambda tensor: tensor.to(torch.complex64),
    "conjugate": lambda tensor: tensor.to(torch.complex64).conj(),
    "negative": torch._neg_view,
    "transposed": lambda tensor: tensor.T,
    "scalar": lambda tensor: tensor.sum(),
    "boolean": lambda tensor: tensor > 2,
    "quantised": UNFIT["quantised"][0],
    "quantised by channel": UNFIT["quantised by channel"][0],
    "sparse": UNFIT["sparse"][0],
    "sparse by row": UNFIT["sparse by row"][0],
}


@quietly
@pytest.mark.parametrize("case", VALUES)
def test_values_of_every_kind_have_a_digest_that_changes_with_them(case: str) -> None:
    one, same, other = (torch.arange(4.0).reshape(2, 2) + shift for shift in (0, 0, 1))
    digests = [state_digest(Holder(VALUES[case](values)), "place") for values in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("extra", [None, 3, "text", b"bytes", (1, [2.0, {"a": torch.ones(2)}]), {"dtype": torch.qint8}])
def test_extra_state_has_a_digest(extra: object) -> None:
    one, same, other = (state_digest(Holder(torch.ones(1), value), "place") for value in (extra, extra, (extra, 0)))
    assert one == same != other


@quietly
def test_a_quantised_network_has_a_digest() -> None:
    layer = torch.ao.nn.quantized.Linear(3, 2)
    before = state_digest(layer, "place")
    assert state_digest(layer, "place") == before
    layer.set_weight_bias(torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8), torch.zeros(2))
    assert state_digest(layer, "place") != before


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_has_no_bytes_is_refused() -> None:
    for module in (Holder(torch.ones(1), object()), nn.LazyLinear(3)):
        with pytest.raises(ModelError, match=r"^place: its state_dict\(\) has no digest: .*; set model\.weights$"):
            state_digest(module, "place")


def test_a_network_without_values_is_refused_by_name() -> None:
    for module, name in ((nn.Linear(2, 2, device="meta"), "weight"), (Holder(torch.ones(1, device="meta")), "values")):
        with pytest.raises(
            ModelError, match=rf"^place: '{name}' holds no values \(device meta\); build the network on"
        ):
            refuse_meta(module, "place")
    refuse_meta(network(), "place")


class Claim:
    """An object that a pickle makes of a number of bytes, as torch allows."""

    def __init__(self, kind: type, n: int) -> None:
        self._call = kind, (n,)

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize("content", [Claim(bytearray, 2**60), {"3.weight": Claim(bytearray, 2**60)}])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_claims_more_memory_than_it_fills_is_refused(tmp_path: Path, content: object, zipped: bool) -> None:
    torch.save(content, tmp_path / "weights.pt", _use_new_zipfile_serialization=zipped)
    assert "claims more memory than it has values; save network.state_dict() again" in refused(tmp_path / "weights.pt")


def test_a_machine_without_room_for_the_file_is_to_blame_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(tmp_path, Claim(bytearray, 2**60))
    monkeypatch.setattr("pipeline.inputs.checkpoints.free_memory", lambda: 0)
    with pytest.raises(MemoryError):
        load_weights(network(), file)


def archive(member: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(member))
    return content.getvalue()


@pytest.mark.parametrize("content", [archive("pickle"), archive("storages"), archive("../out"), bytes(1024)])
@pytest.mark.parametrize("name", ["weights.pt", "weights.tar", "weights.bin"])
def test_an_archive_is_refused_without_a_folder_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda *_: pytest.fail("a folder was made"))
    (tmp_path / name).write_bytes(content)
    assert "is an archive of torch before 0.1.10; save network.state_dict() again" in refused(tmp_path / name)
