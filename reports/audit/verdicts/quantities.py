"""The quantities that a criterion may bound: each a metric with its range and the statistic that decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from reports.audit.verdicts.reasons import Reason
from reports.statistics import Kind
from srd.entries import MetricEntry
from srd.registry import METRICS

Source = Literal["scores", "outcome", "quality", "lead", "re-draws"]
"""What the values of a quantity are made from: scores of the maps of a condition; an outcome of
`reports.audit.outcomes`, of which an undefined map of the method is a miss; a quality of the clean maps; the SRG of the
clean maps less that of a control; what networks with re-drawn weights make of the clean maps: similarity, complexity.
"""
OF_CLEAN_MAPS: tuple[Source, ...] = get_args(Source)[2:]
"""What needs the network to be asked again about the clean images, and has no value under another condition."""


@dataclass(frozen=True)
class Quantity:
    """A quantity with a value for each image, or for each re-draw of the weights."""

    name: str
    title: str
    kind: Kind
    """How its one-sided bounds are found."""
    bounds: tuple[float, float]
    source: Source
    needs_masks: bool = False
    """Whether it needs masks of the objects."""
    control: str = ""
    """Of a lead: the removal order that never saw the network."""
    failure: Reason = Reason.BOUND_MISSED
    """The reason of a failure, where no other is found in the values."""

    @property
    def is_of_clean_maps(self) -> bool:
        """Return whether it has no value under another condition."""
        return self.source in OF_CLEAN_MAPS


def _of_metrics() -> tuple[Quantity, ...]:
    return tuple(_of_metric(entry) for entry in METRICS.values())


def _of_metric(entry: MetricEntry) -> Quantity:
    if entry.of == "randomised":  # all images share a re-drawn network
        return Quantity(entry.name, entry.title, "re-draws", entry.bounds, "re-draws")
    kind: Kind = "outcome" if entry.is_rate else "mean"
    source: Source = "quality" if entry.asks_network else "scores"
    return Quantity(entry.name, entry.title, kind, entry.bounds, source, needs_masks=entry.of == "map and mask")


def _lead(name: str, title: str, control: str) -> Quantity:
    return Quantity(name, title, "difference", (-2, 2), "lead", control=control, failure=Reason.NOT_FAITHFUL)


def _of_redraws(name: str, title: str, bounds: tuple[float, float]) -> Quantity:
    return Quantity(name, title, "re-draws", bounds, "re-draws", failure=Reason.IGNORES_NETWORK)


ABOVE_OTHER_IMAGE = "weights_similarity_above_other_image"
QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            Quantity("own_image", "Maps nearer to their own image than to another", "outcome", (0, 1), "outcome"),
            Quantity("own_class", "Maps nearer to their own class than to another", "outcome", (0, 1), "outcome"),
            Quantity("kept_under_flip", "Map kept under a flipped prediction", "outcome", (0, 1), "outcome"),
            Quantity("target_gain", "Gain towards the target's map", "difference", (-2, 2), "outcome"),
            Quantity("beyond_control", "Similarity lost beyond the control", "difference", (-2, 2), "outcome"),
            _lead("srg_above_random", "Faithfulness (SRG) above random order", "random"),
            _lead("srg_above_edges", "Faithfulness (SRG) above edges", "edges"),
            _of_redraws("weights_similarity", "Similarity under re-drawn weights", (-1, 1)),
            _of_redraws(ABOVE_OTHER_IMAGE, "Similarity under re-drawn weights above that to another image", (-2, 2)),
            *_of_metrics(),
        )
    }
)
"""The quantities by name."""
