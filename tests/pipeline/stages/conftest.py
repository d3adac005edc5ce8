"""The context of a finished run."""

import pytest
from small_audits import Finished

from pipeline.stages.context import Context


@pytest.fixture(scope="module")
def context(finished: Finished) -> Context:
    return finished.context
