"""Stores whose digests are made true of what lies there: who can write a store can write them as well."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.store.manifest import MANIFEST
from pipeline.store.receipts import METADATA


def forge_manifest(store: Path) -> None:
    manifest = store / MANIFEST
    keys = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
    digests = {key: sha256((store / key).read_bytes()).hexdigest() for key in keys if (store / key).exists()}
    manifest.write_text(json.dumps({"sha256": digests}), encoding="utf-8")


def forge_fingerprint(store: Path) -> None:
    root = json.loads((store / METADATA).read_text(encoding="utf-8"))
    root["attributes"]["fingerprint"] = fingerprint_of(root["attributes"]["fingerprinted"])
    (store / METADATA).write_text(json.dumps(root), encoding="utf-8")


def fingerprint_of(facts: Mapping[str, Any]) -> str:
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
