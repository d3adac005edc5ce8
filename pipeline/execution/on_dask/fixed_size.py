"""A cluster that always has as many workers as it was asked for."""

from typing import Any

from distributed import Adaptive, Status

GONE = (Status.closed, Status.failed)


class FixedSize(Adaptive):
    """An adaptive cluster of fixed size: it replaces workers that it has given up or never came to know.

    A worker that dies and is not back within `lost-worker-timeout` is given up. `scale` would not replace it.
    """

    async def recommendations(self, target: int) -> dict[str, Any]:
        cluster: Any = self.cluster
        for name in [name for name, worker in cluster.workers.items() if worker.status in GONE]:
            del cluster.workers[name]
        return await super().recommendations(target)


def keep_workers(cluster: Any, workers: int) -> None:
    """Make a cluster keep this number of workers."""
    cluster.adapt(Adaptive=FixedSize, minimum=workers, maximum=workers)
