"""The quantities that a criterion may bound: each a metric with its range and the statistic that decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reports.statistics import Kind
from srd.registry import MAP_METRICS


@dataclass(frozen=True)
class Quantity:
    """A quantity with a value for each image."""

    name: str
    title: str
    kind: Kind
    """How its one-sided bounds are found."""
    bounds: tuple[float, float]
    is_outcome: bool = False
    """Whether it is an outcome of `reports.audit.outcomes`, of which an undefined map of the method is a miss."""
    needs_masks: bool = False
    """Whether it needs masks of the objects."""
    waits_for: str = ""
    """What a run must have asked the network for it; empty if stored maps are enough."""


def _of_metrics() -> tuple[Quantity, ...]:
    return tuple(
        Quantity(
            entry.name,
            entry.title,
            "outcome" if entry.is_rate else "mean",
            entry.bounds,
            needs_masks=entry.of == "map and mask",
        )
        for entry in MAP_METRICS.values()
    )


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            Quantity("own_image", "Own image", "outcome", (0, 1), is_outcome=True),
            Quantity("own_class", "Own class", "outcome", (0, 1), is_outcome=True),
            Quantity("kept_under_flip", "Map kept under a flipped prediction", "outcome", (0, 1), is_outcome=True),
            Quantity("target_gain", "Gain towards the target's map", "difference", (-2, 2), is_outcome=True),
            Quantity("beyond_control", "Similarity lost beyond the control", "difference", (-2, 2), is_outcome=True),
            Quantity("srg_above_random", "SRG above random order", "difference", (-2, 2), waits_for="removal"),
            Quantity("srg_above_edges", "SRG above edges", "difference", (-2, 2), waits_for="removal"),
            Quantity(
                "weights_similarity", "Similarity under re-drawn weights", "mean", (-1, 1), waits_for="re-drawing"
            ),
            Quantity(
                "weights_similarity_above_other_image",
                "Similarity under re-drawn weights above that to another image",
                "difference",
                (-2, 2),
                waits_for="re-drawing",
            ),
            *_of_metrics(),
        )
    }
)
"""The quantities by name."""
