"""The fingerprinted facts of an audit, and the differences between two sets of facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.execution.stage_sources import sources_of, spec_keys
from pipeline.inputs.data import Data
from pipeline.inputs.models import LoadedModel
from pipeline.machine import environment
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from pipeline.store.attributes import FingerprintedFacts
from pipeline.store.location import Location
from srd.errors import StoreError

ELSEWHERE = ("hardware", "versions")
"""The facts that may differ on another machine."""
SHORT = 60  # characters of two values worth showing beside each other


def fingerprinted_facts(spec: AuditSpec, model: LoadedModel, data: Data, plan: Plan) -> FingerprintedFacts:
    """Return all facts that can change a bit of the result; those of sources are of the stages that the plan has."""
    return FingerprintedFacts(
        spec=spec,
        data=data.digest,
        weights=model.weights_digest,
        network=model.source_digest,
        sources=sources_of(spec, plan).digests(),
        versions=environment.versions(),
        hardware=environment.hardware(),
    )


def refuse_other(location: Location, differ: Sequence[str]) -> None:
    """Refuse a store that another audit has made.

    Raises
    ------
    StoreError
        If anything differs.
    """
    if differ:
        raise StoreError(
            f"{location} was made by another audit (it differs in: {', '.join(differ)}); "
            "choose another folder with --out, or remove this one"
        )


def differences(theirs: FingerprintedFacts, ours: FingerprintedFacts) -> list[str]:
    """Return the names of the facts that differ, with both values where they are short."""
    return _differences(theirs.table(), ours.table(), "")


def lasting_differences(theirs: FingerprintedFacts, ours: FingerprintedFacts) -> list[str]:
    """Return what differs as `differences` does, but for what a store survives: sources, and keys of single stages."""
    return _differences(_lasting(theirs.table()), _lasting(ours.table()), "")


def _lasting(table: Mapping[str, Any]) -> dict[str, Any]:
    lasting = _without(table, ["sources"])
    for key in spec_keys():
        lasting["spec"] = _without(lasting["spec"], key.split("."))
    return lasting


def _without(table: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return a table without the value at the path."""
    first, *rest = path
    return {
        name: _without(value, rest) if rest and name == first else value
        for name, value in table.items()
        if rest or name != first
    }


def _differences(theirs: Any, ours: Any, place: str) -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = dict.fromkeys([*ours, *theirs])
        return [d for key in keys for d in _differences(theirs.get(key), ours.get(key), f"{place}.{key}".strip("."))]
    values = f" ({theirs!r} there, {ours!r} here)"
    return [] if theirs == ours else [place + values * (len(values) < SHORT)]
