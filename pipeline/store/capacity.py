"""The disk that a store lies on, and the refusal of a store that does not fit."""

import shutil
from math import prod
from pathlib import Path

import numpy as np

from pipeline.machine.memory import in_units
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.store.location import Location
from srd.errors import CapacityError

LEAST_SHARE = 0.25
"""Of its values' bytes that a store is sure to take once compressed: a float32 that holds an 8-bit value needs a
quarter; stores of two real networks took 0.71 and 0.81, the images alone 0.46 of the first."""


def refuse_store(needed: int, location: Location) -> None:
    """Raises CapacityError unless a store of `needed` bytes fits on the disk there, beside what is there of it.

    An object store is taken to hold everything.
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
    """As `refuse_store`, by the least that a store of the plan may take, which needs no measuring."""
    least = round(LEAST_SHARE * raw_bytes(plan))
    if location.path and least > _free(location.path):  # what is there is looked through only if it matters
        refuse_store(least, location)


def raw_bytes(plan: Plan) -> int:
    """Of all values of a finished store, not compressed."""
    held = [variable for variable in VARIABLES.values() if plan.holds(variable)]
    return sum(np.dtype(v.dtype).itemsize * prod(plan.sizes[dim] for dim in v.dims) for v in held)


def _free(path: Path) -> int:
    """Bytes on the disk of the path, or of the closest folder above it that exists."""
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
