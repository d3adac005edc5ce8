"""The attributes of a store are validated where it is opened, and refused with the way out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zarr
from forgery import forge_manifest
from small_stores import PLAN, SIZES, at

from pipeline.store.attributes import FORMAT
from pipeline.store.location import Location
from pipeline.store.receipts import METADATA
from pipeline.store.results import open_results
from pipeline.store.store import (
    Store,
    attributes,
    progress,
)
from srd.errors import DamagedStore, StoreError


def test_the_plan_survives_the_store(path: Path, made: Store) -> None:
    assert attributes(at(path)).plan == PLAN


def test_a_folder_without_a_store_says_how_to_start_one(tmp_path: Path) -> None:
    for read in (attributes, progress, open_results):
        with pytest.raises(StoreError, match="no run here; start one with `srd-audit run SPEC`"):
            read(at(tmp_path / "nowhere"))


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_store_whose_metadata_are_damaged_says_what_to_restore(path: Path, made: Store, text: str) -> None:
    (path / "zarr.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"cannot be read .* restore its zarr\.json"):
        attributes(at(path))


def test_another_zarr_group_is_no_audit(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "group")
    for read in (attributes, progress, open_results):
        with pytest.raises(StoreError, match="is not the store of an audit"):
            read(at(tmp_path / "group"))


def changed_plan(**changes: object) -> dict[str, object]:
    return {"sizes": SIZES, "tile": 2, "has_masks": True, "attacks": [1], "universal": [1], **changes}


def rewrite(path: Path, **changes: object) -> None:
    """Exchange root attributes, and forge the manifest accordingly."""
    file = path / METADATA
    root = json.loads(file.read_text(encoding="utf-8"))
    root["attributes"] |= changes
    file.write_text(json.dumps(root), encoding="utf-8")
    forge_manifest(path)


@pytest.mark.parametrize("read", [attributes, progress, open_results, Store])
@pytest.mark.parametrize("number", [1, FORMAT + 1, "2", None])
def test_a_store_in_another_format_is_refused_with_the_way_out(
    path: Path, made: Store, read: Callable[[Location], object], number: object
) -> None:
    rewrite(path, format=number)
    with pytest.raises(StoreError, match=rf"format {number!r}, this version reads format {FORMAT}; run the spec again"):
        read(at(path))


@pytest.mark.parametrize("read", [attributes, progress, open_results, Store])
@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("plan", {"plan": None}),
        ("plan", {"plan": changed_plan(tile=0)}),
        ("plan", {"plan": changed_plan(tile=10**9)}),
        ("plan", {"plan": changed_plan(sizes={**SIZES, "image": 10**12})}),
        ("plan", {"plan": changed_plan(sizes={**SIZES, "method": 10**9})}),
        ("plan", {"plan": changed_plan(sizes={**SIZES, "method": 0})}),
        ("plan", {"plan": changed_plan(sizes={**SIZES, "method": -2})}),
        ("plan", {"plan": changed_plan(sizes={"image": 5})}),
        ("plan", {"plan": changed_plan(attacks=[7])}),
        ("plan", {"plan": changed_plan(attacks=[], universal=[1])}),
        ("plan.tile", {"plan": {"sizes": {}, "tile": "many", "has_masks": True}}),
        ("fingerprinted", {"fingerprinted": {}}),
        ("correct", {"correct": "all"}),
        ("resolutions.srd", {"resolutions": {"srd": [8]}}),
        ("more", {"more": 1}),
        ("fingerprint", {"fingerprint": "0" * 64}),
    ],
)
def test_damaged_attributes_are_refused_by_name(
    path: Path, made: Store, read: Callable[[Location], object], where: str, changes: dict[str, object]
) -> None:
    rewrite(path, **changes)
    with pytest.raises(DamagedStore, match=rf"attribute {where}.* is damaged: .* restore its zarr\.json"):
        read(at(path))
