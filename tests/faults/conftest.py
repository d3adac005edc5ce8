"""Audits that faults hit, undisturbed, and how each fault ended."""

from pathlib import Path

import misbehaviour
import pytest
from fault_trials import FaultTrial, Outcomes
from small_audits import SPEC, Finished, edit, finish, write_audit

CHEAP = """
[[perturbation]]
name = "gaussian_noise"
strengths = [0.1, 0.2]

[[perturbation]]
name = "random_sign"
strengths = ["8/255"]

[run]
tile = 1
seed = 1
"""
"""Noise alone, and 60 tasks of less than a tenth of a second."""
CALL = "        hidden = self.relu2"


@pytest.fixture(scope="session")
def outcomes() -> Outcomes:
    """Return the notes of the tests, by fault."""
    return {}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A serial run of the cheap audit, whose network may misbehave."""
    folder = tmp_path_factory.mktemp("undisturbed")
    spec = write_audit(folder / "audit")
    spec.write_text(SPEC.partition("\n[[perturbation]]")[0] + CHEAP, encoding="utf-8")
    network = edit(folder / "audit" / "network.py", CALL, f"        misbehave(inputs)\n{CALL}")
    network.write_text(
        Path(misbehaviour.__file__).read_text(encoding="utf-8") + network.read_text(encoding="utf-8"), encoding="utf-8"
    )
    return finish(spec, folder / "run")


@pytest.fixture
def trial(undisturbed: Finished, outcomes: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultTrial:
    """Return a trial of the cheap audit, whose network misbehaves as the trial says."""
    trial = FaultTrial(undisturbed, tmp_path, outcomes)
    monkeypatch.setenv(misbehaviour.FILE, str(trial.misbehaviour))
    return trial


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A serial run of the small audit, which has attacks, and so every array."""
    folder = tmp_path_factory.mktemp("attacked")
    return finish(write_audit(folder / "audit"), folder / "run")


@pytest.fixture
def trial_with_attacks(attacked: Finished, outcomes: Outcomes, tmp_path: Path) -> FaultTrial:
    return FaultTrial(attacked, tmp_path, outcomes)
