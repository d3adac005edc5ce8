"""The names along the axes of what is measured, which are coordinates of the store."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.plan.schema import REFERENCES, ReferenceMap
from pipeline.spec.measure import MeasureSpec
from srd.registry import METRICS

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
WHOLE_FILLS = ("blur", "black", "mean")
"""The fills of which one takes the place of the whole image."""
PARTIAL_DEPTHS = MappingProxyType({"1/4": 1 / 4, "2/4": 2 / 4, "3/4": 3 / 4})
"""The shares of the layers that are drawn again once, from the input on."""
WHOLE_DEPTH = "4/4"
"""All layers, which are drawn again several times."""
WEIGHTS = "weights:"
"""The prefix of the references that are maps by a network with weights drawn again."""

OF_A_CLEAN_IMAGE = ("curves", "subsets", "randomised", "sum")
QUALITIES = tuple(name for name, entry in METRICS.items() if entry.of in OF_A_CLEAN_IMAGE)
"""The metrics of clean maps and of what the network answers."""
SCORES = tuple(name for name in METRICS if name not in QUALITIES)
"""The metrics of every stored map."""


def subset_names(measure: MeasureSpec) -> tuple[str, ...]:
    """Return the names of all that is removed of a clean image for every method alike."""
    return (
        *(f"random#{number}" for number in range(1, measure.subsets + 1)),
        *(f"cell#{number}" for number in range(1, N_CELLS + 1)),
        *(f"size{size:02d}#{number}" for size in SUBSET_SIZES for number in range(1, OF_EACH_SIZE + 1)),
        *(f"filled:{fill}" for fill in WHOLE_FILLS),
    )


def depth_shares(measure: MeasureSpec) -> Mapping[str, float]:
    """Return depth -> the share of the layers whose weights are drawn again."""
    whole = {f"{WHOLE_DEPTH}#{draw}": 1.0 for draw in range(1, measure.redraws + 1)}
    return {**PARTIAL_DEPTHS, **whole}


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
        for depth in depth_shares(measure)
    }
    return {**REFERENCES, **redrawn}
