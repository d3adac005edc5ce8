"""The attributes of a store: preparation writes them once, and whoever opens a store validates them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.plan.conditions import Threat
from pipeline.plan.schema import TILE
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from srd.errors import DamagedStore, StoreError

MOST_IMAGES, MOST_OTHERS = 10**7, 10**5
"""The largest sizes of dimensions."""
FORMAT = 8
"""Whoever changes what a store holds raises this number. Stores without a number are older."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FingerprintedFacts(_Frozen):
    """All facts that can change a bit of the result."""

    spec: AuditSpec
    data: str
    """The digest of images, labels and masks."""
    weights: str
    network: str
    """The digest of the network's sources."""
    sources: dict[str, str]
    """The digest of the sources of each stage that has tasks, and of the preparation."""
    versions: dict[str, str]
    hardware: str
    """The class of machine."""

    def table(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return self.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the table."""
        return _fingerprint_of(self.table())


class DemoCertificates(_Frozen):
    """The proof about a demo network: rates of right answers on n scenes, their bounds, and which bounds hold."""

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


class CheckResult(_Frozen):
    """The finding of a self-check."""

    name: str
    found: str
    method: str = ""
    """The method that was asked; an empty text if it was the network."""
    is_marked: bool = False
    """Whether `found` is a caveat that must stand beside every number of the method."""


def caveats_of(checks: Iterable[CheckResult]) -> dict[str, str]:
    """Return method -> the finding that must stand beside every number of the method, for those that have one."""
    return {check.method: check.found for check in checks if check.is_marked}


class RunAttributes(_Frozen):
    """The root attributes of a store."""

    format: int = FORMAT
    fingerprint: str
    fingerprinted: FingerprintedFacts
    plan: Plan
    correct: int
    """The number of clean images that are classified as labelled."""
    data: str
    """A description of the images."""
    notes: tuple[str, ...]
    """Sentences on the input: what was left out or unwrapped, an accuracy near chance, products of full precision."""
    parameters: int
    """The number of parameters of the network."""
    certificates: DemoCertificates | None
    """The certificates of a demo network; None for other networks."""
    self_checks: tuple[CheckResult, ...]
    """What was asked of network and data before any task, and found."""
    resolutions: dict[str, tuple[int, int]]
    """The rows and columns of every method's own maps."""
    encoder: str = ""
    """The module whose output is that of the encoder; empty if no module's is."""
    reasons: tuple[str, ...]
    """The reasons why a score is NaN, by number."""
    references: dict[str, str]
    """Descriptions of the other maps that the clean ones are compared with."""
    evidence: dict[str, str]
    """Descriptions of what an attack on an explanation reports of its search."""
    threats: dict[str, Threat]
    """The threat models of all conditions except the clean one, by id."""


def refuse_other_format(attributes: Mapping[str, Any], place: object) -> None:
    """Refuse the root attributes of another program or format.

    Raises
    ------
    StoreError
        With `place`, for these.
    """
    if "fingerprint" not in attributes:
        raise StoreError(f"{place}: is not the store of an audit; choose another place, or remove this one")
    written = attributes.get("format", 1)
    if written != FORMAT:
        raise StoreError(
            f"{place}: is written in format {written!r}, this version reads format {FORMAT}; "
            "run the spec again into another place, or use the version that wrote it"
        )


def read_attributes(attributes: Mapping[str, Any], place: object) -> RunAttributes:
    """Validate the root attributes of the store at `place`, and return them.

    Raises
    ------
    DamagedStore
        With `place`, for damaged ones.
    """
    way_out = "restore its zarr.json, or remove the store"
    try:
        read = RunAttributes.model_validate(attributes)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedStore(f"{place}: attribute {where} is damaged: {first['msg']}; {way_out}") from None
    if read.fingerprint != _fingerprint_of(attributes["fingerprinted"]):
        raise DamagedStore(f"{place}: attribute fingerprint is damaged: it is of other facts; {way_out}")
    if not _is_possible(read.plan):
        raise DamagedStore(f"{place}: attribute plan is damaged: no audit has such a plan; {way_out}")
    return read


def _is_possible(plan: Plan) -> bool:
    """Return whether all dimensions are there, within bounds that keep readers from working for ever."""
    dims = {dim for variable in VARIABLES.values() for dim in variable.dims}
    columns, most = plan.sizes.get("perturbation", 0), {TILE: MOST_IMAGES}
    return (
        plan.sizes.keys() >= dims
        and all(0 < size <= most.get(dim, MOST_OTHERS) for dim, size in plan.sizes.items())
        and 0 < plan.tile <= MOST_OTHERS
        and set(plan.universal) <= set(plan.attacks) <= set(range(columns))
        and set(plan.stochastic) | set(plan.attacked) <= set(range(plan.sizes["method"]))
        and all(_are_positions(rows, plan.sizes[TILE]) for rows in plan.asked.values())
    )


def _are_positions(rows: Sequence[int], n: int) -> bool:
    """Return whether these are positions of some of n images, in ascending order."""
    return list(rows) == sorted(set(rows)) and (not rows or 0 <= rows[0] <= rows[-1] < n)


def _fingerprint_of(table: Mapping[str, Any]) -> str:
    return sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
