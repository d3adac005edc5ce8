"""Every kind of cluster: what its workers are told, what is refused at the door."""

import signal
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import get_ident
from time import monotonic, sleep
from typing import Any

import pytest
from distributed import LocalCluster

from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.kubernetes import kubernetes_cluster, manifest
from pipeline.execution.on_dask.local import gpu_ids
from pipeline.execution.on_dask.settings import environment
from pipeline.execution.on_dask.slurm import _keep_signals, lifetime, open_slurm
from pipeline.spec.deployment import ClusterSpec, GpuSpec, KubernetesSpec, LocalSpec, SchedulerSpec, SlurmSpec
from srd.errors import ClusterError

DOCS = Path(__file__).parents[3] / "docs" / "cluster.md"
NOBODY = "tcp://127.0.0.1:9"
PATIENCE = 45  # seconds: less than `lost-worker-timeout`


@pytest.fixture
def threaded() -> Iterator[str]:
    """Address of a scheduler whose only worker has two threads."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def empty() -> Iterator[str]:
    """Address of a scheduler without workers."""
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


def refusal(spec: SchedulerSpec, told: list[str]) -> str:
    with pytest.raises(ClusterError) as refused, start_cluster(spec, told.append):
        pass
    assert refused.value.exit_code == 5
    return str(refused.value)


def test_a_worker_of_several_threads_is_refused(threaded: str) -> None:
    message = refusal(SchedulerSpec(address=threaded), [])
    assert "has 2 threads" in message
    assert "start it with `dask worker --nthreads 1`" in message


def test_the_wait_for_workers_is_told_and_ends(empty: str) -> None:
    told: list[str] = []
    message = refusal(SchedulerSpec(address=empty, worker_timeout=1.0), told)
    assert message.startswith("no worker came within 1 seconds; start some with `dask worker ADDRESS --nthreads 1`")
    assert told[0] == "connecting to the cluster"
    assert told[1].startswith("dashboard: http://127.0.0.1:")
    assert told[2] == "waiting for workers, at most 1 seconds"


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.on_dask.clusters.ANSWERS", 0.5)
    message = refusal(SchedulerSpec(address=NOBODY), [])
    assert message.startswith(f"{NOBODY}: no scheduler answers")
    assert message.endswith("start `dask scheduler` there, or name another address")


def taken_by_another_thread() -> None:
    """As Python does in the main thread at once when a thread that does not block the signal has taken it."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, None)


def sent_to_this_thread() -> None:
    """Which keeps it waiting if it blocks the signal."""
    signal.pthread_kill(get_ident(), signal.SIGINT)


@pytest.mark.parametrize("interrupt", [taken_by_another_thread, sent_to_this_thread])
def test_an_interrupt_while_processes_start_waits_and_closes_them(
    interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = []

    class Interrupted:
        """A cluster during whose start somebody presses Ctrl-C."""

        def __init__(self, **_: object) -> None:
            interrupt()
            began.append("whole")

        def close(self) -> None:
            began.append("closed")

    monkeypatch.setattr("pipeline.execution.on_dask.local.LocalCluster", Interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
    try:
        with pytest.raises(KeyboardInterrupt), start_cluster(LocalSpec(workers=1), str):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert began == ["whole", "closed"]


@pytest.mark.slow
@pytest.mark.parametrize("spec", [LocalSpec(workers=2), GpuSpec(gpus=2)], ids=["local", "gpu"])
def test_workers_that_are_gone_are_replaced(spec: ClusterSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with start_cluster(spec, str) as client:
        before = workers_but(client, {})
        for nanny in list(client.cluster.workers.values()):
            client.cluster.sync(nanny.close)
        assert len(workers_but(client, before)) == 2


def workers_but(client: Any, former: Collection[str]) -> set[str]:
    """Addresses of the two workers, as soon as they are others."""
    end = monotonic() + PATIENCE
    while len(now := set(client.nthreads())) < 2 or now.intersection(former):
        assert monotonic() < end, now
        sleep(0.1)
    return now


def environment_of(client: Any, *names: str) -> set[tuple[str | None, ...]]:
    def asked() -> tuple[str | None, ...]:
        import os

        return tuple(os.environ.get(name) for name in names)

    return set(client.run(asked).values())


@pytest.mark.slow
def test_each_gpu_has_a_process_of_one_thread_that_sees_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8a,5")
    with start_cluster(GpuSpec(gpus=2), str) as client:
        assert environment_of(client, "CUDA_VISIBLE_DEVICES") == {("2",), ("GPU-8a",)}
        assert set(client.nthreads().values()) == {1}


def test_gpus_are_counted_without_touching_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: one (UUID: a)'\necho 'GPU 1: two (UUID: b)'\n", encoding="utf-8")
    smi.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpu_ids(None) == ("0", "1")
    assert gpu_ids(1) == ("0",)
    with pytest.raises(ClusterError, match="2 GPUs are visible, 3 asked for; name another number of GPUs"):
        gpu_ids(3)


def test_of_a_machine_that_cannot_say_a_count_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_ids(2) == ("0", "1")
    with pytest.raises(ClusterError, match="0 GPUs are visible, at least one asked for"):
        gpu_ids(None)


def test_hidden_gpus_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ClusterError, match="0 GPUs are visible"):
        gpu_ids(1)


@pytest.mark.slow
def test_workers_here_and_elsewhere_are_told_the_same() -> None:
    def told() -> dict[str, object]:
        import os

        import dask

        return {
            "MALLOC_TRIM_THRESHOLD_": os.environ["MALLOC_TRIM_THRESHOLD_"],
            "MALLOC_MMAP_THRESHOLD_": os.environ["MALLOC_MMAP_THRESHOLD_"],
            **{key: str(dask.config.get(f"distributed.worker.memory.{key}")) for key in ("target", "spill")},
        }

    with start_cluster(LocalSpec(workers=1), str) as client:
        (here,) = client.run(told).values()
    there = environment()
    assert here == {
        "MALLOC_TRIM_THRESHOLD_": there["MALLOC_TRIM_THRESHOLD_"],
        "MALLOC_MMAP_THRESHOLD_": there["MALLOC_MMAP_THRESHOLD_"],
        "target": there["DASK_DISTRIBUTED__WORKER__MEMORY__TARGET"],
        "spill": there["DASK_DISTRIBUTED__WORKER__MEMORY__SPILL"],
    }


def test_the_manual_says_what_foreign_workers_are_to_be_told() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name, value in environment().items():
        assert f"{name}={value}" in text or f'{name}="{value}"' in text


def test_a_slurm_job_is_one_worker_of_one_thread() -> None:
    spec = SlurmSpec(
        workers=3,
        memory="16GiB",
        walltime="10:00:00",
        queue="long",
        account="lab",
        gpu=True,
        python="/shared/python",
        prologue=("module load cuda", "cd /shared/audits"),
        directives=("--exclude=n1",),
    )
    with open_slurm(spec) as cluster:
        header, _, body = cluster.job_script().partition("export")
        worker = body.splitlines()[-1]
        address = cluster.scheduler_address
    for directive in ("-p long", "-A lab", "-t 10:00:00", "--mem=16G", "-n 1", "--cpus-per-task=1", "--gres=gpu:1"):
        assert f"#SBATCH {directive}\n" in header
    assert "#SBATCH --exclude=n1\n" in header
    assert body.index("MALLOC_TRIM") < body.index("module load cuda") < body.index("cd /shared/audits")
    assert worker.startswith(f"/shared/python -m distributed.cli.dask_worker {address} ")
    for option in ("--nthreads 1", "--nanny", "--lifetime 32400s", "--memory-limit 16.00GiB"):
        assert option in worker


@pytest.mark.parametrize(
    ("walltime", "expected"), [(36_000, 32_400), (3600, 3240), (1200, 1080), (600, 480), (200, 100), (60, 30)]
)
def test_a_worker_leaves_before_its_job_ends(walltime: int, expected: int) -> None:
    assert lifetime(walltime) == expected


def test_a_slurm_job_exports_what_workers_are_told() -> None:
    with open_slurm(SlurmSpec(workers=1, memory="1GiB")) as cluster:
        script = cluster.job_script()
    for name, value in environment().items():
        assert f"export {name}={value}\n" in script or f"export {name}='{value}'\n" in script


def test_a_kubernetes_manifest_has_a_pod_of_one_thread_for_each_worker() -> None:
    spec = KubernetesSpec(
        workers=5, image="lab/audit:1", memory="12Gi", gpu=True, env={"AWS_REGION": "eu"}, env_from=("aws",), name="a1"
    )
    made = manifest(spec)
    assert (made["kind"], made["metadata"]) == ("DaskCluster", {"name": "a1"})
    (worker,) = made["spec"]["worker"]["spec"]["containers"]
    (scheduler,) = made["spec"]["scheduler"]["spec"]["containers"]
    assert made["spec"]["worker"]["replicas"] == 5
    assert worker["args"][:4] == ["dask", "worker", "--nthreads", "1"]
    assert scheduler["args"][:2] == ["dask", "scheduler"]
    assert worker["resources"]["limits"] == {"memory": "12Gi", "cpu": "1", "nvidia.com/gpu": "1"}
    assert scheduler["resources"]["limits"] == {"memory": "12Gi", "cpu": "1"}
    for container in (worker, scheduler):
        assert container["image"] == "lab/audit:1"
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        assert told == environment() | {"AWS_REGION": "eu"}
        assert container["envFrom"] == [{"secretRef": {"name": "aws"}}]


def test_a_kubernetes_manifest_has_volumes_secrets_and_an_account() -> None:
    spec = KubernetesSpec(
        workers=1,
        image="a",
        volumes={"inputs": "/inputs", "runs": "/runs"},
        secrets={"tls": "/secrets"},
        service_account="audits",
        pull_secrets=("registry",),
    )
    made = manifest(spec)["spec"]
    worker, scheduler = made["worker"]["spec"], made["scheduler"]["spec"]
    mounts = {each["mountPath"]: each for each in worker["containers"][0]["volumeMounts"]}
    sources = {each["name"]: each for each in worker["volumes"]}
    assert {path: sources[mount["name"]] for path, mount in mounts.items()} == {
        "/inputs": {"name": "claim-inputs", "persistentVolumeClaim": {"claimName": "inputs"}},
        "/runs": {"name": "claim-runs", "persistentVolumeClaim": {"claimName": "runs"}},
        "/secrets": {"name": "secret-tls", "secret": {"secretName": "tls"}},
    }
    assert mounts["/secrets"]["readOnly"]
    for pod in (worker, scheduler):
        assert pod["serviceAccountName"] == "audits"
        assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_a_worker_of_kubernetes_has_the_memory_of_its_pod() -> None:
    (worker,) = manifest(KubernetesSpec(workers=1, image="a", memory="12Gi"))["spec"]["worker"]["spec"]["containers"]
    assert worker["args"][worker["args"].index("--memory-limit") + 1] == "12Gi"


@pytest.mark.parametrize("path", ["inputs", "./inputs", "/a:b", ""])
def test_a_volume_is_seen_at_an_absolute_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"volumes\.inputs"):
        KubernetesSpec(workers=1, image="a", volumes={"inputs": path})


def test_a_kubernetes_that_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: x, "
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: u, user: {token: t}}], "
        "contexts: [{name: x, context: {cluster: c, user: u}}]}",
        encoding="utf-8",
    )
    monkeypatch.setenv("KUBECONFIG", str(config))
    with pytest.raises(ClusterError, match=r"no Kubernetes answers .*check it with `kubectl version`"):
        kubernetes_cluster(KubernetesSpec(workers=1, image="lab/audit:1"))


@pytest.mark.parametrize(
    ("module", "make", "message"),
    [
        ("dask_jobqueue.slurm", lambda: open_slurm(SlurmSpec(workers=1, memory="1GiB")), "extra 'slurm'"),
        ("dask_kubernetes.operator", lambda: manifest(KubernetesSpec(workers=1, image="a")), "extra 'kubernetes'"),
    ],
)
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, module: str, make: Any, message: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ClusterError, match=f"install the {message}"):
        make()


def test_opening_a_scheduler_for_slurm_keeps_the_answer_to_ctrl_c() -> None:
    """dask-jobqueue replaces it when it is imported."""
    before = signal.getsignal(signal.SIGINT)
    with _keep_signals():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGINT) is before
