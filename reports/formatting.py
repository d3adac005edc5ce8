"""The text forms of numbers, names and specs, the same on every page and in every sentence."""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import tomli_w

from attacks.registry import PERTURBATIONS
from reports.result import Estimate, ImageSet
from srd.registry import ATTRIBUTORS

NONE = "\N{EN DASH}"
TIGHT = "\N{NO-BREAK SPACE}"

SLUG = 80
"""The most characters of a text that a file's name repeats."""
_WORD, _NUMBER = r"[A-Za-z_][\w.]*", r"\d+(?:\.\d+)?(?:e-\d+)?"
NAME = re.compile(rf"\w[\w.]*|{_WORD}@{_WORD}", re.ASCII)
"""A method, an attack or a layer, or a method at a layer."""
CONDITION = re.compile(
    rf"(?:{_WORD}(?::{_WORD}(?:@{_WORD})?)?@)?{_NUMBER}(?:/{_NUMBER})?|{_WORD}:{_WORD}(?:@{_WORD})?", re.ASCII
)
"""The id of a condition, or a strength. No two give one slug: words begin with a letter, and hold no hyphen."""


Caveats = Mapping[str, str]
"""Method -> the finding of a self-check that must stand beside every number of the method."""


def number(value: float | None) -> str:
    """Return a number with three decimals."""
    return NONE if value is None else f"{round(value, 3) + 0.0:.3f}"  # never -0.000


def percent(value: float | None) -> str:
    """Return a share in percent, with one decimal."""
    return NONE if value is None else f"{100 * value:.1f}{TIGHT}%"


def is_share(estimate: Estimate) -> bool:
    """Return whether the value is a share, printed in percent."""
    return estimate.unit.startswith("share of")


def value(estimate: Estimate) -> str:
    """Return the value of an estimate, without interval and n."""
    return percent(estimate.value) if is_share(estimate) else number(estimate.value)


def interval(estimate: Estimate) -> str:
    """Return the interval in brackets, or the reason why there is none."""
    if estimate.value is None:
        return estimate.reason
    if estimate.low is None or estimate.high is None:
        return estimate.reason.removeprefix("no interval: ")
    if is_share(estimate):
        return f"[{100 * estimate.low:.1f},{TIGHT}{100 * estimate.high:.1f}]"
    return f"[{number(estimate.low)},{TIGHT}{number(estimate.high)}]"


def size(estimate: Estimate) -> str:
    """Return n, and how many images were left out."""
    left_out = sum(estimate.excluded.values())
    return f"n = {estimate.n}".replace(" ", TIGHT) + (f", {left_out} left out" if left_out else "")


def estimate_in_words(estimate: Estimate) -> str:
    """Return value, interval and n as part of a sentence."""
    ends = interval(estimate)
    if estimate.low is not None:
        ends = ends.strip("[]").replace(f",{TIGHT}", " to ")
    return f"{value(estimate)} ({ends}, {size(estimate)})"


def signed_value(estimate: Estimate) -> str:
    """Return a difference with its sign."""
    return signed_number(estimate.value)


def signed_number(value: float | None) -> str:
    """Return a number with its sign and three decimals."""
    return NONE if value is None else f"{round(value, 3) + 0.0:+.3f}"  # never -0.000


def signed_interval(estimate: Estimate) -> str:
    """Return the interval of a difference with signs, or the reason why there is none."""
    if estimate.low is None:
        return interval(estimate)
    return f"[{estimate.low:+.3f},{TIGHT}{estimate.high:+.3f}]"


def p_value(value: float | None) -> str:
    """Return a p-value with three decimals."""
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def method_title(method: str) -> str:
    """Return the title under which a method is printed."""
    return ATTRIBUTORS[method].title


def condition_in_words(condition: str) -> str:
    """Return a condition, given by its id, as people say it, such as `PGD, 8/255` or `Manipulation of SRD, 8/255`."""
    change, _, strength = condition.rpartition("@")
    if not strength[:1].isdigit():  # a condition without strength, whose method may be at a layer
        change, strength = condition, ""
    strength, _, draw = strength.partition("#")
    name, _, against = change.partition(":")
    title = PERTURBATIONS[name].title if name in PERTURBATIONS else name
    told = at_strength(f"{title} of {method_title(against)}" if against else title, strength)
    return f"{told} (draw {draw})" if draw else told


def at_strength(title: str, strength: str) -> str:
    """Return the title of a perturbation with its strength, where it has one."""
    return f"{title}, {strength}" if strength else title


def title_with_caveat(method: str, caveats: Caveats) -> str:
    """Return the title of a method, followed by its caveat in parentheses if it has one."""
    title = method_title(method)
    return f"{title} ({caveats[method]})" if method in caveats else title


def images_in_words(images: ImageSet) -> str:
    """Return the words for a set of images."""
    return "all images" if images == "all" else "images whose predicted class is that of the clean image"


def enumeration(names: Iterable[str]) -> str:
    """Return names as a list in words, such as `a, b and c`."""
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where the count is not 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counts_in_words(counts: Mapping[str, int]) -> str:
    """Return counts with their reasons, such as `3: the map has nothing to compare`."""
    return "; ".join(f"{count}: {why}" for why, count in counts.items())


def slug(text: str) -> str:
    """Return a text as part of a file's name: of no other text, and safe whoever wrote it.

    Names of methods and layers stay as they are, those of conditions are `pgd-8-255`. A digest ends all others, which
    are cut off, and of which only letters, digits, `_` and `.` of ASCII are left.
    """
    if len(text) <= SLUG and NAME.fullmatch(text):
        return text
    safe = re.sub(r"[^\w.]", "-", text[:SLUG], flags=re.ASCII)
    if len(text) <= SLUG and CONDITION.fullmatch(text):
        return safe
    return f"{safe}~{sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def toml(spec: Mapping[str, Any]) -> str:
    """Return a spec as TOML that reads back to the same spec."""
    return tomli_w.dumps(_without_empty(spec))


def _without_empty(value: Any) -> Any:
    """Return a value without None, which TOML cannot express, and without empty tables, which say nothing."""
    if isinstance(value, Mapping):
        stated = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in stated.items() if each is not None and each != {}}
    return [_without_empty(each) for each in value] if isinstance(value, list | tuple) else value
