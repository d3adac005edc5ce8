"""A new small store for each test."""

from pathlib import Path

import pytest
from small_stores import make

from pipeline.store import store as store_module
from pipeline.store.store import (
    Store,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / store_module.NAME


@pytest.fixture
def made(path: Path) -> Store:
    return make(path)
