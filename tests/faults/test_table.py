"""The table in docs, after all faults."""

import pytest
from fault_table import FAULTS, TABLE, table
from fault_trials import Outcomes
from measured_table import hold

pytestmark = pytest.mark.faults


def test_the_table_in_docs_is_what_was_measured(outcomes: Outcomes) -> None:
    missing = FAULTS.keys() - outcomes.keys()
    if missing:
        pytest.skip(f"{len(missing)} faults were not tried, such as: {min(missing)}")
    hold(TABLE, table(outcomes))
