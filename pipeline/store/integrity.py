"""The check that a store holds what its tasks wrote, before its readers are misled."""

from pipeline.store.location import Location
from pipeline.store.store import Store, refusal_of


def check_tasks(location: Location) -> None:
    """Check that all that was prepared and all that tasks wrote is as it was written.

    Raises
    ------
    DamagedStore
        If something is damaged.
    """
    store = Store(location, read_only=True)
    for damage in store.find_damage(store.finished_tasks()):
        raise refusal_of(location, damage)
