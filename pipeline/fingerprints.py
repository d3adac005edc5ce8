"""All that can change a bit of a result, and in what two such tables differ."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pipeline import environment
from pipeline.data import Data
from pipeline.location import Location
from pipeline.models import LoadedModel
from pipeline.spec import AuditSpec
from srd.errors import StoreError

ELSEWHERE = ("hardware", "versions")
"""What of a fingerprint may be otherwise on another machine."""
SHORT = 60  # characters of two values worth showing beside each other


def fingerprinted(spec: AuditSpec, model: LoadedModel, data: Data) -> dict[str, Any]:
    """All that can change a bit of the result, as a store gives it back."""
    everything = {
        "spec": spec.model_dump(mode="json"),
        "data": data.digest,
        "weights": model.weights_digest,
        "network": model.source_digest,
        "sources": environment.source_digest(),
        "versions": environment.versions(),
        "hardware": environment.hardware(),
    }
    return dict(json.loads(json.dumps(everything)))


def fingerprint(table: Mapping[str, Any]) -> str:
    """SHA-256 of a table."""
    return sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def refuse_other(location: Location, differ: Sequence[str]) -> None:
    """Raises StoreError if anything differs."""
    if differ:
        raise StoreError(
            f"{location} was made by another audit (it differs in: {', '.join(differ)}); "
            "choose another folder with --out, or remove this one"
        )


def differences(theirs: Any, ours: Any, place: str = "") -> list[str]:
    """Where two nested tables differ, with the values where they are short."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = dict.fromkeys([*ours, *theirs])
        return [d for key in keys for d in differences(theirs.get(key), ours.get(key), f"{place}.{key}".strip("."))]
    values = f" ({theirs!r} there, {ours!r} here)"
    return [] if theirs == ours else [place + values * (len(values) < SHORT)]
