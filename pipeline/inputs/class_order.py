"""The order of the classes, which is that of the network's outputs: from a file, or from what the data holds."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from textwrap import shorten
from typing import Any

from pipeline.inputs.image_listing import RELATIVE
from pipeline.machine.files import LONG, TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.spec.values import closest, shorten_value
from srd.errors import DataError

FORMS = (
    "expected a list of names or of [folder, title], or an object such as class_to_idx (name: index), "
    "imagenet_class_index (index: [folder, title]) or id2label (index: name)"
)


class ClassOrder:
    """The classes in the order of the outputs, each with the name of its folder and a title."""

    def __init__(self, pairs: Sequence[tuple[str, str]], source: str) -> None:
        self.folders = tuple(folder for folder, _ in pairs)
        self.titles = tuple(title for _, title in pairs)
        self._source = source
        self._of_folder = {folder: index for index, folder in enumerate(self.folders)}
        counts = Counter(self.titles)
        self._of_title = {title: index for index, title in enumerate(self.titles) if counts[title] == 1}

    def __contains__(self, folder: str) -> bool:
        return folder in self._of_folder

    def knows(self, name: str) -> bool:
        """Return whether a name is that of a folder, or a title that one class alone has."""
        return name in self._of_folder or name in self._of_title

    def of_folder(self, name: str, place: str) -> int:
        """Return the index of the class of a folder.

        Raises
        ------
        DataError
            With `place`, if there is none.
        """
        if name not in self._of_folder:
            way_out = closest(name, self.folders)
            raise DataError(f"{place}: folder {name!r} is no class of {self._source}; {way_out}")
        return self._of_folder[name]

    def of_label(self, text: str, place: str) -> int:
        """Return the index of a label: the name of a folder, a title that one class alone has, or an index.

        Raises
        ------
        DataError
            With `place`, if it is none of these.
        """
        for known in (self._of_folder, self._of_title):
            if text in known:
                return known[text]
        index = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
        if not 0 <= index < len(self.folders):
            raise DataError(
                f"{place}: {shorten_value(text)} is no class of {self._source} and no index below "
                f"{len(self.folders)}; {closest(text, [*self.folders, *self.titles])}"
            )
        return index


def read_class_order(file: Path) -> ClassOrder:
    """Return the classes of a file.

    Raises
    ------
    DataError
        If the file holds no list of classes.
    """
    place = f"model.classes = {file}"
    pairs = [(folder.strip(), title.strip()) for folder, title in _pairs(_content(file, place), place)]
    for name in chain.from_iterable(pairs):
        if not name or not name.isprintable():
            raise DataError(f"{place}: {shorten(repr(name), LONG)} is empty or cannot be printed; rename it")
    for folder, n in Counter(folder for folder, _ in pairs).items():
        if n > 1:
            raise DataError(f"{place}: folder {folder!r} stands {n} times; each class has one of its own")
    return ClassOrder(pairs, str(file))


def order_of_labels(labels: Iterable[str], source: str) -> ClassOrder:
    """Return the classes of a data set that gives no order: 0, 1, ... of whole numbers, else names by the alphabet.

    Raises
    ------
    DataError
        For whole numbers of which one is negative.
    """
    names = sorted(set(labels))
    if all(name.removeprefix("-").isdecimal() for name in names) and any(name.startswith("-") for name in names):
        raise DataError(f"{source}: a label is {min(names)}; leave out what has no class, and count classes from 0")
    if names and all(name.isascii() and name.isdecimal() and len(name) < 7 for name in names):
        names = [str(index) for index in range(1 + max(map(int, names)))]
    return ClassOrder([(name, name) for name in names], source)


def match_classes(names: Sequence[str], order: ClassOrder, place: str) -> list[int]:
    """Return the output of each class of a data set: by its name if all names are known, else by its number.

    Raises
    ------
    DataError
        With `place`, if neither the names nor their number fit.
    """
    if all(order.knows(name) for name in names):
        return [order.of_label(name, place) for name in names]
    if len(names) != len(order.folders):
        unknown = next(name for name in names if not order.knows(name))
        raise DataError(
            f"{place}: its class {unknown!r} is none of model.classes, which are {len(order.folders)}, "
            f"not {len(names)}; {closest(unknown, [*order.folders, *order.titles])}"
        )
    return list(range(len(names)))


def matching_in_words(names: Sequence[str], order: ClassOrder) -> tuple[str, ...]:
    """Return a sentence if `match_classes` goes by numbers, so that a wrong order would not show itself."""
    if all(order.knows(name) for name in names):
        return ()
    return (
        "the data set's names of classes are not those of model.classes: both are taken to be in one order, "
        f"{shorten_value(names[0])} being {shorten_value(order.titles[0])}",
    )


def _content(file: Path, place: str) -> object:
    """Return what a class list holds: the value of a JSON file, or the lines of another."""
    try:
        content = read_file(file, TEXT)
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {RELATIVE}") from None
    with refuse_what_a_parser_raises(DataError, place, "write a list of names or of [folder, title], as UTF-8"):
        text = content.decode("utf-8-sig")
        return json.loads(text) if file.suffix == ".json" else [line for line in text.splitlines() if line.strip()]


def _pairs(content: Any, place: str) -> list[tuple[str, str]]:
    """Return (folder, title) of each class, from any form that class lists have."""
    if isinstance(content, dict):
        content = content.get("id2label", content)
    if isinstance(content, dict) and content:
        content = _by_index(content, place)
    if not isinstance(content, list) or not all(isinstance(row, str) or _is_pair(row) for row in content):
        raise DataError(f"{place}: {FORMS}")
    return [(row, row) if isinstance(row, str) else (row[0], row[1]) for row in content]


def _by_index(content: Mapping[str, Any], place: str) -> list[Any]:
    """Return the classes of an object in the order of their indices, which are its values or its keys."""
    are_values = all(type(value) is int for value in content.values())
    if not are_values and not all(key.isascii() and key.isdecimal() and len(key) < 10 for key in content):
        raise DataError(f"{place}: {FORMS}")
    items = [(value, key) if are_values else (int(key), value) for key, value in content.items()]
    found = sorted(index for index, _ in items)
    if found != list(range(len(items))):
        missing = next((index for index in range(len(items)) if index not in set(found)), len(items))
        raise DataError(
            f"{place}: its {len(items)} classes are not numbered from 0 to {len(items) - 1}: {missing} is missing, or "
            "another stands twice; number the network's outputs"
        )
    return [name for _, name in sorted(items, key=lambda item: item[0])]


def _is_pair(row: object) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(isinstance(text, str) for text in row)
