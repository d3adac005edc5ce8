"""Specs: whatever stands in a TOML file is read, or refused with its place."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from byte_edits import Edited, edited_bytes
from fuzzing import count, examples, refuse_or_return
from hypothesis import given
from hypothesis import strategies as st
from json_edits import edited_value
from small_audits import SPEC

from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.deployment import load_deployment
from pipeline.spec.manipulation import load_manipulated_model_spec
from reports.audit.verdicts.criteria import read_criteria

pytestmark = pytest.mark.fuzz

ROOT = Path(__file__).parents[2]
CLUSTERS = """
[cluster]
kind = "slurm"
workers = 4
memory = "16GB"
walltime = "01:00:00"
prologue = ["module load cuda"]

[store]
url = "s3://bucket/audits"
options.region = "eu"
"""
PODS = '[cluster]\nkind = "kubernetes"\nworkers = 2\nimage = "a:1"\nenv.A = "b"\nenv_from = ["c"]\n'
TLS = '[cluster]\nkind = "scheduler"\naddress = "tls://a:1"\ntls_ca = "/a"\ntls_certificate = "/b"\ntls_key = "/c"\n'
TEXTS: Mapping[str, str] = {
    **{path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").glob("*.toml"))},
    "template": (ROOT / "reports" / "templates" / "audit.toml").read_text(encoding="utf-8"),
    "small": SPEC,
    "clusters": SPEC + CLUSTERS,
    "pods": SPEC + PODS,
    "tls": SPEC + TLS,
}
TABLES = {name: tomllib.loads(text) for name, text in TEXTS.items()}
EXTREMES = (
    "nan", "-inf", "inf", "1e400", "-0.0", "0", "-1", "1_000", "9223372036854775807", "9223372036854775808",
    "1" + "0" * 400, "1" * 5000, "0x" + "f" * 5000, "true", '""', '"a"', "'8/255'", "'1/0'", "'1e99999999'", "'nan'",
    "[]", "{}", "[[]]", "[" * 40 + "]" * 40, "[" * 3000 + "]" * 3000, "{a = " * 40 + "1" + "}" * 40, "1979-05-27",
    "1979-05-27T00:00:00Z", "07:32:00", r'"\u0000"', r'"\u001b[2J"', r'"\u202e"', r'"\U0010ffff"',
    '"' + "a" * 5000 + '"',
    '"../../etc/passwd"', '"/dev/zero"', '"demo:vgg"', '"~"', '"file:///etc"', '"s3://a:b@c/d"', '"' + "é" * 200 + '"',
    "[1, 'a', {}]", "[0.1" + ", 0.1" * 2000 + "]", "[[1, 2], [3]]", "'''\n\n'''", "[256, 224]", "[0, 0]", "[1e9, 1]",
)  # fmt: skip
TOKEN = re.compile(r'"[^"\n]*"|[\w./-]+|\S')
VALUE = re.compile(r"(?<== ).+$", re.MULTILINE)
KEY = re.compile(r"^[\w.]+(?= =)", re.MULTILINE)
HEADER = re.compile(r"^\[.*\]$", re.MULTILINE)
ODD = (
    "\x00",
    "\x1b[31m",
    "\u202e",
    "\ud7ff",
    "\ufeff",
    "\u2028",
    "\u00a0",
    "\U0001f600",
    "\r",
    "\x7f",
    "'''",
    '"""',
    "#",
    "\\",
)

Choose = Callable[[Any], Any]


def replaced(pattern: re.Pattern[str], new: tuple[str, ...]) -> Callable[[Choose, str], str]:
    """Return an edit that replaces one match of a pattern."""

    def edit(choose: Choose, text: str) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        match = choose(found)
        return f"{text[: match.start()]}{choose(new)}{text[match.end() :]}"

    return edit


def line_edited(change: Callable[[Choose, list[str], int], list[str]]) -> Callable[[Choose, str], str]:
    def edit(choose: Choose, text: str) -> str:
        lines = text.splitlines()
        at = choose(range(len(lines)))
        return "\n".join([*lines[:at], *change(choose, lines, at), *lines[at + 1 :]])

    return edit


def _other_section(choose: Choose, text: str) -> str:
    other = TEXTS[choose(sorted(TEXTS))]
    starts = [match.start() for match in HEADER.finditer(other)]
    return f"{text}\n{other[choose(starts) :][: choose((60, 200, 2000))]}\n"


NAMES = tuple(sorted({match.group() for text in TEXTS.values() for match in TOKEN.finditer(text)}))
HEADERS = tuple(sorted({match.group() for text in TEXTS.values() for match in HEADER.finditer(text)}))
NESTED = (
    "[a.b]",
    "[[run]]",
    "[model.model]",
    "[explain.options.srd]",
    f"[{'.'.join('a' * 20)}]",
    "[subject.a.model]",
    "[subject]",
)
EDITS: Mapping[str, Callable[[Choose, str], str]] = {
    "token replaced": replaced(TOKEN, NAMES),
    "value replaced": replaced(VALUE, EXTREMES),
    "key replaced": replaced(KEY, (*NAMES, '""', '"a b"', "a" * 300, ".".join("a" * 20))),
    "table renamed": replaced(HEADER, HEADERS),
    "table nested": replaced(HEADER, NESTED),
    "line removed": line_edited(lambda _, lines, at: []),
    "line repeated": line_edited(lambda choose, lines, at: [lines[at]] * choose((2, 3, 300))),
    "line moved": line_edited(lambda choose, lines, at: [lines[at], choose(lines)]),
    "characters inserted": line_edited(lambda choose, lines, at: [lines[at][:4] + choose(ODD) + lines[at][4:]]),
    "section of another spec": _other_section,
}
CRITERIA: Mapping[str, str] = {
    "shipped": (ROOT / "reports" / "audit" / "verdicts" / "criteria.toml").read_text(encoding="utf-8"),
    "all keys": """
[[criterion]]
metric = "pearson"
method = "srd@layer2"
condition = "manipulate:srd@8/255"
strength = "8/255"
at_most = 0.5
min_n = 30
why = "a test"
""",
}
READERS = (load_spec, load_audits, load_deployment, load_manipulated_model_spec)


def read_all(content: bytes, home: Path, kind: str) -> None:
    file = home / "a.toml"
    file.write_bytes(content)
    count("specs", kind)
    for reader in READERS:
        refuse_or_return(lambda: reader(file), home, f"specs by {reader.__name__}")  # noqa: B023  called at once


def read_criteria_of(content: bytes, home: Path, kind: str) -> None:
    file = home / "criteria.toml"
    file.write_bytes(content)
    count("criteria", kind)
    refuse_or_return(lambda: read_criteria(file), home, "criteria")


@st.composite
def edited_text(draw: st.DrawFn) -> Edited:
    name = draw(st.sampled_from(sorted(TEXTS)))
    kinds = draw(st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3))
    text = TEXTS[name]
    for kind in kinds:
        text = EDITS[kind](lambda values: draw(st.sampled_from(values)), text)
    return Edited(name, kinds[0], text.encode("utf-8", "surrogatepass"))


@examples(2000)
@given(edited=edited_text())
def test_a_spec_of_edited_text_is_read_or_refused(home: Path, edited: Edited) -> None:
    read_all(edited.content, home, edited.kind)


@examples(1000)
@given(edited=edited_bytes({name: text.encode() for name, text in TEXTS.items()}))
def test_a_spec_of_edited_bytes_is_read_or_refused(home: Path, edited: Edited) -> None:
    read_all(edited.content, home, edited.kind)


@examples(1000)
@given(edited=edited_bytes({name: text.encode() for name, text in CRITERIA.items()}))
def test_a_file_of_criteria_of_edited_bytes_is_read_or_refused(home: Path, edited: Edited) -> None:
    read_criteria_of(edited.content, home, edited.kind)


@examples(1000)
@given(data=st.data(), name=st.sampled_from(sorted(CRITERIA)), kind=st.sampled_from(sorted(EDITS)))
def test_a_file_of_criteria_of_edited_text_is_read_or_refused(
    home: Path, data: st.DataObject, name: str, kind: str
) -> None:
    text = EDITS[kind](lambda values: data.draw(st.sampled_from(values)), CRITERIA[name])
    read_criteria_of(text.encode("utf-8", "surrogatepass"), home, kind)


@examples(1000)
@given(data=st.data(), name=st.sampled_from(sorted(TABLES)))
def test_a_spec_of_edited_tables_is_read_or_refused(home: Path, data: st.DataObject, name: str) -> None:
    table = data.draw(edited_value(TABLES[name]))
    try:
        content = tomli_w.dumps(table).encode("utf-8", "surrogatepass")
    except (TypeError, AttributeError, RecursionError):  # no TOML can hold it
        return
    read_all(content, home, "value of another kind")
