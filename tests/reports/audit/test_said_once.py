"""Nothing is said twice in a sentence, and masks are spoken of where there are some: with masks, and without."""

import re
from collections import Counter
from collections.abc import Callable
from html import unescape

import numpy as np
import pytest
import xarray as xr

from pipeline.plan.schema import Reason
from reports.audit import page
from reports.audit.localisation import LOCALISATION
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.audit.undefined_scores import UNASKED
from srd.registry import METRICS

NEEDY = [name for name, entry in METRICS.items() if entry.of == "map and mask"]
ABSENCE = re.compile(r"data set has no masks[^.]*\.|no object masks|without masks")


def without_masks(dataset: xr.Dataset) -> xr.Dataset:
    """Return what the same run would have stored of images without masks."""
    score, reason = dataset["score"].copy(deep=True), dataset["reason"].copy(deep=True)
    score.loc[{"metric": NEEDY}] = np.nan
    reason.loc[{"metric": NEEDY}] = Reason.NO_MASKS
    return dataset.drop_vars(["mask", "ignored"]).assign(score=score, reason=reason)


def with_bare_maps(dataset: xr.Dataset) -> xr.Dataset:
    """Return the run with maps of two methods that have nothing to compare."""
    score, reason = dataset["score"].copy(deep=True), dataset["reason"].copy(deep=True)
    where = {"method": dataset["method"].values[:2]}
    score.loc[where] = np.nan
    reason.loc[where] = Reason.NO_CONTRAST
    return dataset.assign(score=score, reason=reason)


KINDS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "with masks": lambda dataset: dataset,
    "without masks": without_masks,
    "with bare maps": with_bare_maps,
    "with bare maps, without masks": lambda dataset: without_masks(with_bare_maps(dataset)),
}


@pytest.fixture(scope="module", params=KINDS)
def found(request: pytest.FixtureRequest, dataset: xr.Dataset) -> AuditResult:
    return summarise(Readings(KINDS[request.param](dataset)), RunRecord({"perturb": (1, 1)}))


def texts(result: AuditResult) -> list[str]:
    """Return the texts of the page and of the summary, without the spec, whose comments are the user's."""
    shown = page.html(result, [], [])
    shown = re.sub(r"<pre>.*?</pre>", "", shown, flags=re.DOTALL)
    parts = [unescape(part).strip() for part in re.split(r"<[^>]+>", shown)]
    captions = [text for picture in LOCALISATION.figures(result) for text in (picture.caption, picture.alt)]
    return [part for part in (*parts, *page.markdown(result).splitlines(), *captions) if part]


def test_no_clause_stands_twice_in_a_sentence(found: AuditResult) -> None:
    for text in texts(found):
        for sentence in re.split(r"(?<=[a-z\])])\. ", text):
            clauses = Counter(clause for clause in re.split(r"; ", sentence.rstrip(".")) if " " in clause.strip())
            assert all(count == 1 for count in clauses.values()), sentence


def test_masks_are_spoken_of_where_there_are_some(found: AuditResult) -> None:
    told = [ABSENCE.sub("", text) for text in texts(found)]
    named = [text for text in told if re.search(r"\bmasks?\b", text) and "SHA-256" not in text and "audit" not in text]
    assert bool(named) is found.identity.has_masks, named


def test_scores_that_were_not_asked_for_are_not_missed(found: AuditResult) -> None:
    lost = [sentence for sentence in found.not_measured if "no value" in sentence]
    assert not any("no masks" in sentence for sentence in lost)
    (counted,) = (text for text in texts(found) if re.search(r"scores have (no value: see|a value\.)", text))
    missing = sum(each.scores for each in found.completeness.undefined if each.reason not in UNASKED)
    assert counted.startswith("All ") is (missing == 0)
