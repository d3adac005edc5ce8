"""The page of faults in docs, after all faults."""

import pytest
from fault_table import CELLS, FAULTS, page
from fault_trials import Outcomes
from measured_table import DOCS, frame

pytestmark = pytest.mark.faults


def test_the_page_in_docs_says_how_each_fault_ends(outcomes: Outcomes, request: pytest.FixtureRequest) -> None:
    missing = FAULTS.keys() - outcomes.keys()
    if missing:
        pytest.skip(f"{len(missing)} faults were not tried, such as: {min(missing)}")
    file, seen = DOCS / "faults.md", page(outcomes)
    if request.config.getoption("write_docs"):
        file.write_text(seen, encoding="utf-8")
    assert frame(file.read_text(encoding="utf-8"), CELLS) == frame(seen, CELLS)
