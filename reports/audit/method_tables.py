"""The explained methods: their facts, and the table of them."""

from collections.abc import Mapping
from typing import Any

from pipeline.store.attributes import caveats_of
from reports.audit.facts import MethodFacts, RunFacts
from reports.audit.options import all_options, in_words
from reports.audit.readings import Readings
from reports.cells import Cell, Table, method_heading
from reports.families import is_control
from srd.registry import ATTRIBUTORS


def methods(readings: Readings) -> tuple[MethodFacts, ...]:
    """Return the methods of the run, in its order."""
    given = readings.attributes.fingerprinted.spec.explain.options
    resolutions = readings.attributes.resolutions
    caveats = caveats_of(readings.attributes.self_checks)
    return tuple(
        _method(name, given.get(name, {}), resolutions[name], caveats.get(name, "")) for name in readings.methods
    )


def _method(name: str, given: Mapping[str, Any], resolution: tuple[int, int], caveat: str) -> MethodFacts:
    entry = ATTRIBUTORS[name]
    return MethodFacts(
        name=name,
        title=entry.title,
        family=entry.family,
        signed=entry.signed,
        coarse=entry.low_resolution,
        resolution=resolution,
        stochastic=entry.stochastic,
        attackable=entry.differentiable,
        uses_network=entry.uses_network,
        uses_target=entry.uses_target,
        is_control=is_control(name),
        cost=entry.cost,
        reference=entry.reference,
        options=all_options(entry, given),
        caveat=caveat,
    )


def methods_table(result: RunFacts) -> Table:
    """Return the table of the methods with their options."""
    header = ("method", "sign", "resolution", "attackable", "options", "cost", "source")
    rows = (
        (
            method_heading(each.name, result.caveats, each.name + _ignored_inputs(each)),
            Cell("signed" if each.signed else "not negative"),
            Cell("{} x {}".format(*each.resolution) + (", upsampled" if each.coarse else "")),
            Cell("yes" if each.attackable else "no gradient"),
            Cell(in_words(each.options)),
            Cell(each.cost),
            Cell(each.reference),
        )
        for each in result.methods
    )
    return Table("Methods, by family. Costs in passes of the network.", header, tuple(rows))


def _ignored_inputs(method: MethodFacts) -> str:
    if not method.uses_network:
        return ", ignores the network"
    return "" if method.uses_target else ", ignores the class"
