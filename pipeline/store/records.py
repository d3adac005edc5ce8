"""The records of a store lie beside its Zarr hierarchy: receipts, failures, and the digests of what was prepared.

Whoever opens the hierarchy with zarr or xarray finds arrays and nothing that is none. `runs/a/audit.zarr` has its
records in `runs/a/audit.records`; the key `_ledger/score-00000-00` is the object `ledger/score-00000-00` there.
"""

from pathlib import Path

from srd.errors import DamagedStore

HIERARCHY, RECORDS = ".zarr", ".records"
MARK = "_"
WAY_OUT = "remove it, and run the same spec again"


def is_record(key: str) -> bool:
    """Return whether the object of a key is a record."""
    return key.startswith(MARK)


def key_in_records(key: str) -> str:
    """Return the key of a record in the place of the records."""
    return key.removeprefix(MARK)


def key_in_store(key: str) -> str:
    """Return the key in the store of an object in the place of the records."""
    return f"{MARK}{key}"


def records_url(url: str) -> str:
    """Return the place of the records of a store at a URL or path."""
    return f"{url.rstrip('/').removesuffix(HIERARCHY)}{RECORDS}"


def records_folder(folder: Path) -> Path:
    """Return the folder of the records of a store in a folder."""
    return Path(records_url(str(folder)))


def refuse_other_folder(folder: Path) -> None:
    """Refuse what lies in the place of a folder of a store and is none; it may be missing.

    Raises
    ------
    DamagedStore
        If it is a link or no folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DamagedStore(f"{folder}: is a link or a file, not a folder of the store; {WAY_OUT}")
