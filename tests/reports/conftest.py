"""A small finished run, made once."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from pipeline.executors import Outcome, serially
from pipeline.preparation import Job
from pipeline.run import run, store_path
from pipeline.spec import parse_spec
from pipeline.store import open_results
from reports.report import write_report

ROOT = Path(__file__).parents[2]
N_IMAGES = 6  # the fewest that leave an interval where one prediction changes; not a whole number of tiles


class Silent:
    """Hears how the run goes on and says nothing."""

    def prepared(self, attributes: dict[str, Any]) -> None: ...

    def stage(self, name: str, done: int, total: int) -> None: ...

    def task(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of the smoke spec, with its report."""
    table = tomllib.loads((ROOT / "specs" / "smoke.toml").read_text())
    table["data"]["n"] = N_IMAGES
    home: Path = tmp_path_factory.mktemp("run")
    run(Job(parse_spec(table, "smoke"), ROOT, store_path(home)), serially, Silent())
    write_report(home)
    return home


@pytest.fixture(scope="session")
def dataset(folder: Path) -> xr.Dataset:
    """The run's store, in memory."""
    return open_results(store_path(folder)).load()
