"""A method keeps its law on the audited network, or is refused or marked."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_audits import edit, subject_of, write_audit

from pipeline.execution import law_checks
from pipeline.execution.law_checks import check_laws
from pipeline.spec.audit import load_spec
from pipeline.store.attributes import CheckResult
from srd.entries import AttributorEntry
from srd.errors import UnsupportedOperation
from srd.laws import Balance

METHODS = '["srd", "saliency", "lrp_epsilon_plus", "integrated_gradients", "deep_lift", "expected_gradients"]'


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return edit(write_audit(tmp_path / "audit"), '["srd", "saliency", "random"]', METHODS)


def checks(spec: Path) -> dict[str, CheckResult]:
    subject = subject_of(spec)
    logits = subject.model.model(subject.data.images(range(len(subject.data.ids))))
    return {check.method: check for check in check_laws(load_spec(spec), subject, logits.argmax(1).numpy())}


def test_every_method_with_a_law_is_asked_and_keeps_it(spec: Path) -> None:
    found = checks(spec)
    assert list(found) == ["srd", "lrp_epsilon_plus", "integrated_gradients", "deep_lift", "expected_gradients"]
    assert all(check.found.startswith("holds, the gap is ") and not check.is_marked for check in found.values())


def broken(law: str, gap: float = 0.11) -> Callable[..., Balance]:
    """Return a check that finds a gap in one law."""
    one = torch.ones(1)

    def check(entry: AttributorEntry, *_: object, **__: object) -> Balance:
        return Balance(entry.law, one, one * (1 - gap * (entry.law == law)), one * 0, one, one * 0.05)

    return check


def test_a_method_that_does_not_conserve_is_refused_by_name(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law_checks, "check_law", broken("conservation"))
    with pytest.raises(UnsupportedOperation, match=r"method 'srd' does not conserve .* 11.00% .* leave the method out"):
        checks(spec)


def test_a_method_that_is_not_complete_is_marked(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law_checks, "check_law", broken("completeness"))
    marked = {method: check.found for method, check in checks(spec).items() if check.is_marked}
    assert list(marked) == ["integrated_gradients", "deep_lift", "expected_gradients"]
    assert set(marked.values()) == {"not complete on this network: 11.0 %"}
