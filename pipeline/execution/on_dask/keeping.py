"""A cluster that keeps as many workers as it was asked for."""

from typing import Any

from distributed import Adaptive, Status

GONE = (Status.closed, Status.failed)


class FixedSize(Adaptive):
    """Has the cluster start others for workers that it has given up, and for those that died before it knew them.

    It gives up one that dies and is not back within `lost-worker-timeout`; `scale` would start none in its place.
    """

    async def recommendations(self, target: int) -> dict[str, Any]:
        cluster: Any = self.cluster
        for name in [name for name, worker in cluster.workers.items() if worker.status in GONE]:
            del cluster.workers[name]
        return await super().recommendations(target)


def keep_workers(cluster: Any, workers: int) -> None:
    """Have a cluster keep so many workers."""
    cluster.adapt(Adaptive=FixedSize, minimum=workers, maximum=workers)
