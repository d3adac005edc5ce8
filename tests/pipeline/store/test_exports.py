"""Laws of exports: the values, names and facts of the store, in a format that other tools read."""

import json
import sys
from pathlib import Path

import pytest
import xarray as xr
from command_line import Command
from small_audits import Finished, copy_store

from pipeline.store.exports import export
from pipeline.store.results import open_results
from srd.errors import InputError


def same_values(exported: xr.Dataset, finished: Finished) -> None:
    results = open_results(finished.job.store)
    assert set(exported.variables) == set(results.variables)
    for name, values in results.variables.items():
        assert exported[name].dims == values.dims
    xr.testing.assert_equal(exported, results)


def test_netcdf_holds_the_results_and_their_facts(finished: Finished, tmp_path: Path) -> None:
    export(finished.job.store, str(tmp_path / "new" / "results.nc"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["results.nc"]
    with xr.open_dataset(tmp_path / "new" / "results.nc", engine="h5netcdf") as exported:
        same_values(exported.load(), finished)
        facts = open_results(finished.job.store).attrs
        assert exported.attrs.keys() == facts.keys()
        assert exported.attrs["fingerprint"] == facts["fingerprint"]
        assert json.loads(exported.attrs["plan"]) == facts["plan"]
        assert exported["score"].attrs["meaning"].startswith("metric of the map")


def test_icechunk_holds_the_results_in_one_commit(finished: Finished, tmp_path: Path) -> None:
    import icechunk

    export(finished.job.store, str(tmp_path / "results.icechunk"))
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path / "results.icechunk")))
    session = repository.readonly_session("main")
    facts = open_results(finished.job.store).attrs
    with xr.open_zarr(session.store, consolidated=False, chunks=None) as exported:
        same_values(exported.load(), finished)
        assert exported["attribution"].dtype == "float16"
        assert exported.attrs == facts
    messages = [each.message for each in repository.ancestry(branch="main")]
    assert messages == [f"audit {facts['fingerprint']}", "Repository initialized"]


@pytest.mark.parametrize("name", ["results.nc", "results.icechunk"])
def test_nothing_is_overwritten(finished: Finished, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is there already; name another"):
        export(finished.job.store, str(tmp_path / name))
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("destination", "form"), [("results.csv", None), ("results", None), ("results.nc", "csv")])
def test_an_unknown_format_is_refused(finished: Finished, destination: str, form: str | None) -> None:
    with pytest.raises(InputError, match=r"; choose from netcdf, icechunk$"):
        export(finished.job.store, destination, form)


@pytest.mark.parametrize(("library", "form"), [("h5netcdf", "netcdf"), ("icechunk", "icechunk")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, form: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"^{library} is not installed; .* extra \[{form}\]$"):
        export(finished.job.store, str(tmp_path / "results"), form)


def test_the_command_exports_the_run_of_a_folder(command: Command, finished: Finished, tmp_path: Path) -> None:
    copy_store(finished.job.store, tmp_path / "run" / "audit.zarr")
    assert command("export", "run", "results.nc") == (0, "results.nc\n", "")
    assert (tmp_path / "results.nc").exists()
    assert command("export", "run", "results.nc").code == 2
