"""The choice of the images and maps that are shown, and their pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.experiments.manipulated_model_results import COPIES, NETWORKS, ManipulationFindings, NetworkRole, Numbers
from pipeline.machine.writing import File
from reports.formatting import slug
from reports.manipulated_model.result import GalleryRow, NetworkMap
from reports.manipulated_model.summarise import method_role
from reports.pixels import Pixels, colour_limit, heat_map, photo
from reports.result import MEASURE

FOLDER = "gallery"
SIDE = 224  # pixels
SHOWN: Mapping[str, float] = {"most moved": 0.0, "first quarter": 0.25, "median": 0.5, "least moved": 1.0}
"""Name of a rank -> quantile among the held-out images, by the similarity of the attacked method's maps."""
EVERY_METHOD = "median"


@dataclass(frozen=True)
class GalleryChoice:
    """The choice of an image whose maps by one method are shown."""

    method: str
    rank: str
    row: int


def gallery_choices(found: ManipulationFindings) -> Iterator[GalleryChoice]:
    """Choose some images for the attacked method, then one of them for every other method."""
    attacked, methods = found.spec.manipulation.against, found.spec.explain.methods
    rows = _rows_by_rank(_similarity(found, attacked))
    for rank, row in rows.items():
        yield GalleryChoice(attacked, rank, row)
    for method in methods:
        if method != attacked and rows:
            yield GalleryChoice(method, EVERY_METHOD, rows[EVERY_METHOD])


def _rows_by_rank(similarity: Numbers) -> dict[str, int]:
    """Return the rows of the images that are shown, by rank. Images of undefined similarity have no rank."""
    order = [int(row) for row in np.argsort(similarity, kind="stable") if not np.isnan(similarity[row])]
    return {rank: order[round(quantile * (len(order) - 1))] for rank, quantile in SHOWN.items()} if order else {}


def _similarity(found: ManipulationFindings, method: str) -> Numbers:
    place = found.spec.explain.methods.index(method), found.similarities.index(MEASURE)
    values: Numbers = found.measured.similarity[COPIES.index("manipulated"), *place]
    return values


def draw_row(
    found: ManipulationFindings, shown: GalleryChoice, image: Pixels, maps: Mapping[NetworkRole, Pixels]
) -> tuple[GalleryRow, list[File]]:
    """Draw an image and its maps by every network. Return their facts and the picture files."""
    stem = f"{FOLDER}/{shown.rank.replace(' ', '-')}"
    panels = tuple(_network_map(name, f"{stem}-{slug(shown.method)}-{name}.png", each) for name, each in maps.items())
    files = [(f"{stem}-image.png", photo(image, SIDE))]
    files += [
        (panel.file, heat_map(maps[name], panel.limit, SIDE))
        for name, panel in zip(maps, panels, strict=True)
        if panel.limit is not None
    ]
    return _gallery_row(found, shown, f"{stem}-image.png", panels), files


def _gallery_row(
    found: ManipulationFindings, shown: GalleryChoice, image_file: str, panels: tuple[NetworkMap, ...]
) -> GalleryRow:
    similarity, row = _similarity(found, shown.method)[shown.row], shown.row
    return GalleryRow(
        method=shown.method,
        role=method_role(found, shown.method),
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


def _network_map(network: NetworkRole, file: str, pixels: Pixels) -> NetworkMap:
    if not np.isfinite(pixels).all():
        return NetworkMap(network=network, file="", limit=None)
    return NetworkMap(network=network, file=file, limit=colour_limit(pixels)[0])
