"""Laws of the door for specs: whatever the file holds, it is read or refused at once, in a few short lines."""

import os
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_audits import SPEC

from pipeline.spec.audit import AuditSpec, load_spec, parse_spec
from pipeline.spec.comparison import ComparisonSpec, load_audits
from pipeline.spec.deployment import Deployment, load_deployment, parse_cluster
from pipeline.spec.manipulation import ManipulatedModelSpec, load_manipulated_model_spec
from pipeline.spec.toml import parse_table, read_toml
from pipeline.spec.variants import VariantsSpec
from srd.errors import SpecError

LONG = 600  # characters of an error, without the path
LOADERS = (load_spec, load_audits, load_manipulated_model_spec, load_deployment)


def spec_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "a.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_ends_of_lines_do_not_matter(tmp_path: Path, mark: bytes, end: str) -> None:
    content = mark + SPEC.replace("\n", end).encode()
    assert load_spec(spec_file(tmp_path, content)) == load_spec(spec_file(tmp_path, SPEC))


def refusal(read: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(SpecError) as refused:
        read(*arguments)
    lines = str(refused.value).splitlines()
    assert len(lines) < 10
    assert max(map(len, lines)) < LONG, lines
    assert str(refused.value).isascii() or str(refused.value).isprintable()
    return str(refused.value)


BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "deep lists": ("a = " + "[" * 100_000, "is no TOML: RecursionError"),
    "deep inline tables": ("a = " + "{a = " * 100_000, "is no TOML: RecursionError"),
    "a key of many parts": (".".join("a" * 300_000) + " = 1", "has a key of 16 parts or more"),
    "a table of many parts": ("[" + " . ".join(["'a'"] * 100_000) + "]", "has a key of 16 parts or more"),
    "many digits": ("a = " + "9" * 5000, "is no TOML: ValueError"),
    "no UTF-8": (b"a = '\xff'", "line 1 is not UTF-8 text (byte 0xff); save it as UTF-8"),
    "UTF-16": ("a = 1".encode("utf-16"), "line 1 is not UTF-8 text"),
    "Latin-1": ("a = 1\nb = 'Käfer'".encode("latin-1"), "line 2 is not UTF-8 text (byte 0xe4); save it as UTF-8"),
    "a zero byte": (b"a = '\0'", "is no TOML: TOMLDecodeError"),
    "half a character": (r"a = '\ud800'".replace("'", '"'), "is no TOML: TOMLDecodeError"),
    "no time": ("a = 9999-99-99", "is no TOML: "),
    "too large": (b"#" * 2**21, "holds 2097152 bytes"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_what_is_no_toml_is_refused_at_once_by_every_reader(tmp_path: Path, case: str, load: Any) -> None:
    content, said = BAD_FILES[case]
    path = spec_file(tmp_path, content)
    message = refusal(load, path)
    assert message.startswith(f"{path}: {said}")
    assert "; " in message


@pytest.mark.timeout(20)
@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
@pytest.mark.parametrize("place", ["pipe", "/dev/zero", ".", "missing", "loop"])
def test_what_is_no_file_is_refused_at_once_by_every_reader(tmp_path: Path, load: Any, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(load, tmp_path / place).endswith("; `srd-audit init` writes a spec to start from")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_and_the_line_ends_of_windows_are_read(tmp_path: Path, ending: str) -> None:
    plain = load_spec(spec_file(tmp_path, SPEC))
    assert load_spec(spec_file(tmp_path, b"\xef\xbb\xbf" + SPEC.replace("\n", ending).encode())) == plain


def table(**changes: Any) -> dict[str, Any]:
    smallest = {"model": {"spec": "demo:vgg"}, "data": {"path": "demo:shapes"}, "explain": {"methods": ["srd"]}}
    return smallest | changes


def model(**changes: Any) -> dict[str, Any]:
    return table(model={"spec": "demo:vgg"} | changes)


def data(**changes: Any) -> dict[str, Any]:
    return table(data={"path": "demo:shapes"} | changes)


def pgd(**changes: Any) -> dict[str, Any]:
    return table(perturbation=[{"name": "pgd", "strengths": ["8/255"]} | changes])


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1) if levels else 1}


BAD_VALUES = {
    **{f"strength {text[:12]}": (pgd(strengths=[text]), "number 1 strengths.0: ") for text in (
        "1e99999999", "1e-99999999", "1E+9999", "9" * 4000, "0." + "0" * 4000, "1/" + "9" * 4000, "1/0", "1e1/3",
        "inf", "-Infinity", "nan", "", " ", "0x8", "1_0",
    )},
    "strength of many bits": (pgd(strengths=[1 << 20_000]), "strengths.0: an integer of 20001 bits does not fit into"),
    "many strengths": (pgd(strengths=[0.1] * 100_000), "number 1 strengths: 100000 values, more than"),
    "many methods": (table(explain={"methods": ["srd"] * 100_000}), "explain.methods: 100000 values, more than"),
    "many perturbations": (table(perturbation=[{}] * 100_000), "perturbation: 100000 values, more than"),
    "many conditions": (
        table(perturbation=[{"name": "pgd", "strengths": [i / 1000 for i in range(1, 1000)]}] * 11),
        "perturbation: 10989 conditions, more than 10000; name fewer",
    ),
    "many wrong values": (table(perturbation=[{}] * 900), "perturbation]] number 8 name: is missing"),
    "large size": (model(resize=4097), "model.resize: 4097 is more than 4096 pixels a side; write a smaller"),
    "large cut": (model(resize=[10**6, 224]), "model.resize: [1000000, 224] is more than 4096 pixels a side"),
    "no mean": (model(mean=[float("nan")], std=[1.0]), "model.mean.0: Input should be a finite number"),
    "endless std": (model(mean=[0.5], std=[float("inf")]), "model.std.0: Input should be a finite number"),
    "large seed": (table(run={"seed": 2**63}), "run.seed: 9223372036854775808 does not fit into 64 bits; write a sm"),
    "many images": (data(n=2**60), "data.n: Input should be less than or equal to 2000000, got 1152921504606846976"),
    "option of many bits": (pgd(options={"steps": 2**64}), "options.steps: an integer of 65 bits does not fit into 64"),
    "negative option of many bits": (pgd(options={"steps": -(2**64)}), "steps: an integer of 65 bits does not fit"),
    "long option": (pgd(options={"loss": "x" * 10**6}), "x' has 1000000 characters; write at most 4096"),
    "long key": (pgd(options={"x" * 10**6: 1}), "x' cannot be read; write at most 200 printable characters"),
    "long method": (table(explain={"methods": ["s" * 4000]}), "explain.methods: no method is called 'sss"),
    "long perturbation": (pgd(name="s" * 4000), "no perturbation is called 'sss"),
    "deep tables": (table(run=nested(50)), "run.a: is nested"),
    "deep value": (model(mean=[[[[[[[0.5] * 90] * 90]]]]]), "model.mean.0: Input should be a valid number"),
    "zero byte": (data(path="images\0"), r"data.path: 'images\x00' holds characters that cannot be printed; remove"),
    "escape sequence": (model(weights="\x1b[2J"), r"model.weights: '\x1b[2J' holds characters that cannot"),
    "half a character": (model(encoder="\ud800"), r"model.encoder: '\ud800' holds characters that cannot"),
    "line break": (model(spec="a\nb"), r"model.spec: 'a\nb' holds characters that cannot"),
    "key with a line break": (pgd(options={"a\nb": 1}), r"number 1 options: the key 'a\nb' cannot be read"),
    "date": (data(path=date(2026, 1, 1)), "data.path: datetime.date(2026, 1, 1) is a date"),
    "time": (table(run={"seed": time(1)}), "run.seed: datetime.time(1, 0) is a time, which"),
    **{f"empty {key}": (model(**{key: blank}), f"model.{key}: is empty; write a name or a path, or remove the key")
       for key in ("spec", "weights", "classes", "encoder") for blank in ("", "  ")},
    **{f"empty {key}": (data(**{key: ""}), f"data.{key}: is empty; write") for key in ("path", "masks")},
    "empty method": (table(explain={"methods": [""]}), "explain.methods.0: is empty; write"),
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_value_beyond_reason_is_refused_at_once_with_its_place(case: str) -> None:
    values, said = BAD_VALUES[case]
    message = refusal(parse_spec, values, "spec")
    assert message.startswith("spec: ")
    assert said in message


def test_values_within_reason_are_kept() -> None:
    strengths = ["1/255", "+8/255", 5e-324, "1e-3", ".5", "1.", 1]
    spec = parse_spec(pgd(strengths=strengths) | {"run": {"seed": 2**63 - 1}}, "spec")
    assert [each.text for each in spec.perturbation[0].strengths] == [str(each) for each in strengths]
    assert parse_spec(model(resize=[4096, 4096], weights="/Bilder/Größe 1/重み.pt"), "spec").model.resize == (
        4096,
        4096,
    )
    assert len(parse_spec(pgd(strengths=[i / 1000 for i in range(1, 1001)]), "spec").perturbation[0].strengths) == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster = [[[1, 2], 3], 4]", "[cluster]: expected a table, got ["),
        (f"cluster = 0x{'f' * 5000}", "[cluster]: expected a table, got an integer of 20000 bits"),
        (f"cluster.kind = '{'x' * 100_000}'", "[cluster]: kind: no cluster is called 'xxx"),
        ("[cluster]\nkind = 'local'\nworkers = 1000000", "[cluster]: workers: Input should be less than or equal to"),
        ("[cluster]\nkind = 'gpu'\ntask_limit = 1e300", "[cluster]: task_limit: Input should be less than or equal to"),
        ("[cluster]\nkind = 'slurm'\nworkers = 1\nmemory = ''", "[cluster]: memory: is empty; write"),
        (
            f"[cluster]\nkind = 'slurm'\nworkers = 1\nmemory = '1GB'\nwalltime = '{'9' * 4000}-01:00:00'",
            "[cluster]: walltime: String should match pattern",
        ),
        ("[store]\nurl = ''", "[store]: url: is empty; write"),
        (f"[store]\nurl = '{'x' * 4000}'", "[store]: url: 'xxx"),
        (
            "[store]\nurl = 's3://b/a'\noptions.region = 2026-01-01",
            "[store]: options.region: datetime.date(2026, 1, 1)",
        ),
    ],
)
def test_a_deployment_beyond_reason_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = spec_file(tmp_path, text)
    assert refusal(load_deployment, path).startswith(f"{path}: {said}")


@pytest.mark.parametrize("key", ["steps", "batch", "images"])
def test_a_manipulation_beyond_reason_is_refused(tmp_path: Path, key: str) -> None:
    goal = f"[manipulation]\nagainst = 'srd'\ngoal = 'top_k'\n{key} = 1000000000000\n"
    message = refusal(load_manipulated_model_spec, spec_file(tmp_path, goal + SPEC))
    assert f"manipulation.{key}: Input should be less than or equal to" in message


def test_a_name_of_a_subject_is_that_of_a_folder(tmp_path: Path) -> None:
    text = f"[subject.{'x' * 150}]\nmodel.spec = 'demo:vgg'\ndata.path = 'demo:shapes'\n[explain]\nmethods = ['srd']"
    assert "names a folder; use letters, digits, - and _, at most 100" in refusal(
        load_audits, spec_file(tmp_path, text)
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.sampled_from(["srd", "pgd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = (AuditSpec, ComparisonSpec, ManipulatedModelSpec, VariantsSpec)
PLACES = [
    (name, key)
    for name, keys in {
        "model": "spec weights mean std resize classes encoder operations",
        "data": "path n masks",
        "explain": "methods options target",
        "run": "tile seed",
        "manipulation": "against goal weight steps batch rate images",
        "variant": "dtype quantize compile weights",
    }.items()
    for key in keys.split()
]


@given(place=st.sampled_from(PLACES), value=ANYTHING, kind=st.sampled_from(KINDS))
def test_anything_at_any_place_is_a_spec_or_refused(place: tuple[str, str], value: object, kind: Any) -> None:
    name, key = place
    tables = table()
    try:
        parse_table(kind, tables | {name: tables.get(name, {}) | {key: value}}, "spec")
    except SpecError as error:
        assert max(map(len, str(error).splitlines())) < LONG  # noqa: PT017


@given(key=st.sampled_from(["name", "strengths", "against", "options"]), value=ANYTHING)
def test_anything_in_a_perturbation_is_a_spec_or_refused(key: str, value: object) -> None:
    try:
        parse_spec(pgd(**{key: value}), "spec")
    except SpecError as error:
        assert max(map(len, str(error).splitlines())) < LONG  # noqa: PT017


@given(value=ANYTHING, key=st.sampled_from(["kind", "workers", "memory", "prologue", "env", "tls_ca", "walltime"]))
def test_anything_in_a_cluster_is_a_spec_or_refused(value: object, key: str) -> None:
    for kind in ("local", "gpu", "scheduler", "slurm", "kubernetes"):
        try:
            parse_cluster({"kind": kind, "workers": 1, "memory": "1GB", key: value}, "[cluster]")
        except SpecError as error:
            assert max(map(len, str(error).splitlines())) < LONG  # noqa: PT017


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_toml_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = spec_file(tmp_path_factory.getbasetemp(), content)
    try:
        assert isinstance(read_toml(path), dict)
        assert isinstance(load_deployment(path), Deployment)
    except SpecError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
