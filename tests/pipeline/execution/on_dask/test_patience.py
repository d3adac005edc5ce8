"""Laws of the wait for workers: it is told within half a minute, with its end and what to do, and it ends."""

import re
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster, Status

from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.on_dask.local import gpu_cluster, local_cluster
from pipeline.execution.on_dask.patience import PERIOD, TOLD_AFTER, Patience
from pipeline.execution.on_dask.settings import WORKER
from pipeline.machine.memory import total_memory
from pipeline.spec.deployment import ClusterSpec, GpuSpec, KubernetesSpec, LocalSpec, SchedulerSpec, SlurmSpec
from srd.errors import ClusterError, IncompleteRun

SPECS: tuple[ClusterSpec, ...] = (
    LocalSpec(workers=2),
    GpuSpec(gpus=1),
    SchedulerSpec(address="tcp://host:8786"),
    SlurmSpec(workers=2, memory="1GiB", logs="logs/slurm"),
    KubernetesSpec(workers=2, image="a", namespace="audits"),
)


class Clock:
    """A clock that tests move."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def waited(spec: ClusterSpec, idle: int, seconds: int) -> list[tuple[float, str]]:
    clock, told = Clock(), list[tuple[float, str]]()
    patience = Patience(spec, lambda text: told.append((clock(), text)), clock)
    for clock.seconds in range(seconds):
        patience.wait(idle)
    return told


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_wait_is_told_within_half_a_minute_and_again(spec: ClusterSpec) -> None:
    told = waited(spec, 0, 200)
    assert [moment for moment, _ in told] == [TOLD_AFTER + n * PERIOD for n in range(7)]
    assert TOLD_AFTER < 30
    for moment, text in told:
        assert f"waiting at most {spec.worker_timeout - moment:.0f} seconds more" in text
        assert text.endswith(spec.advice)


@pytest.mark.parametrize("idle", [1, 5])
def test_workers_that_do_not_work_are_named(idle: int) -> None:
    assert waited(SPECS[0], idle, 11)[0][1].startswith(f"none of {idle} workers works, as they are paused or closing,")


def test_advice_names_what_an_operator_asks() -> None:
    advice = {spec.model_dump()["kind"]: spec.advice for spec in SPECS}
    assert "`ulimit -a`" in advice["local"]
    assert "`dask worker ADDRESS --nthreads 1`" in advice["scheduler"]
    assert "`squeue --me`" in advice["slurm"]
    assert "logs/slurm/srd-audit-*.out" in advice["slurm"]
    assert "`kubectl get pods --namespace audits`" in advice["kubernetes"]


def test_a_worker_that_works_ends_the_wait() -> None:
    clock, told = Clock(), list[str]()
    patience = Patience(LocalSpec(workers=1, worker_timeout=60), told.append, clock)
    for clock.seconds in range(0, 500, 5):
        patience.restart()
        assert not patience.is_over()
    clock.seconds += 61
    assert patience.is_over()


@pytest.fixture
def paused() -> Any:
    """A cluster whose only worker is paused, as if by its memory, whenever it may be."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


def pause(cluster: Any) -> None:
    async def there() -> None:
        cluster.workers[0].status = Status.paused

    cluster.sync(there)


def test_a_worker_that_was_paused_by_its_memory_works_again(paused: Any) -> None:
    pause(paused)
    with start_cluster(SchedulerSpec(address=paused.scheduler_address, worker_timeout=20), str) as client:
        assert client.submit(divmod, 7, 2).result(timeout=20) == (3, 1)
        assert paused.workers[0].memory_manager.memory_pause_fraction is False


def test_a_worker_that_does_not_work_is_told_and_ends_the_wait(paused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.on_dask.patience.TOLD_AFTER", 0.5)
    told: list[str] = []
    spec = SchedulerSpec(address=paused.scheduler_address, worker_timeout=3.0)
    with dask_executor(spec, told.append) as executor:
        assert executor.call(divmod, 7, 2) == (3, 1)
        pause(paused)
        with pytest.raises(
            IncompleteRun, match="no worker for 3 seconds, and 1 that are paused or closing; start some"
        ):
            executor.call(divmod, 7, 2)
    assert [line for line in told if re.match("none of 1 workers works, .* waiting at most [0-3] seconds more; ", line)]


def test_a_worker_that_never_works_is_no_start(paused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.on_dask.fitness.findings", lambda client: [])
    spec = SchedulerSpec(address=paused.scheduler_address, worker_timeout=1.0)
    with pytest.raises(ClusterError, match="none of 1 workers works"), start_cluster(spec, str):
        pass


def test_no_worker_spills_or_pauses_wherever_it_starts() -> None:
    assert {name.rpartition(".")[2]: value for name, value in WORKER.items()} == dict.fromkeys(
        ("target", "spill", "pause"), False
    )


@pytest.mark.parametrize("spec", [LocalSpec(workers=4), GpuSpec(gpus=4)], ids=["local", "gpu"])
def test_workers_of_this_machine_share_its_memory(spec: ClusterSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's default is a worker's share of the cores: on 64 of them a process of a GPU is ended at a 64th."""
    made: dict[str, Any] = {}

    class Made:
        def __init__(self, **options: Any) -> None:
            made.update(options)
            raise KeyboardInterrupt

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    for name in ("LocalCluster", "SpecCluster"):
        monkeypatch.setattr(f"pipeline.execution.on_dask.local.{name}", Made)
    start: Any = local_cluster if isinstance(spec, LocalSpec) else gpu_cluster
    with pytest.raises(KeyboardInterrupt), start(spec):
        pass
    workers = made.get("workers", {"": {"options": made}})
    assert {worker["options"]["memory_limit"] for worker in workers.values()} == {total_memory() // 4}


def test_the_manual_gives_every_worker_a_memory_limit() -> None:
    text = (Path(__file__).parents[4] / "docs" / "cluster.md").read_text(encoding="utf-8")
    commands = text.replace("\\\n", " ").split("\n")
    started = [line for line in commands if line.startswith("    ") and "dask worker " in line]
    assert len(started) == 3
    assert all("--memory-limit" in line for line in started), started
