"""Which images and maps are shown, and their pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.experiments.manipulated_model_results import COPIES, NETWORKS, ManipulationFindings, NetworkRole, Numbers
from reports.formatting import slug
from reports.manipulated_model.result import Exhibit, Panel
from reports.manipulated_model.summarise import role
from reports.pixels import Pixels, heat, limit, photo
from reports.result import MEASURE

FOLDER = "gallery"
SIDE = 224  # pixels
SHOWN: Mapping[str, float] = {"most moved": 0.0, "first quarter": 0.25, "median": 0.5, "least moved": 1.0}
"""Rank among the held-out images by the similarity of the attacked method's maps, as a quantile."""
EVERY_METHOD = "median"
File = tuple[str, bytes]


@dataclass(frozen=True)
class Chosen:
    """An image whose maps by one method are shown."""

    method: str
    rank: str
    row: int


def chosen(found: ManipulationFindings) -> Iterator[Chosen]:
    """Choose the attacked method on some images, then every other method on one of them."""
    attacked, methods = found.spec.manipulation.against, found.spec.explain.methods
    rows = _chosen_rows(_similarity(found, attacked))
    for rank, row in rows.items():
        yield Chosen(attacked, rank, row)
    for method in methods:
        if method != attacked and rows:
            yield Chosen(method, EVERY_METHOD, rows[EVERY_METHOD])


def _chosen_rows(similarity: Numbers) -> dict[str, int]:
    """Return the rows of the images that are shown, by their rank; an undefined similarity has none."""
    order = [int(row) for row in np.argsort(similarity, kind="stable") if not np.isnan(similarity[row])]
    return {rank: order[round(quantile * (len(order) - 1))] for rank, quantile in SHOWN.items()} if order else {}


def _similarity(found: ManipulationFindings, method: str) -> Numbers:
    place = found.spec.explain.methods.index(method), found.similarities.index(MEASURE)
    values: Numbers = found.measured.similarity[COPIES.index("manipulated"), *place]
    return values


def draw(
    found: ManipulationFindings, shown: Chosen, image: Pixels, maps: Mapping[NetworkRole, Pixels]
) -> tuple[Exhibit, list[File]]:
    """Draw an image and its maps by every network; return what is said of them, with the pictures."""
    stem = f"{FOLDER}/{slug(shown.rank)}"
    panels = tuple(_panel(name, f"{stem}-{slug(shown.method)}-{name}.png", each) for name, each in maps.items())
    files = [(f"{stem}-image.png", photo(image, SIDE))]
    files += [
        (panel.file, heat(maps[name], panel.limit, SIDE))
        for name, panel in zip(maps, panels, strict=True)
        if panel.limit is not None
    ]
    return _exhibit(found, shown, f"{stem}-image.png", panels), files


def _exhibit(found: ManipulationFindings, shown: Chosen, image_file: str, panels: tuple[Panel, ...]) -> Exhibit:
    similarity, row = _similarity(found, shown.method)[shown.row], shown.row
    return Exhibit(
        method=shown.method,
        role=role(found, shown.method),
        image=found.held_out.ids[row],
        label=found.classes[found.held_out.labels[row]],
        explained=found.classes[found.explained[row]],
        predicted={
            name: found.classes[each[row]] for name, each in zip(NETWORKS, found.measured.predicted, strict=True)
        },
        similarity=None if np.isnan(similarity) else float(similarity),
        rank=shown.rank,
        image_file=image_file,
        panels=panels,
    )


def _panel(network: NetworkRole, file: str, pixels: Pixels) -> Panel:
    if not np.isfinite(pixels).all():
        return Panel(network=network, file="", limit=None)
    return Panel(network=network, file=file, limit=limit(pixels)[0])
