"""Laws of the device: it is the machine's, its settings are put back, and every stage ends on the CPU."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from played_device import played_device
from small_audits import SPEC, Finished, Watch, edit, finish, job_of, run, tree, write_audit
from torch.backends import cudnn

from pipeline.execution.executors import serial_executor
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.experiments import apop, concepts, manipulated_models
from pipeline.machine import devices, environment
from pipeline.plan.selection import Selection
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.spec.manipulation import load_manipulated_model_spec
from srd.errors import InputError

CARD = "a card that is played"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a card, in as far as torch is asked about it."""
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: CARD)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(cudnn, "version", lambda: 1)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: None)  # Adam asks
    with played_device():
        yield


@pytest.mark.usefixtures("there")
def test_networks_run_on_a_card_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.device().type == "cuda"
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    assert devices.device().type == "cpu"


@pytest.mark.parametrize("asked", ["gpu", "cuda:1", "cuda"])
def test_an_impossible_device_is_refused(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(devices.VARIABLE, asked)
    with pytest.raises(InputError, match=f"{devices.VARIABLE} = '{asked}'"):
        devices.device()


@pytest.mark.usefixtures("there")
def test_another_card_is_another_class_of_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = environment.hardware()
    assert CARD in ours
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "another card")
    theirs = environment.hardware()
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    assert len({ours, theirs, environment.hardware()}) == 3


@pytest.fixture
def fast() -> Iterator[None]:
    """Settings of somebody who does not care for the last bits."""
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, True
    with cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=True):
        yield
    matmul.allow_tf32 = before


def settings() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        *(getattr(owner, flag) for owner, flag, _ in devices.FLAGS),
        os.environ.get(devices.WORKSPACE),
    )


@pytest.mark.usefixtures("there", "fast")
@pytest.mark.parametrize("workspace", [None, ":0:0"])
def test_work_on_a_card_is_deterministic_and_its_settings_are_put_back(
    workspace: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(devices.WORKSPACE, raising=False)
    if workspace is not None:
        monkeypatch.setenv(devices.WORKSPACE, workspace)
    before = settings()
    with environment.reproducible():
        assert settings() == (1, True, False, False, True, False, False, devices.FIXED_WORKSPACE)
    assert settings() == before
    with pytest.raises(ZeroDivisionError), environment.reproducible():
        raise ZeroDivisionError
    assert settings() == before


@pytest.mark.usefixtures("fast")
def test_work_on_the_cpu_changes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    before = settings()
    with environment.reproducible():
        assert settings() == before


EVERYTHING = f"""{SPEC}
[[perturbation]]
name = "zoom"
strengths = [0.1]

[[perturbation]]
name = "universal"
strengths = ["8/255"]
against = ["saliency"]
options.steps = 2
"""


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Every stage, an attack of every kind."""
    spec = write_audit(tmp_path / "audit")
    spec.write_text(EVERYTHING, encoding="utf-8")
    return edit(spec, '"random"]', '"random", "expected_gradients", "deep_lift"]')


@pytest.mark.slow
def test_every_stage_moves_its_tensors_there_and_back(
    audit: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Played: no run on a GPU, of which it has neither the kernels nor the rounding."""
    ours = finish(audit, tmp_path / "ours")
    request.getfixturevalue("there")
    theirs = finish(audit, tmp_path / "theirs")
    assert theirs.context.model.device.type == "cuda"
    assert CARD in theirs.attributes.fingerprinted.hardware
    assert ledger(theirs) == ledger(ours)


def ledger(finished: Finished) -> dict[str, str]:
    return {key: digest for key, digest in tree(finished.job.store).items() if key.startswith("_ledger")}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_card_writes_equal_bytes_serially_and_on_a_worker_and_the_cpus_maps_but_for_rounding(
    audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    serial = finish(audit, tmp_path / "serial")
    with dask_executor(LocalSpec(workers=1)) as executor:
        on_worker = finish(audit, tmp_path / "worker", executor)
    assert tree(on_worker.job.store) == tree(serial.job.store)
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    theirs, ours = clean_maps(serial), clean_maps(finish(audit, tmp_path / "cpu"))
    assert np.linalg.norm(theirs - ours) <= 2 * HALF_PRECISION * np.linalg.norm(ours)


HALF_PRECISION = 2.0**-11
"""Of a map as it is stored; float32 rounds 4000 times finer."""


def clean_maps(finished: Finished) -> NDArray[np.float64]:
    store = finished.context.store
    maps, scale = store.read("attribution", slice(None), 0), store.read("scale", slice(None), 0)
    return np.asarray(maps.astype(np.float64) * scale[..., None, None])


def patterns(home: Path) -> Any:
    """Of `srd-audit apop`."""
    spec = write_audit(home)
    return [list(each.replaced.items()) for each in apop.load_apop_experiment(load_spec(spec), home).predictions()]


def vectors(home: Path) -> Any:
    """Of `srd-audit concepts`."""
    job = job_of(write_audit(home), home)
    run(job, serial_executor, Watch(), Selection("perturb"))
    concepts.refuse_unfit(job, "relu1", 2, 5)
    layer = concepts.open_exploration(job, "relu1", 0)
    drawn = [layer.draw(row, 5) for row in range(layer.n_images)]
    followed = layer.follow(drawn[0], layer.clusters(drawn, 2))
    field = layer.field(0, drawn[0].positions[0].tolist())
    return [drawn[0].vectors.numpy(), followed.labels, followed.relevance, field]


def manipulated(home: Path) -> Any:
    """Of `srd-audit manipulate-model`."""
    before, _, after = SPEC.partition("[[perturbation]]")
    spec = write_audit(home)
    spec.write_text(f"{before}{MANIPULATION}{after[after.index('[run]') :]}", encoding="utf-8")
    subject = manipulated_models.load_manipulation_experiment(load_manipulated_model_spec(spec), home)
    networks = subject.networks()
    assert len(manipulated_models.weights_of(networks["manipulated"])) > 0
    return [[each.predicted, each.similarity, each.reached] for each in subject.measure(networks)]


MANIPULATION = """
[manipulation]
against = "srd"
goal = "location_corner"
steps = 3
images = 3

"""


@pytest.mark.slow
@pytest.mark.parametrize("made", [patterns, vectors, manipulated])
def test_every_other_command_moves_its_tensors_there_and_back(
    made: Callable[[Path], Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Played: no run on a GPU."""
    ours = made(tmp_path / "ours")
    request.getfixturevalue("there")
    theirs = made(tmp_path / "theirs")
    np.testing.assert_equal(theirs, ours)
