"""The fields of the result that hold the similarity of maps to those of a network whose weights are drawn again."""

from reports.audit.facts import RunFacts
from reports.audit.localisation import Quality
from reports.audit.panels import MapPanel, Sheet
from reports.result import Estimate, ResultModel


class DepthSimilarity(ResultModel):
    """The similarity of the clean maps to those of the network with a share of its layers drawn again."""

    method: str
    depth: str
    """The share of the layers, from the input on."""
    redraws: int
    images: int
    """Images with a value for every re-draw."""
    estimate: Estimate
    """Mean over images, of the one re-draw; at full depth the mean over re-draws, whose t interval it has."""
    above_other_image: Estimate | None
    """At full depth: the same less the similarity to the map of another image; else None."""


class RedrawnFloor(ResultModel):
    """The similarity of a method's clean maps to those of another image, over the same images."""

    method: str
    estimate: Estimate


class RedrawnRow(ResultModel):
    """The maps of one image by one method, as ever more layers are drawn again."""

    method: str
    image: str
    maps: dict[str, MapPanel]
    """Depth -> its map, on a scale of its own."""


class RandomisationFields(RunFacts):
    """Fields that this section adds to the result. They are empty where the spec did not ask for them."""

    explained_again: int
    """Number of images that were explained with re-drawn weights."""
    depth_similarities: tuple[DepthSimilarity, ...]
    redrawn_floors: tuple[RedrawnFloor, ...]
    complexity_rises: tuple[Quality, ...]
    """Means over re-draws, each a mean over images."""
    redrawn_rows: tuple[RedrawnRow, ...]
    redrawn_sheet: Sheet | None
