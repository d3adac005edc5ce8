"""The page of faults in docs beside the list of faults; how each ends is tested by `make test-faults`."""

from command_line import CommandEnd
from fault_table import FAULTS, FaultOutcome, page
from measured_table import DOCS, frame

NAMED = 2


def test_the_page_in_docs_has_a_row_for_each_fault_and_says_where_it_was_seen() -> None:
    ended = CommandEnd(0, "", "")
    written = page(dict.fromkeys(FAULTS, FaultOutcome(ended, 0, ended, True)))
    assert frame((DOCS / "faults.md").read_text(encoding="utf-8"), NAMED) == frame(written, NAMED)
