"""The copy of all arrays' metadata at the root of a store, with which zarr and xarray open it by one request.

This program reads the metadata of each array, which say the same.
"""

import warnings
from typing import Any

import zarr
from zarr.storage import MemoryStore

DRAFT = ".*Consolidated metadata is currently not part.*"
"""What zarr says of every such copy: readers without it read the metadata of each array."""


def consolidate(objects: dict[str, Any]) -> None:
    """Add the copy to the root among the objects of a whole store."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", DRAFT)
        zarr.consolidate_metadata(MemoryStore(objects), zarr_format=3)
