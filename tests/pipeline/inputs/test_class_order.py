"""Class lists in the forms that people have give one order, and each label its output."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs.class_order import ClassOrder, match_classes, order_of_labels, read_class_order
from srd.errors import DataError

FORMS: dict[str, Any] = {
    "list of names": ["cat", "ant", "bee"],
    "list of pairs": [["cat", "cat"], ["ant", "ant"], ["bee", "bee"]],
    "class_to_idx": {"ant": 1, "bee": 2, "cat": 0},
    "imagenet_class_index": {"2": ["bee", "bee"], "0": ["cat", "cat"], "1": ["ant", "ant"]},
    "id2label": {"10": "j", **{str(index): name for index, name in enumerate("cat ant bee d e f g h i x".split())}},
    "config of a model": {"model_type": "vit", "id2label": {"0": "cat", "1": "ant", "2": "bee"}, "label2id": {}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_order_of_the_outputs(tmp_path: Path, form: str) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(FORMS[form]), encoding="utf-8")
    order = read_class_order(tmp_path / "classes.json")
    assert order.folders[:3] == ("cat", "ant", "bee")
    if form == "id2label":
        assert order.folders[9:] == ("x", "j")


def test_titles_stand_beside_folders(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(
        '{"0": ["n02", "tench"], "1": ["n01", "crane"], "2": ["n03", "crane"]}', encoding="utf-8"
    )
    order = read_class_order(tmp_path / "classes.json")
    assert (order.folders, order.titles) == (("n02", "n01", "n03"), ("tench", "crane", "crane"))
    assert order.of_label("tench", "here") == 0
    assert order.of_label("n03", "here") == 2
    with pytest.raises(DataError, match="here: 'crane' is no class of"):  # two classes are called so
        order.of_label("crane", "here")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"0": "a", "2": "b"}, "not numbered from 0 to 1: 1 is missing"),
        ({"a": 0, "b": 0}, "not numbered from 0 to 1: 1 is missing"),
        ({"a": 1, "b": 2}, "0 is missing"),
        ({"a": 0, "b": "c"}, "expected a list of names"),
        ({"0": ["a"], "1": "b"}, "expected a list of names"),
        ({"0": 1.5}, "expected a list of names"),
        ({"-1": "a"}, "expected a list of names"),
        ({"id2label": None}, "expected a list of names"),
        ({"0": "a", "1": "a"}, "folder 'a' stands 2 times"),
    ],
)
def test_what_gives_no_order_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=rf"^model\.classes = .*{message}"):
        read_class_order(tmp_path / "classes.json")


def test_a_label_is_a_name_before_it_is_a_number() -> None:
    order = ClassOrder([("1", "one"), ("0", "nought"), ("00007", "seven")], "the list")
    assert [order.of_label(text, "") for text in ("0", "1", "2", "seven", "00007")] == [1, 0, 2, 2, 2]
    for text in ("3", "-1", "two", "1.0", "", "९"):
        with pytest.raises(DataError, match=r"^here: .* is no class of the list and no index below 3; "):
            order.of_label(text, "here")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["3", "0", "1"], ("0", "1", "2", "3")),
        (["10", "9"], tuple(map(str, range(11)))),
        (["1", "a"], ("1", "a")),
        (["00002", "00000"], ("0", "1", "2")),
    ],
)
def test_labels_without_a_list_have_an_order(labels: list[str], expected: tuple[str, ...]) -> None:
    order = order_of_labels(labels, "x")
    assert order.folders == expected
    assert all(
        order.titles[order.of_label(label, "")] in {label, str(int(label) if label.isdecimal() else label)}
        for label in labels
    )


def test_classes_of_a_data_set_are_matched_by_name_or_else_by_number() -> None:
    order = ClassOrder([("n1", "bee"), ("n2", "ant"), ("n3", "cat")], "x")
    assert match_classes(["ant", "n1"], order, "") == [1, 0]
    assert match_classes(["0 - zero", "1 - one", "2 - two"], order, "") == [0, 1, 2]
    with pytest.raises(
        DataError, match=r"^here: its class 'cta' is none of model\.classes, which are 3, not 2; did you"
    ):
        match_classes(["ant", "cta"], order, "here")
