"""Laws of checkpoints: shards are one state dict, a choice is named, misfits name the nearest, code runs if trusted."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.inputs.checkpoints import Checkpoint
from pipeline.inputs.weights import load_weights
from srd.errors import ModelError

State = dict[str, Tensor]
INDEX = "model.safetensors.index.json"


def network(n_classes: int = 3) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = {"stem": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4), "head": nn.Linear(4, n_classes)}
        return nn.ModuleDict(layers)


def state(offset: float = 0.0) -> State:
    return {
        name: value + offset if value.is_floating_point() else value for name, value in network().state_dict().items()
    }


def saved(folder: Path, content: object, name: str = "weights.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


def loaded(checkpoint: Checkpoint, prefix: str | None = None) -> tuple[State, tuple[str, ...]]:
    target = network()
    notes = load_weights(target, checkpoint, prefix)
    return target.state_dict(), notes


def refused(file: Path, prefix: str | None = None, **facts: Any) -> str:
    with pytest.raises(ModelError) as caught:
        loaded(Checkpoint(file, **facts), prefix)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def are_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name].to(one[name].dtype)) for name in one)


def write_shards(folder: Path, content: State, n: int, suffix: str = "safetensors") -> Path:
    """Write the tensors in turn into n files, and their index."""
    file_of = {name: f"model-{row % n + 1:05d}-of-{n:05d}.{suffix}" for row, name in enumerate(content)}
    for file in set(file_of.values()):
        part = {name: tensor for name, tensor in content.items() if file_of[name] == file}
        (save_file if suffix == "safetensors" else torch.save)(part, folder / file)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": file_of}), encoding="utf-8")
    return folder / INDEX


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_shards_are_the_state_dict_that_they_are_cut_from(
    tmp_path: Path, n: int, suffix: str, dtype: torch.dtype
) -> None:
    content = {name: v.to(dtype) if v.is_floating_point() else v for name, v in state(0.25).items()}
    found, notes = loaded(Checkpoint(write_shards(tmp_path, content, n, suffix)))
    assert are_equal(found, content)
    assert all(value.dtype != torch.float16 for value in found.values())
    assert notes == ()


def test_the_digest_of_shards_is_of_all_their_bytes(tmp_path: Path) -> None:
    checkpoint = Checkpoint(write_shards(tmp_path, state(), 2))
    digests = [checkpoint.digest()]
    for file in sorted(tmp_path.iterdir()):
        file.write_bytes(file.read_bytes() + b" ")
        digests.append(checkpoint.digest())
    assert len(set(digests)) == 4


BAD_INDICES: dict[str, tuple[Any, str]] = {
    "no map": ({"metadata": {}}, "is no index of weights: KeyError: 'weight_map'"),
    "no table": ([1], "is no index of weights: TypeError"),
    "nothing": ({"weight_map": {}}, "weight_map must name, for each tensor, a file that lies beside it"),
    "above": ({"weight_map": {"a": "../w.safetensors"}}, "a file that lies beside it"),
    "absolute": ({"weight_map": {"a": "/etc/passwd"}}, "a file that lies beside it"),
    "itself": ({"weight_map": {"a": INDEX}}, "a file that lies beside it"),
    "number": ({"weight_map": {"a": 3}}, "a file that lies beside it"),
    "missing": ({"weight_map": {"a": "model-00009-of-00009.safetensors"}}, "No such file or directory; relative paths"),
    "other tensor": (
        {"weight_map": {"a": "one.safetensors"}},
        "does not fit one.safetensors: 'a' is in one of the two",
    ),
    "surplus": ({"weight_map": {"b": "one.safetensors"}}, "'c' is in one of the two alone; fetch both again"),
}


@pytest.mark.parametrize("case", BAD_INDICES)
def test_an_index_that_does_not_fit_its_files_is_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD_INDICES[case]
    save_file({"b": torch.ones(1), "c": torch.ones(1)}, tmp_path / "one.safetensors")
    (tmp_path / INDEX).write_text(json.dumps(content), encoding="utf-8")
    assert message in refused(tmp_path / INDEX)


@pytest.mark.parametrize("names", [("state_dict", "state_dict_ema"), ("model", "ema"), ("net.online", "net.target")])
def test_of_plain_and_averaged_weights_the_named_ones_are_taken(tmp_path: Path, names: tuple[str, ...]) -> None:
    contents = {name: state(number) for number, name in enumerate(names, 1)}
    nested: dict[str, Any] = {"epoch": 3}
    for name, content in contents.items():
        first, _, second = name.partition(".")
        nested[first] = nested.get(first, {}) | {second: content} if second else content
    file = saved(tmp_path, nested)
    assert f"name the one to audit, such as model.weights_key = {names[0]!r}" in refused(file)
    for name, content in contents.items():
        found, notes = loaded(Checkpoint(file, name))
        assert are_equal(found, content)
        assert notes == (f"model.weights: the state dict is the one under {name!r}",)


@pytest.mark.parametrize(("key", "way_out"), [("emma", "did you mean 'ema'?"), ("x", "known: plain, ema")])
def test_a_key_that_is_not_there_is_refused(tmp_path: Path, key: str, way_out: str) -> None:
    file = saved(tmp_path, {"plain": state(), "ema": state()})
    assert refused(file, key=key) == f"model.weights_key = {key!r}: {file} has no such state dict; {way_out}"


@pytest.mark.parametrize("prefix", ["net.", "backbone.encoder.", "student.module.", "0."])
def test_any_prefix_before_all_names_is_removed_and_told(tmp_path: Path, prefix: str) -> None:
    file = saved(tmp_path, {prefix + name: value for name, value in state(1).items()})
    found, (note,) = loaded(Checkpoint(file))
    assert are_equal(found, state(1))
    assert "was removed from the names" in note


@pytest.mark.parametrize("others", [("ema.",), ("ema.", "loss."), ("criterion.inner.",)])
def test_tensors_of_several_prefixes_need_a_named_one(tmp_path: Path, others: tuple[str, ...]) -> None:
    content = {f"model.{name}": value for name, value in state(1).items()}
    content |= {other + name: value for other in others for name, value in state(2).items()}
    file = saved(tmp_path, {"state_dict": content})
    message = refused(file)
    assert all(repr(prefix) in message for prefix in ("model.", *others))
    assert "to take those alone" in message
    for number, prefix in enumerate(("model.", *others)):
        found, notes = loaded(Checkpoint(file), prefix)
        assert are_equal(found, state(1 if number == 0 else 2))
        assert f"{len(others) * len(state())} tensors do not begin with {prefix!r}, and were left out" in notes[1]


def test_a_prefix_that_nothing_begins_with_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, {f"model.{name}": value for name, value in state().items()})
    expected = f"model.weights_prefix = 'modle.': no tensor of {file} begins so; did you mean 'model.'?"
    assert refused(file, "modle.") == expected


@pytest.mark.parametrize(("own", "theirs"), [("head.weight", "heads.weight"), ("stem.bias", "stem_bias")])
def test_missing_and_surplus_names_are_told_with_the_nearest(tmp_path: Path, own: str, theirs: str) -> None:
    content = state()
    content[theirs] = content.pop(own)
    message = refused(saved(tmp_path, content))
    assert (
        f"1 missing in the file: {own!r} (nearest: {theirs!r}); 1 surplus in it: {theirs!r} (nearest: {own!r})"
        in message
    )


@pytest.mark.parametrize("n_classes", [2, 10])
def test_other_numbers_of_classes_are_told_with_both_shapes(tmp_path: Path, n_classes: int) -> None:
    message = refused(saved(tmp_path, network(n_classes).state_dict()))
    assert f"2 of another shape: 'head.weight' is ({n_classes}, 4) in the file, (3, 4) in the network" in message
    assert "build the network of that shape by model.kwargs" in message


def test_the_counters_of_batch_norm_may_be_missing(tmp_path: Path) -> None:
    content = {name: value for name, value in state(1).items() if not name.endswith("num_batches_tracked")}
    assert torch.equal(loaded(Checkpoint(saved(tmp_path, content)))[0]["head.weight"], state(1)["head.weight"])


class Small(nn.Module):
    """A network that torch scripts, exports and pickles."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x)
        return logits


def small() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Small().eval()


WITH_CODE: Mapping[str, tuple[str, str, Callable[[Path], object]]] = {
    "module": (
        "a.pt",
        "would run code when loaded (needs pickle globals); refused",
        lambda file: torch.save(small(), file),
    ),
    "module in a table": ("a.pth", "would run code when loaded", lambda file: torch.save({"model": small()}, file)),
    "script": ("a.pt", "is a TorchScript archive", lambda file: torch.jit.script(small()).save(str(file))),
    "program": (
        "a.pt2",
        "is an exported program (.pt2)",
        lambda file: torch.export.save(torch.export.export(small(), (torch.ones(1, 4),)), file),
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("case", WITH_CODE)
def test_files_with_code_are_read_only_if_trusted(tmp_path: Path, case: str) -> None:
    name, message, write = WITH_CODE[case]
    write(tmp_path / name)
    target = Small()
    with pytest.raises(ModelError) as caught:
        load_weights(target, Checkpoint(tmp_path / name))
    assert message in str(caught.value)
    assert f"with all that you may do on this machine, pass --trust-file {tmp_path / name}" in str(caught.value)
    load_weights(target, Checkpoint(tmp_path / name, is_trusted=True))
    assert are_equal(target.state_dict(), small().state_dict())


def test_a_trusted_file_that_is_damaged_is_refused_all_the_same(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"\x80\x04junk"):
        (tmp_path / "a.pt").write_bytes(content)
        assert "is damaged: " in refused(tmp_path / "a.pt", is_trusted=True)
