"""The disk that a store lies on, and the refusal of a store that does not fit on it."""

import shutil
from pathlib import Path

import numpy as np

from pipeline.machine.memory import in_units
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.store.location import Location
from pipeline.store.records import records_folder
from srd.errors import CapacityError

LEAST_SHARE = 0.25
"""A compressed store takes at least this share of the bytes of its values. A float32 that holds an 8-bit value needs
a quarter. Stores of two real networks took 0.71 and 0.81; the images alone took 0.46 in the first."""


def refuse_store(needed: int, location: Location) -> None:
    """Refuse a store of `needed` bytes that does not fit on the disk, beside what is there of it.

    An object store is taken to hold everything.

    Raises
    ------
    CapacityError
        If the store does not fit.
    """
    if location.path is None:
        return
    missing, free = needed - _size(location.path), _free(location.path)
    if missing > free:
        raise CapacityError(
            f"{location}: the store needs {in_units(missing)} more, the disk has {in_units(free)} free; audit fewer "
            "images (data.n), with fewer methods or perturbations, or name another disk by --out or the table [store]"
        )


def refuse_hopeless_store(plan: Plan, location: Location) -> None:
    """Refuse a store that cannot fit, by the least bytes that a store of the plan may take.

    This needs no measurement.

    Raises
    ------
    CapacityError
        As `refuse_store` does.
    """
    least = round(LEAST_SHARE * raw_bytes(plan))
    if location.path and least > _free(location.path):  # what is there is looked through only if it matters
        refuse_store(least, location)


def raw_bytes(plan: Plan) -> int:
    """Return the bytes of all values of a finished store, not compressed."""
    held = [variable for variable in VARIABLES.values() if plan.holds(variable)]
    return sum(np.dtype(v.dtype).itemsize * plan.n_values(v) for v in held)


def _free(path: Path) -> int:
    """Return the free bytes on the disk of the path, or of the closest folder above it that exists."""
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free


def _size(path: Path) -> int:
    places = (path, records_folder(path))
    return sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file())
