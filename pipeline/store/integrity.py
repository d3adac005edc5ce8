"""The check that a store holds what its tasks wrote, before its readers are misled."""

from pipeline.store.location import Location
from pipeline.store.store import Store
from srd.errors import DamagedStore


def check_tasks(location: Location) -> None:
    """Check that all that was prepared and all that tasks wrote is as it was written.

    Raises
    ------
    DamagedStore
        If something is damaged.
    """
    store = Store(location, read_only=True)
    done = store.receipts.task_keys()
    finished = (task for task in store.attributes.plan.all_tasks() if task.key in done)
    for damage in store.find_damage(finished):
        way_out = "`srd-audit verify --repair` finds all damage and has it mended by the next run"
        raise DamagedStore(f"{location}: {damage}; {way_out}")
