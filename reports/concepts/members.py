"""The members of a cluster that are shown: the facts of each, and its pictures."""

import numpy as np

from pipeline.experiments.concept_results import VectorSample
from pipeline.machine.writing import File
from reports.audit.readings import Readings
from reports.concepts import crops
from reports.concepts.result import Member
from reports.pixels import Pixels


def describe_member(readings: Readings, found: VectorSample, index: int, field: Pixels, stem: str) -> Member:
    """Describe the vector at `index`, whose effective receptive field is `field`."""
    row = int(found.row[index])
    box = crops.square_around(crops.bounding_box(field), field.shape)
    return Member(
        image=readings.image_ids[row],
        explained=readings.classes[int(readings.dataset["target"].values[row])],
        position=tuple(found.position[index].tolist()),
        relevance=float(found.relevance[index, 0]),
        box=box,
        mass=crops.share_inside(field, box),
        crop_file=f"{stem}-crop.png",
        image_file=f"{stem}-image.png",
    )


def draw_member(readings: Readings, member: Member, field: Pixels) -> tuple[File, File]:
    """Draw the crop of a member, and its place in the image."""
    row = readings.image_ids.index(member.image)
    image = np.asarray(readings.dataset["input"].isel(image=row, perturbation=0).values)
    return (
        (member.crop_file, crops.crop(image, field, member.box)),
        (member.image_file, crops.surroundings(image, member.box)),
    )
