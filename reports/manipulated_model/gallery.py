"""Which images and maps are shown, and their pictures."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from attacks.types import Model
from pipeline.manipulated_models import COPIES, NETWORKS, Experiment, Measured, Network
from reports import maps
from reports.gallery import slug
from reports.headlines import MEASURE
from reports.manipulated_model.result import Exhibit, Panel
from reports.manipulated_model.summarise import role
from reports.maps import Pixels
from srd.registry import SIMILARITIES

FOLDER = "gallery"
SIDE = 224  # pixels
SHOWN: Mapping[str, float] = {"most moved": 0.0, "first quarter": 0.25, "median": 0.5, "least moved": 1.0}
"""Rank among the held-out images by the similarity of the attacked method's maps, as a quantile."""
EVERY_METHOD = "median"
File = tuple[str, bytes]


def exhibits(
    subject: Experiment, networks: Mapping[Network, Model], measured: Measured
) -> Iterator[tuple[Exhibit, list[File]]]:
    """The attacked method on some images, then every other method on one of them, each with its pictures."""
    attacked, methods = subject.spec.manipulation.against, subject.spec.explain.methods
    chosen = _chosen(_similarity(measured, methods.index(attacked)))
    shown = [(attacked, rank, row) for rank, row in chosen.items()]
    shown += [(method, EVERY_METHOD, chosen[EVERY_METHOD]) for method in methods if method != attacked and chosen]
    for method, rank, row in shown:
        yield _exhibit(subject, networks, measured, method, rank, row)


def _chosen(similarity: NDArray[np.float64]) -> dict[str, int]:
    """Rows of the images that are shown, by their rank; an undefined similarity has none."""
    order = [int(row) for row in np.argsort(similarity, kind="stable") if not np.isnan(similarity[row])]
    return {rank: order[round(quantile * (len(order) - 1))] for rank, quantile in SHOWN.items()} if order else {}


def _similarity(measured: Measured, method: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = measured.similarity[COPIES.index("manipulated"), method, SIMILARITIES.index(MEASURE)]
    return values


def _exhibit(
    subject: Experiment, networks: Mapping[Network, Model], measured: Measured, method: str, rank: str, row: int
) -> tuple[Exhibit, list[File]]:
    stem = f"{FOLDER}/{slug(rank)}"
    pixels = {name: each[0].numpy() for name, each in subject.maps(networks, method, range(row, row + 1)).items()}
    image = subject.held_out.images([row])[0].numpy()
    files = [(f"{stem}-image.png", maps.photo(image, SIDE))]
    panels = tuple(_panel(name, f"{stem}-{slug(method)}-{name}.png", each) for name, each in pixels.items())
    files += [
        (panel.file, maps.heat(pixels[name], panel.limit, SIDE))
        for name, panel in zip(pixels, panels, strict=True)
        if panel.limit is not None
    ]
    similarity = _similarity(measured, subject.spec.explain.methods.index(method))[row]
    classes = subject.held_out.classes
    exhibit = Exhibit(
        method=method,
        role=role(subject, method),
        image=subject.held_out.ids[row],
        label=classes[subject.held_out.labels[row]],
        explained=classes[int(subject.targets[row])],
        predicted={name: classes[each[row]] for name, each in zip(NETWORKS, measured.predicted, strict=True)},
        similarity=None if np.isnan(similarity) else float(similarity),
        rank=rank,
        image_file=f"{stem}-image.png",
        panels=panels,
    )
    return exhibit, files


def _panel(network: Network, file: str, pixels: Pixels) -> Panel:
    if not np.isfinite(pixels).all():
        return Panel(network=network, file="", limit=None)
    return Panel(network=network, file=file, limit=maps.limit(pixels)[0])
