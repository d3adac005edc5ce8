"""Laws of a task: code of others neither ends the process nor prints among the results of the command."""

import sys

import pytest
from small_audits import Finished

from pipeline.execution import worker
from pipeline.plan.tasks import Task
from srd.errors import StageError


@pytest.mark.parametrize("code", [0, 2, None, "done"])
def test_what_ends_the_program_fails_its_task_and_prints_to_stderr(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: object
) -> None:
    def end(*_: object) -> None:
        sys.stdout.write("seen\n")
        sys.exit(code)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "compute", end)
    with pytest.raises(StageError, match=f"score-00000-00 failed: SystemExit: {'' if code is None else code}"):
        worker.perform(finished.job, Task("score", 0, 0))
    assert capfd.readouterr() == ("", "seen\n")
