"""Numbers and names as people read them, the same on every page and in every sentence."""

from collections.abc import Iterable

from reports.result import Estimate, Images
from srd.registry import ATTRIBUTORS

NONE = "\N{EN DASH}"
TIGHT = "\N{NO-BREAK SPACE}"


def number(value: float | None) -> str:
    """Three decimals."""
    return NONE if value is None else f"{round(value, 3) + 0.0:.3f}"  # never -0.000


def percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}{TIGHT}%"


def is_share(estimate: Estimate) -> bool:
    """Whether the value is a share, printed in percent."""
    return estimate.unit.startswith("share of")


def value(estimate: Estimate) -> str:
    """The value alone."""
    return percent(estimate.value) if is_share(estimate) else number(estimate.value)


def interval(estimate: Estimate) -> str:
    """The interval in brackets; a word where there is none."""
    if estimate.value is None:
        return estimate.reason
    if estimate.low is None or estimate.high is None:
        return estimate.reason.removeprefix("no interval: ")
    if is_share(estimate):
        return f"[{100 * estimate.low:.1f},{TIGHT}{100 * estimate.high:.1f}]"
    return f"[{number(estimate.low)},{TIGHT}{number(estimate.high)}]"


def size(estimate: Estimate) -> str:
    """n, and how many images were left out."""
    left_out = sum(estimate.excluded.values())
    return f"n = {estimate.n}".replace(" ", TIGHT) + (f", {left_out} left out" if left_out else "")


def full(estimate: Estimate) -> str:
    """Value, interval and n, for a sentence."""
    ends = interval(estimate)
    if estimate.low is not None:
        ends = ends.strip("[]").replace(f",{TIGHT}", " to ")
    return f"{value(estimate)} ({ends}, {size(estimate)})"


def method_title(method: str) -> str:
    """A method as it is printed."""
    return ATTRIBUTORS[method].title


def images_in_words(images: Images) -> str:
    """A set of images as it is printed."""
    return "all images" if images == "all" else "images whose predicted class is that of the clean image"


def listed(names: Iterable[str]) -> str:
    """a, b and c."""
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
