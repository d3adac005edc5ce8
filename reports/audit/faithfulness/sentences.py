"""The section on faithfulness in words: what controls beat, and what was left out."""

from collections.abc import Iterable, Iterator

from pipeline.spec.measure import DECIDING_FILL
from reports.audit.faithfulness.fields import FaithfulnessFields, RemovalLead
from reports.audit.faithfulness.measures import left_out
from reports.audit.faithfulness.tables import NOT_CLAIMED, TITLES
from reports.families import is_control
from reports.formatting import enumeration, plural, signed_interval, signed_value, size
from reports.result import Estimate
from srd.registry import METRICS

NOT_ASKED = (
    "Not measured: the spec does not ask for it. Add the category “faithfulness” to measure.categories to have it."
)


def beaten_sentences(result: FaithfulnessFields) -> Iterator[str]:
    """Yield sentences on the methods that an order which never saw the network beats, or may beat, with the numbers."""
    leads = [each for each in result.removal_leads if each.fill == DECIDING_FILL and not each.is_control]
    real = [each for each in leads if not is_control(each.method) and each.difference.value is not None]
    for over in dict.fromkeys(each.over for each in leads):
        beaten = [each for each in real if each.over == over and _is_beaten(each)]
        undecided = [each for each in real if each.over == over and not _is_beaten(each) and not _leads(each)]
        if beaten:
            yield f"{TITLES[over]} beats {_in_words(result, beaten)}."
        if undecided:
            yield f"Not told apart from {TITLES[over].lower()}: {_in_words(result, undecided)}."
        if real and not beaten and not undecided:
            yield f"Every method that is no control is above {TITLES[over].lower()} in SRG."


def left_out_sentences(result: FaithfulnessFields) -> Iterator[str]:
    """Yield, for each reason and number of images, the qualities of whose means they are left out."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(each.metric for each in result.faithfulness):
        estimates = [each.estimate for each in result.faithfulness if each.metric == name]
        for reason, counts in left_out(estimates).items():
            if reason != NOT_CLAIMED:
                alike.setdefault((_range(counts), reason), []).append(METRICS[name].title)
    yield from (f"Left out: {count} of {enumeration(names)}: {why}." for (count, why), names in alike.items())


def asked_sentence(asked: int, n: int) -> str:
    """Return a sentence on how many images were asked about."""
    if asked == n:
        return f"All {plural(n, 'image')} were asked about."
    return f"{asked} of {plural(n, 'image')} were asked about; a stream of its own draws them."


def _is_beaten(lead: RemovalLead) -> bool:
    return lead.difference.high is not None and lead.difference.high < 0


def _leads(lead: RemovalLead) -> bool:
    return lead.difference.low is not None and lead.difference.low > 0


def _in_words(result: FaithfulnessFields, leads: Iterable[RemovalLead]) -> str:
    return enumeration(f"{result.title_of(each.method)} ({_numbers_in_words(each.difference)})" for each in leads)


def _numbers_in_words(difference: Estimate) -> str:
    return f"difference of SRG {signed_value(difference)}, {signed_interval(difference)}, {size(difference)}"


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return plural(low, "image") if low == high else f"{low} to {plural(high, 'image')} by method"
