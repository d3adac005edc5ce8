"""The check that a store holds what its tasks and its preparation wrote, before its readers are misled."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline.plan.stages import VARIABLES
from pipeline.store.location import Location
from pipeline.store.store import DAMAGE, Store
from srd.errors import StoreError


def check_preparation(location: Location) -> None:
    """Check that the arrays that no task writes are as they were prepared.

    Raises
    ------
    StoreError
        If one of them is damaged.
    """
    damaged = Store(location).damaged_prepared_arrays()
    if damaged:
        raise StoreError(f"{location}: {min(damaged)} is not what was prepared; run the same spec, which mends it")


def check_tasks(location: Location, names: Iterable[str] = VARIABLES) -> None:
    """Check that what tasks wrote of these variables is as their receipts say.

    Raises
    ------
    StoreError
        If something is damaged.
    """
    store = Store(location)
    done = store.receipts.task_keys()
    finished = (task for task in store.attributes.plan.all_tasks() if task.key in done)
    for damage in store.find_damage(finished, frozenset(names)):
        way_out = "`srd-audit verify --repair` finds all damage and has it mended by the next run"
        raise StoreError(f"{location}: {damage}; {way_out}")


def check_results(location: Location) -> None:
    """Check that everything that summaries are made from is as it was prepared and written.

    Raises
    ------
    StoreError
        If something is damaged.
    """
    check_preparation(location)
    check_tasks(location, [name for name, variable in VARIABLES.items() if not variable.is_large])


@contextmanager
def blame_damage(location: Location) -> Iterator[None]:
    """Name the damage that an error of a reader within the context comes from.

    Raises
    ------
    StoreError
        If what tasks wrote is damaged.
    """
    try:
        yield
    except DAMAGE:
        check_tasks(location)
        raise
