"""The reasons of verdicts: a code for each kind of explainer that fails, and for each cause of indecision."""

from enum import StrEnum

from reports.result import ResultModel


class Reason(StrEnum):
    """The code of the reason of a verdict. The order is the precedence: of several, the first is told."""

    UNDEFINED_MAPS = "UNDEFINED_MAPS"
    IGNORES_IMAGE = "IGNORES_IMAGE"
    NOT_REPEATABLE = "NOT_REPEATABLE"
    IGNORES_NETWORK = "IGNORES_NETWORK"
    IGNORES_CLASS = "IGNORES_CLASS"
    NOT_FAITHFUL = "NOT_FAITHFUL"
    MOVED_BY_NOISE = "MOVED_BY_NOISE"
    MOVED_BY_ATTACK = "MOVED_BY_ATTACK"
    LOSES_CLASS = "LOSES_CLASS"
    BOUND_MISSED = "BOUND_MISSED"
    NOT_ATTACKED = "NOT_ATTACKED"
    NO_RELIABLE_ATTACK = "NO_RELIABLE_ATTACK"
    UNDECIDED = "UNDECIDED"
    TOO_FEW_IMAGES = "TOO_FEW_IMAGES"
    NO_SPREAD = "NO_SPREAD"
    NOT_MEASURED = "NOT_MEASURED"
    OFTEN_UNDEFINED = "OFTEN_UNDEFINED"
    MET = "MET"


IN_WORDS: dict[Reason, str] = {
    Reason.UNDEFINED_MAPS: "its maps are constant or not finite",
    Reason.IGNORES_IMAGE: "its map does not depend on the image",
    Reason.NOT_REPEATABLE: "two maps of one image are no more alike than those of two images",
    Reason.IGNORES_NETWORK: "its map stays when the network's weights are drawn anew",
    Reason.IGNORES_CLASS: "its map does not depend on the class",
    Reason.NOT_FAITHFUL: "removing first the pixels that its map ranks highest matters no more to the answer than an "
    "order that never saw the network",
    Reason.MOVED_BY_NOISE: "noise moves its maps too far",
    Reason.MOVED_BY_ATTACK: "an attack moves its maps too far",
    Reason.LOSES_CLASS: "its maps are not reliably nearer to those of their own class than to those of another",
    Reason.BOUND_MISSED: "a bound is missed",
    Reason.NOT_ATTACKED: "no attack of the run was aimed at it",
    Reason.NO_RELIABLE_ATTACK: "no attack on it passed its own checks, so how far its maps can be moved is not known",
    Reason.UNDECIDED: "the images do not decide",
    Reason.TOO_FEW_IMAGES: "there are too few images, or re-draws of the weights, for a decision",
    Reason.NO_SPREAD: "too many values are equal for an interval",
    Reason.NOT_MEASURED: "the run has no value of it",
    Reason.OFTEN_UNDEFINED: "many values are undefined",
    Reason.MET: "the bound is met",
}
"""The codes in words, as the end of a sentence on a method."""


IN_SHORT: dict[Reason, str] = {
    Reason.MOVED_BY_NOISE: "noise moves its maps",
    Reason.MOVED_BY_ATTACK: "an attack moves its maps",
    Reason.UNDECIDED: "the images do not decide",
    Reason.MET: "",
}
"""The words of a reason in a cell, where those of its code do not do."""


def reason_in_short(reason: Reason) -> str:
    """Return a reason as a cell tells it: the words of its code, such as "not faithful"; nothing of a bound met."""
    return IN_SHORT.get(reason, reason.value.lower().replace("_", " "))


def precedence(reason: Reason) -> int:
    """Return the place of a reason: of several, the one with the lowest place is told."""
    return list(Reason).index(reason)


class ReasonText(ResultModel):
    """A reason that a verdict may have."""

    code: Reason
    meaning: str


def reason_texts() -> tuple[ReasonText, ...]:
    """Return all reasons in the order of their precedence."""
    return tuple(ReasonText(code=code, meaning=IN_WORDS[code]) for code in Reason)
