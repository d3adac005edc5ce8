"""The lines that the documentation gives for the results of a run are executed on a run."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "python-api.md", ROOT / "README.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_lines_on_results_open_a_run(
    folder: Path, dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lines,) = (block for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if "open_results" in block)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(folder)
    (tmp_path / "lines.py").write_text(lines, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path("lines.py")
    where = {"method": "srd"}
    assert found["dataset"].sizes == dataset.sizes
    np.testing.assert_array_equal(found["maps"], dataset["attribution"].sel(where) * dataset["scale"].sel(where))
    np.testing.assert_array_equal(found["scores"], dataset["score"].sel({**where, "metric": "pearson"}))


@pytest.mark.filterwarnings("default")  # zarr and xarray of their own
@pytest.mark.parametrize("page", [PAGE, README], ids=lambda page: page.name)
def test_the_lines_that_open_and_draw_a_run_do_so(
    folder: Path, dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Path
) -> None:
    read = ("open_results", "open_zarr", "import show")
    lines = "\n".join(
        block for block in BLOCK.findall(page.read_text(encoding="utf-8")) if any(each in block for each in read)
    )
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(folder)
    (tmp_path / "lines.py").write_text(lines, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    found = runpy.run_path("lines.py")
    if page == PAGE:
        np.testing.assert_array_equal(found["stored"]["score"], dataset["score"])
        assert (tmp_path / "map.png").stat().st_size > 1000
    pyplot.close("all")
