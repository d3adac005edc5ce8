"""The images of the viewer: which are taken, and that a shard holds what the store holds."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from shown_images import arguments_of, entries_of, map_of
from small_audits import tree

from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports.audit import viewed_images
from reports.audit.panels import stored_map
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.result_file import RESULT
from reports.audit.sections import AuditResult
from reports.audit.viewed_images import chosen_rows
from reports.viewer.files import INDEX


@pytest.fixture(scope="module")
def result(folder: Path) -> AuditResult:
    return AuditResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def test_rows_are_those_of_the_gallery_then_others_evenly_spaced() -> None:
    computed = np.arange(100)
    assert chosen_rows(computed, 3, [50, 7, 50, 9, 1]) == [7, 9, 50]
    assert chosen_rows(computed, 4, [50]) == [0, 49, 50, 99]
    assert chosen_rows(computed, 100, [50]) == list(range(100))
    assert chosen_rows(np.arange(0), 0, []) == []


def test_shards_hold_the_maps_of_the_store(dataset: xr.Dataset, result: AuditResult) -> None:
    readings = Readings(dataset)
    files = {name.partition("/")[2]: content for name, content in viewed_images.viewer(readings, result)}
    (index,) = arguments_of(files[INDEX])[1]
    assert [each["id"] for each in index["images"]] == list(readings.image_ids)
    assert [each["id"] for each in index["conditions"]] == list(readings.conditions)
    shape, across = (dataset.sizes["y"], dataset.sizes["x"]), 1 + len(readings.methods)
    for row in range(len(readings.image_ids)):
        entries = entries_of(files.items(), row)
        for column, condition in enumerate(readings.conditions):
            for place, method in enumerate(readings.methods):
                found = map_of(entries[column * across + 1 + place], shape)
                assert (found == stored_map(readings, row, condition, method)).all()


def test_what_was_not_computed_is_named_and_the_rest_is_there(dataset: xr.Dataset, result: AuditResult) -> None:
    scales, prediction = dataset["scale"].copy(), dataset["prediction"].copy()
    scales[2, 1, 0] = np.nan
    prediction[0] = np.nan
    readings = Readings(dataset.assign(scale=scales, prediction=prediction))
    files = {name.partition("/")[2]: content for name, content in viewed_images.viewer(readings, result)}
    (index,) = arguments_of(files[INDEX])[1]
    held = [each["id"] for each in index["images"]]
    assert readings.image_ids[0] not in held
    entries = entries_of(files.items(), held.index(readings.image_ids[2]))
    assert [entry["absent"] for entry in entries if "absent" in entry] == [NOT_COMPUTED]
    assert "Of 1 image nothing was computed" in files["index.html"].decode()


def test_the_report_links_the_viewer_whose_bytes_the_store_decides(
    folder: Path, result: AuditResult, tmp_path: Path
) -> None:
    readings = Readings(open_results(location_of(folder)))
    for name, content in viewed_images.viewer(readings, result):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert tree(tmp_path / "viewer") == tree(folder / "report" / "viewer")
    assert 'href="viewer/index.html"' in (folder / "report" / "index.html").read_text(encoding="utf-8")
