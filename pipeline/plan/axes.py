"""The names along the axes of what is measured, which are coordinates of the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pipeline.plan.schema import REFERENCES, ReferenceMap
from pipeline.spec.measure import MeasureSpec
from srd.entries import Fill

ANSWERS = ("logit", "probability", "kept")
"""The answers of a network: the target's logit, its softmax, and whether the target is the class predicted."""
CONTROLS = ("random", "edges")
"""The methods whose orders every other order is compared with."""
ORDERS = ("most", "least")
"""The pixels of the highest values removed first, or those of the lowest."""
RANKINGS = ("attribution", "random")
"""The maps by which pixels of an attacked image are removed: its own, or the random control's."""
SUBSET_SIZES = (8, 20, 40)
"""The cells of the subsets of exact size, of 81."""
OF_EACH_SIZE = 50
"""The subsets of each exact size."""
N_CELLS = 81
"""The cells of the grid."""
WHOLE_FILLS: tuple[Fill, ...] = ("blur", "black", "mean")
"""The fills of which one takes the place of the whole image."""
PARTIAL_DEPTHS = ("1/4", "2/4", "3/4")
"""The shares of the layers that are drawn again once, from the input on."""
WHOLE_DEPTH = "4/4"
"""All layers, which are drawn again several times; the number of the draw follows, after a `#`."""
WEIGHTS = "weights:"
"""The prefix of the references that are maps by a network with weights drawn again."""


def subset_names(measure: MeasureSpec) -> tuple[str, ...]:
    """Return the names of all that is removed of a clean image for every method alike."""
    return (
        *(f"random#{number}" for number in range(1, measure.subsets + 1)),
        *(f"cell#{number}" for number in range(1, N_CELLS + 1)),
        *(f"size{size:02d}#{number}" for size in SUBSET_SIZES for number in range(1, OF_EACH_SIZE + 1)),
        *(f"filled:{fill}" for fill in WHOLE_FILLS),
    )


@dataclass(frozen=True)
class Depth:
    """A share of the layers whose weights are drawn again, from the input on."""

    share: float
    draw: int
    """The number of the draw, from 1 on: those of one number have the same first layers."""


def depths(measure: MeasureSpec) -> Mapping[str, Depth]:
    """Return the depths by name."""
    partial = {name: Depth(float(Fraction(name)), 1) for name in PARTIAL_DEPTHS}
    return partial | {f"{WHOLE_DEPTH}#{draw}": Depth(1.0, draw) for draw in range(1, measure.redraws + 1)}


def steps(measure: MeasureSpec) -> tuple[float, ...]:
    """Return the share of the pixels that is removed after each step, from 0 to 1."""
    return tuple(step / measure.steps for step in range(measure.steps + 1))


def references(measure: MeasureSpec) -> Mapping[str, ReferenceMap]:
    """Return the other maps that the clean maps are compared with."""
    if not measure.asks("randomisation"):
        return REFERENCES
    redrawn = {
        f"{WEIGHTS}{depth}": ReferenceMap(
            f"the same method's map by the network with {depth.partition('#')[0]} of its layers drawn again",
            "randomised_attribution",
        )
        for depth in depths(measure)
    }
    return {**REFERENCES, **redrawn}
