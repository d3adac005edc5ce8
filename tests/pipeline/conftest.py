"""Finished runs that tests of the pipeline share, and must not change."""

from pathlib import Path

import pytest
from small_audits import Finished, finish, write_audit


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Return the spec of a small audit that has not been run."""
    return write_audit(tmp_path / "audit")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return an undisturbed serial run of a small audit."""
    folder = tmp_path_factory.mktemp("finished")
    return finish(write_audit(folder / "audit"), folder / "run")
