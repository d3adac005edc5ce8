"""The files of the viewer: a page, its style and scripts, an index, and shards, which the page loads when needed.

A script that lies on a disk can load another script, but no data. An index or a shard is therefore a script that calls
one function.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from pipeline.machine.writing import File
from reports.page import style_sheet, template_environment
from reports.pixels import MAGNIFIED, map_colours, reduced_shape
from reports.viewer.contents import Holdings, ShownImage
from reports.viewer.encoding import call, encode_bytes
from reports.viewer.entries import entries
from reports.viewer.sizes import Size

PAGE = "index.html"
STYLE = "viewer.css"
SCRIPTS = ("decode.js", "shards.js", "state.js", "pictures.js", "words.js", "viewer.js")
"""The scripts of the page, in the order in which it loads them."""
INDEX = "data/index.js"
DIGITS = 4
"""Decimals of similarities and probabilities."""


def viewer_files(holdings: Holdings, images: Iterable[ShownImage], size: Size) -> Iterator[File]:
    """Yield every file of the viewer. One image after the other is read from `images`."""
    yield PAGE, _page(holdings, size).encode()
    yield STYLE, (style_sheet() + _template(STYLE)).encode()
    yield from ((name, _template(name).encode()) for name in SCRIPTS)
    facts, classes = [], _Classes()
    for number, image in enumerate(images):
        facts.append(_facts(image, classes))
        yield from _shards(number, image, size)
    yield INDEX, call("viewer.open", _index(holdings, size, facts, classes.names))


class _Classes:
    """The names of classes that were told, each with its number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a class."""
        return self._numbers.setdefault(name, len(self._numbers))

    @property
    def names(self) -> list[str]:
        """Return the names in the order of their numbers."""
        return list(self._numbers)


def _page(holdings: Holdings, size: Size) -> str:
    templates = template_environment()
    height, width = reduced_shape(holdings.shape, size.longest)
    return templates.get_template(f"viewer/{PAGE}.j2").render(
        holdings=holdings,
        size=size,
        shown=(height, width),
        is_reduced=(height, width) != holdings.shape,
        magnified=MAGNIFIED,
        scripts=SCRIPTS,
        index=INDEX,
        style=STYLE,
    )


def _template(name: str) -> str:
    return (files("reports") / "templates" / "viewer" / name).read_text(encoding="utf-8")


def _shards(number: int, image: ShownImage, size: Size) -> Iterator[File]:
    """Yield the shards of an image. Entry k is in shard k // size.entries of it."""
    found = list(entries(image, size.longest))
    for shard, start in enumerate(range(0, len(found), size.entries)):
        name = f"{number:04}-{shard}"
        yield f"data/{name}.js", call("viewer.put", name, found[start : start + size.entries])


def _facts(image: ShownImage, classes: _Classes) -> dict[str, Any]:
    return {
        "id": image.id,
        "label": classes.number(image.label),
        "explained": classes.number(image.explained),
        "predictions": [
            each.prediction and [classes.number(each.prediction.name), round(each.prediction.probability, DIGITS)]
            for each in image.under
        ],
        "scores": [[[_round_score(score) for score in own.scores] for own in each.maps] for each in image.under],
    }


def _round_score(score: float | None) -> float | None:
    return None if score is None else round(score, DIGITS)


def _index(holdings: Holdings, size: Size, facts: list[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    height, width = reduced_shape(holdings.shape, size.longest)
    return {
        "height": height,
        "width": width,
        "stored": holdings.shape,
        "entries": size.entries,
        "magnified": MAGNIFIED,
        "colours": encode_bytes(map_colours()),
        "methods": [asdict(method) for method in holdings.methods],
        "conditions": [asdict(condition) for condition in holdings.conditions],
        "measures": holdings.measures,
        "classes": classes,
        "images": facts,
    }
