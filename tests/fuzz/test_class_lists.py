"""Class lists: whatever stands in them is read, or refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from byte_edits import Edited, edited_bytes
from file_kinds import KINDS, clear
from fuzzing import count, examples, refuse_or_return
from hypothesis import given
from hypothesis import strategies as st
from json_edits import TEXTS, edited_json
from small_audits import write_png

from pipeline.inputs.data import load_data
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec

pytestmark = pytest.mark.fuzz

CLASSES = [["a", "A"], ["b", "B"], "c"]
LISTS: Mapping[str, bytes] = {
    "json": json.dumps(CLASSES).encode(),
    "text": b"a\nb\nc\n",
    "byte order mark": b"\xef\xbb\xbfa\r\nb\r\n",
}


@pytest.fixture(scope="module")
def sound(home: Path) -> Path:
    """Return a folder of images of two classes."""
    for name in ("a/0.png", "b/1.png"):
        write_png(home / "classes" / "images" / name, np.zeros((2, 2, 3)))
    return home / "classes"


def load(base: Path, classes: str) -> None:
    data = load_data(DataSpec(path="images"), ModelSpec(spec="demo:vgg", classes=classes), base)
    assert {"a", "b"} <= {*data.classes} or len(data.classes) >= 2


def read_list(base: Path, name: str, content: bytes, kind: str) -> None:
    (base / name).write_bytes(content)
    count("class lists", kind)
    refuse_or_return(lambda: load(base, name), base.parent, "class lists")


@examples(1500)
@given(edited=edited_bytes(LISTS), name=st.sampled_from(["classes.json", "classes.txt"]))
def test_a_class_list_of_edited_bytes_is_read_or_refused(sound: Path, edited: Edited, name: str) -> None:
    read_list(sound, name, edited.content, edited.kind)


@examples(1500)
@given(content=edited_json(CLASSES))
def test_a_class_list_of_edited_json_is_read_or_refused(sound: Path, content: bytes) -> None:
    read_list(sound, "classes.json", content, "JSON edited")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_class_list_of_an_extreme_text_is_read_or_refused(sound: Path, text: str) -> None:
    for name in ("classes.json", "classes.txt"):
        read_list(sound, name, text.encode("utf-8", "surrogatepass"), "extreme text")


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_list_that_is_no_file_is_refused(sound: Path, kind: str) -> None:
    KINDS[kind](clear(sound / "classes.txt"))
    count("class lists", "no regular file")
    outcome = refuse_or_return(lambda: load(sound, "classes.txt"), sound.parent, "class lists")
    assert outcome == "DataError"
    clear(sound / "classes.txt")
