"""docs/metrics.md: the metrics' facts, and their values beside the libraries', every difference with its cause."""

import pytest
from fixed_maps import PAIRS
from measured_table import DOCS, frame
from metrics_page import EQUAL, NAMED, cause, facts, oracles, ours, page, quantus

from srd.entries import MetricEntry
from srd.registry import METRICS

every_metric = pytest.mark.parametrize("entry", METRICS.values(), ids=METRICS)
every_kind = pytest.mark.parametrize("kind", PAIRS)


@every_kind
@every_metric
def test_a_metric_is_its_oracle_on_the_fixed_maps(entry: MetricEntry, kind: str) -> None:
    assert ours(entry, kind) == pytest.approx(oracles(entry, kind), abs=EQUAL, rel=EQUAL)


@every_kind
@every_metric
def test_a_difference_to_quantus_has_a_cause_and_no_other(entry: MetricEntry, kind: str) -> None:
    theirs = quantus(entry.name, kind)
    differs = theirs is not None and abs(ours(entry, kind) - theirs) > EQUAL
    assert differs is bool(cause(entry.name, kind))


def test_the_page_in_docs_is_that_of_the_registry() -> None:
    written = page(lambda *_: ["figure"] * 6)
    stored = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert frame(stored, NAMED) == frame(written, NAMED)
    assert facts() in stored
