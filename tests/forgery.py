"""Stores whose digests are made true of what lies there: who can write a store can write them as well."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from small_audits import object_path

from pipeline.store.manifest import MANIFEST
from pipeline.store.receipts import METADATA


def forge_manifest(store: Path) -> None:
    manifest = object_path(store, MANIFEST)
    keys = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
    files = {key: object_path(store, key) for key in keys}
    digests = {key: sha256(file.read_bytes()).hexdigest() for key, file in files.items() if file.exists()}
    manifest.write_text(json.dumps({"sha256": digests}), encoding="utf-8")


def forge_fingerprint(store: Path) -> None:
    root = json.loads((store / METADATA).read_text(encoding="utf-8"))
    root["attributes"]["fingerprint"] = fingerprint_of(root["attributes"]["fingerprinted"])
    (store / METADATA).write_text(json.dumps(root), encoding="utf-8")


def fingerprint_of(facts: Mapping[str, Any]) -> str:
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
