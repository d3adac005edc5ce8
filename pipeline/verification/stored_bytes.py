"""The check of a store's bytes against its receipts. It imports neither torch nor anything that the store names."""

from dataclasses import dataclass

from pipeline.plan.tasks import Task
from pipeline.store.location import Location
from pipeline.store.store import Store


@dataclass(frozen=True)
class StoredBytes:
    """The tasks of a store, and which of them hold what their receipts say."""

    fingerprint: str
    planned: int
    done: tuple[Task, ...]
    damaged: tuple[tuple[str, str], ...]
    """The keys of the tasks whose output is not what their receipt says, with what is wrong."""


def check_bytes(location: Location) -> StoredBytes:
    """Check every digest of a store, and write nothing.

    Raises
    ------
    StoreError
        If there is no store, or if anything that was written before the tasks is damaged.
    """
    store = Store(location, read_only=True)
    done = tuple(store.finished_tasks())
    damaged = tuple((error.key, str(error)) for error in store.find_damage(done))
    planned = sum(1 for _ in store.attributes.plan.all_tasks())
    return StoredBytes(store.attributes.fingerprint, planned, done, damaged)
