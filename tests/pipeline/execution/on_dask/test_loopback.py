"""Clusters of this machine listen on its loopback interface alone: whoever reaches a port can run code there."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import psutil
import pytest

from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.slurm import slurm_cluster
from pipeline.spec.deployment import ClusterSpec, GpuSpec, LocalSpec, SlurmSpec


def listening() -> set[tuple[str, int]]:
    """Addresses and ports on which this process and its children listen."""
    this = psutil.Process()
    connections = [each for one in (this, *this.children(recursive=True)) for each in one.net_connections("inet")]
    return {(each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("spec", [LocalSpec(workers=1), GpuSpec(gpus=1)], ids=["local", "gpu"])
def test_a_cluster_of_this_machine_listens_on_loopback(spec: ClusterSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    before = listening()
    with start_cluster(spec, str):
        found = listening() - before
    assert len(found) >= 5  # scheduler, nanny, worker, and what they tell over HTTP
    assert all(ip_address(address).is_loopback for address, _ in found), found


def test_of_a_scheduler_for_slurm_only_the_port_of_the_workers_is_reached_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for what_asks_slurm in ("refuse_without_slurm", "keep_workers"):
        monkeypatch.setattr(f"pipeline.execution.on_dask.slurm.{what_asks_slurm}", lambda *_: None)
    before = listening()
    with slurm_cluster(SlurmSpec(workers=1, memory="1GiB")) as cluster:
        port = int(cluster.scheduler_address.rpartition(":")[2])
        dashboard = urlsplit(cluster.dashboard_link)
        found = listening() - before
    assert {each for address, each in found if not ip_address(address).is_loopback} <= {port}
    assert (dashboard.hostname, dashboard.port) in found
