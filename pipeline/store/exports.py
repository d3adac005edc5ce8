"""The export of a store to formats of other tools: a NetCDF4 file, or an icechunk repository of one commit."""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import xarray as xr

from pipeline.plan.schema import TILE
from pipeline.store.attributes import read_attributes
from pipeline.store.integrity import check_tasks
from pipeline.store.location import Location
from pipeline.store.results import open_results
from pipeline.store.store import attributes
from srd.errors import InputError

WriteFormat = Callable[[xr.Dataset, str], None]


def export(location: Location, destination: str, form: str | None = None) -> None:
    """Write the results of a store to a file, folder or URL in a format.

    The values are those of `open_results`. By default the suffix of the destination chooses the format.

    Raises
    ------
    InputError
        If the destination exists, if neither format nor suffix is known, or if the library of the format is not
        installed.
    StoreError
        If anything stored is damaged.
    """
    form = form or SUFFIXES.get(Path(destination).suffix, "of this suffix")
    if form not in WRITERS:
        raise InputError(f"{destination}: no format {form}; choose from {', '.join(WRITERS)}")
    check_tasks(location)
    dataset = open_results(location)
    tiles = dataset.chunk({TILE: attributes(location).plan.tile})  # so that no variable is held whole
    WRITERS[form](tiles.drop_encoding(), destination)


def _to_netcdf(dataset: xr.Dataset, destination: str) -> None:
    """Write a NetCDF file.

    NetCDF has no half precision, which single precision replaces, and no nested attributes, which become JSON.
    """
    _library("h5netcdf", "netcdf")
    path = _free(destination)
    halves = [name for name, values in dataset.data_vars.items() if values.dtype == np.float16]
    single = dataset.assign({name: dataset[name].astype(np.float32) for name in halves})
    described = single.assign_attrs({name: _attribute(value) for name, value in dataset.attrs.items()})
    with TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        described.to_netcdf(draft, engine="h5netcdf", format="NETCDF4")
        draft.replace(path)


def _to_icechunk(dataset: xr.Dataset, destination: str) -> None:
    icechunk = _library("icechunk", "icechunk")
    icechunk.set_logs_filter("error")  # it warns of concurrent commits, of which there are none
    repository = icechunk.Repository.create(_storage(icechunk, destination))
    session = repository.writable_session("main")
    _with_variable_texts(dataset).to_zarr(session.store, consolidated=False)
    session.commit(f"audit {read_attributes(dataset.attrs, destination).fingerprint}")


WRITERS: Mapping[str, WriteFormat] = MappingProxyType({"netcdf": _to_netcdf, "icechunk": _to_icechunk})
SUFFIXES: Mapping[str, str] = MappingProxyType({".nc": "netcdf", ".icechunk": "icechunk"})


def _storage(icechunk: ModuleType, destination: str) -> Any:
    """Return the storage of a new repository.

    The storage of a bucket reads region and credentials from the environment.
    """
    parts = urlsplit(destination)
    if not parts.scheme:
        return icechunk.local_filesystem_storage(str(_free(destination)))
    if parts.scheme != "s3":
        raise InputError(f"{destination}: icechunk is written to folders and s3:// alone")
    storage = icechunk.s3_storage(bucket=parts.netloc, prefix=parts.path.strip("/"), from_env=True)
    if icechunk.Repository.exists(storage):
        raise InputError(f"{destination}: is there already; name another place")
    return storage


def _free(destination: str) -> Path:
    path = Path(destination)
    if path.exists():
        raise InputError(f"{path}: is there already; name another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _library(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; install this project with the extra [{extra}]") from error


def _attribute(value: Any) -> Any:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)


def _with_variable_texts(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with texts of any length.

    For these Zarr has a standard type; for texts of fixed length it has none.
    """
    texts = [name for name, values in dataset.variables.items() if values.dtype.kind == "U"]
    return dataset.assign_coords({name: dataset[name].load().astype(object) for name in texts})
