"""The choice of images: in turn, in the shares of the classes, or at random, each by the streams of one seed."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType

from pipeline.inputs.collection import Collection
from pipeline.machine import seeds
from pipeline.spec.data import DataSpec, Sampling
from srd.errors import DataError

Groups = dict[int, list[int]]
"""Label -> the rows of its images, in the order in which they are taken."""


def choose(collection: Collection, data: DataSpec) -> list[int]:
    """Return the rows of the first `data.n` images in the order in which they are chosen, or of all.

    Raises
    ------
    DataError
        If there are fewer.
    """
    order, n = choosing_order(collection, data), data.n
    if n is not None and len(order) < n:
        raise DataError(f"data.n = {n}: {data.path} holds only {len(order)} images; ask for fewer, or leave n out")
    return order[:n]


def choosing_order(collection: Collection, data: DataSpec) -> list[int]:
    """Return the rows of all images in the order in which they are chosen."""
    labels = [sample.label for sample in collection.samples]
    if data.sample == "random":
        return seeds.permutation(data.seed or 0, len(labels), "sample")
    groups: Groups = {}
    for row, label in enumerate(labels):
        groups.setdefault(label, []).append(row)
    if data.sample == "stratified" or data.seed is not None:
        seed, labels = data.seed or 0, list(groups)
        turns = seeds.permutation(seed, len(labels), "sample", "classes")
        groups = {labels[turn]: _draw_order(groups[labels[turn]], seed, labels[turn]) for turn in turns}
    return _ORDERS[data.sample](groups)


def _draw_order(rows: Sequence[int], seed: int, label: int) -> list[int]:
    return [rows[place] for place in seeds.permutation(seed, len(rows), "sample", str(label))]


def _in_turn(groups: Groups) -> list[int]:
    """Return one image of each class, then a second one, and so on."""
    return [row for turn in zip_longest(*groups.values()) for row in turn if row is not None]


def _in_shares(groups: Groups) -> list[int]:
    """Return an order of which each beginning has the classes in their shares, as Sainte-Lague gives seats to parties.

    The j-th image of a class of m comes at (2 j - 1) / m.
    """
    places = [
        ((2 * number + 1) / len(rows), label, row) for label, rows in groups.items() for number, row in enumerate(rows)
    ]
    return [row for *_, row in sorted(places)]


_ORDERS: Mapping[Sampling, Callable[[Groups], list[int]]] = MappingProxyType(
    {"balanced": _in_turn, "stratified": _in_shares}
)
