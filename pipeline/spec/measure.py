"""The categories of metrics that an audit measures, and how much it asks the network for them."""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from pipeline.spec.values import SpecTable, as_tuple, closest, shorten_value
from srd.entries import Category, Fill

CATEGORIES: tuple[Category, ...] = get_args(Category)
FILLS: tuple[Fill, ...] = tuple(fill for fill in get_args(Fill) if fill != "mean")
"""What may stand in place of pixels that are removed step by step; the mean fills cells."""
DECIDING_FILL: Fill = "blur"
"""The fill that verdicts go by."""
ALWAYS = "similarity"
"""The category that every audit measures, as its perturbations are judged by it."""


def _check_categories(given: Any) -> Any:
    names = _check_names(given, CATEGORIES, "category")
    if ALWAYS not in names:
        raise ValueError(f"{list(names)!r} lacks {ALWAYS!r}, by which perturbations are judged; add it")
    return tuple(name for name in CATEGORIES if name in names)


def _check_fills(given: Any) -> Any:
    names = _check_names(given, FILLS, "fill")
    if DECIDING_FILL not in names:
        raise ValueError(f"{list(names)!r} lacks {DECIDING_FILL!r}, which verdicts go by; add it")
    return tuple(name for name in FILLS if name in names)


def _check_names(given: Any, known: tuple[str, ...], kind: str) -> tuple[Any, ...]:
    names: tuple[Any, ...] = as_tuple(given)
    for name in names:
        if name not in known:
            raise ValueError(f"no {kind} is called {shorten_value(name)}; {closest(str(name), known)}")
        if names.count(name) > 1:
            raise ValueError(f"{shorten_value(name)} stands twice; remove one of the two")
    return names


Asked = Annotated[int, Field(ge=1, le=2_000_000)]
"""A number of images that are asked about, or of all if there are fewer."""


class MeasureSpec(SpecTable):
    """The categories of metrics, and the questions to the network that they cost."""

    categories: Annotated[tuple[Category, ...], BeforeValidator(_check_categories)] = CATEGORIES
    """In the order of the registry, whatever the order in which they are named."""
    n_faithfulness: Asked = 64
    """The images of which pixels are removed."""
    n_randomise: Asked = 32
    """The images that are explained again with re-drawn weights."""
    steps: Annotated[int, Field(ge=4, le=100)] = 10
    """The steps in which all pixels of an image are removed."""
    subsets: Annotated[int, Field(ge=3, le=10_000)] = 200
    """The random subsets of an image's cells that are removed."""
    redraws: Annotated[int, Field(ge=1, le=100)] = 5
    """How often all weights are drawn again."""
    fills: Annotated[tuple[Fill, ...], BeforeValidator(_check_fills)] = FILLS

    def asks(self, category: Category) -> bool:
        """Return whether a category is measured."""
        return category in self.categories
