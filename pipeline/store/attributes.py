"""What a store says of itself: written once by preparation, validated wherever a store is opened."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.plan.conditions import Threat
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from srd.errors import StoreError

FORMAT = 2
"""Raised by whoever changes what a store holds; stores without a number are older."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FingerprintedFacts(_Frozen):
    """Hold all that can change a bit of the result."""

    spec: AuditSpec
    data: str
    """Digest of images, labels and masks."""
    weights: str
    network: str
    """Digest of the network's sources."""
    sources: str
    """Digest of the sources of srd, attacks and pipeline."""
    versions: dict[str, str]
    hardware: str
    """Class of machine."""

    def table(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the table."""
        return sha256(json.dumps(self.table(), sort_keys=True).encode()).hexdigest()


class DemoCertificates(_Frozen):
    """Hold what was proved of a demo network: rates of right answers on n scenes, their bounds, and which hold."""

    n: int
    chance: float
    limit: float
    accuracy: float
    target_removed: float
    background_only: float
    distractors_away: float
    least_accuracy: float
    largest_drop: float
    holds: dict[str, bool]


class RunAttributes(_Frozen):
    """Hold the root attributes of a store."""

    format: int = FORMAT
    fingerprint: str
    fingerprinted: FingerprintedFacts
    plan: Plan
    correct: int
    """Clean images that are classified as labelled."""
    data: str
    """The images, in words."""
    parameters: int
    """Of the network."""
    certificates: DemoCertificates | None
    """Of the demo networks; None for others."""
    resolutions: dict[str, tuple[int, int]]
    """Rows and columns of every method's own maps."""
    reasons: tuple[str, ...]
    """Why a score is NaN, by number."""
    references: dict[str, str]
    """What other maps the clean ones are compared with, in words."""
    evidence: dict[str, str]
    """What an attack on an explanation reports of its search, in words."""
    threats: dict[str, Threat]
    """Of every condition but the clean one, by id."""
    prepared: dict[str, str]
    """Digest of each array that was written before any task."""


def read_attributes(attributes: Mapping[str, Any], place: object) -> RunAttributes:
    """Validate the root attributes of the store at `place`.

    Raises StoreError, with `place`, for those of another program or format, and for damaged ones.
    """
    if "fingerprint" not in attributes:
        raise StoreError(f"{place}: is not the store of an audit; choose another place, or remove this one")
    written = attributes.get("format", 1)
    if written != FORMAT:
        raise StoreError(
            f"{place}: is written in format {written!r}, this version reads format {FORMAT}; "
            "run the spec again into another place, or use the version that wrote it"
        )
    try:
        return RunAttributes.model_validate(attributes)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        way_out = "restore its zarr.json, or remove the store"
        raise StoreError(f"{place}: attribute {where} is damaged: {first['msg']}; {way_out}") from None
