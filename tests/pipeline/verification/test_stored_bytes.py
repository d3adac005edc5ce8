"""The check of bytes finds all that differs from a receipt, in a process that has imported no torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dask_processes import IMPORTS
from small_audits import Finished, finish, path_of, tree

from pipeline.verification.stored_bytes import check_bytes
from srd.errors import StoreError


@pytest.fixture
def run(spec: Path, tmp_path: Path) -> Finished:
    return finish(spec, tmp_path / "run")


def test_every_damaged_shard_is_found_and_nothing_is_written(run: Finished) -> None:
    store, plan = path_of(run.job.store), list(run.context.plan.all_tasks())
    sound = check_bytes(run.job.store)
    assert (sound.planned, sound.done, sound.damaged) == (len(plan), tuple(plan), ())
    assert sound.fingerprint == run.attributes.fingerprint
    for array in ("input", "attribution", "score"):
        shard = next(file for file in sorted((store / array / "c").rglob("*")) if file.is_file())
        shard.write_bytes(shard.read_bytes()[:-9])
    before = tree(store)
    damaged = [key for key, _ in check_bytes(run.job.store).damaged]
    assert damaged == ["perturb-00000-00", "attribute-00000-00", "score-00000-00"]
    assert tree(store) == before


def test_missing_receipts_are_counted_and_lost_preparation_is_refused(run: Finished) -> None:
    run.context.store.receipts.withdraw(["score-00000-00"])
    held = check_bytes(run.job.store)
    assert (held.planned - len(held.done), held.damaged) == (1, ())
    (path_of(run.job.store) / "label" / "c" / "0").unlink()
    with pytest.raises(StoreError, match="label/c/0 is not what was prepared"):
        check_bytes(run.job.store)


def test_neither_check_nor_command_imports_torch(tmp_path: Path) -> None:
    program = "import sys, pipeline.verification.stored_bytes, reports.cli.checking; sys.exit('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], env=os.environ | IMPORTS, cwd=tmp_path, check=False)
    assert ended.returncode == 0
