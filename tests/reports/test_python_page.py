"""The lines that the documentation gives for the results of a run are executed on a run."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
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
