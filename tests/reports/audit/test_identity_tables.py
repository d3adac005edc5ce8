"""Facts that a report repeats must be those of their source."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from forgery import fingerprint_of

from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.manipulation import load_manipulated_model_spec
from pipeline.spec.toml import parse_table, read_table
from pipeline.spec.variants import load_variants_spec
from reports import formatting, statistics
from reports.audit import identity_tables, threats
from reports.audit.facts import RunFacts
from reports.audit.readings import Readings

ROOT = Path(__file__).parents[3]


def test_certificates_repeat_what_the_run_found(dataset: xr.Dataset) -> None:
    given = dataset.attrs["certificates"]
    failed = {**given, "accuracy": 0.5, "holds": {**given["holds"], "accuracy": False}}
    for attributes in (given, failed):
        told = identity_tables.certificates(Readings(dataset.assign_attrs(certificates=attributes)))
        assert {each.name: (each.rate, each.passed, each.n) for each in told} == {
            name: (attributes[name], attributes["holds"][name], given["n"]) for name in given["holds"]
        }


def test_other_networks_have_no_certificates(dataset: xr.Dataset) -> None:
    assert identity_tables.certificates(Readings(dataset.assign_attrs(certificates=None))) == ()


LOADERS = {"manipulation": load_manipulated_model_spec, "variant": load_variants_spec}
"""Table of an experiment -> what reads its spec."""


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.toml")), ids=lambda path: path.stem)
def test_the_printed_spec_reads_back(path: Path) -> None:
    load = next((load for key, load in LOADERS.items() if key in read_table(path)), load_spec)
    for spec in load_audits(path).values() or [load(path)]:
        table: dict[str, Any] = tomllib.loads(formatting.toml(spec.model_dump(mode="json")))
        assert parse_table(type(spec), table, "printed") == spec


def test_options_tell_who_set_them(dataset: xr.Dataset) -> None:
    facts = {each.name: each for each in threats.perturbations(Readings(dataset))}
    budget = {option.name: (option.value, option.origin) for option in facts["pgd"].budget}
    origins = {option.name: (option.value, option.origin) for option in facts["pgd"].options}
    assert budget["steps"] == (4, "spec")
    assert origins["relative_step"][1] == "default"


@pytest.mark.parametrize("notes", [(), ("4 files in b/: .tga is not read", "another")])
def test_notes_on_the_input_stand_in_the_table(dataset: xr.Dataset, notes: tuple[str, ...]) -> None:
    made = identity_tables.identity(Readings(dataset.assign_attrs(notes=list(notes))))
    assert made.notes == notes
    result = RunFacts.model_construct(identity=made, statistics=statistics.policy())
    rows = {row[0].text: row[1].text for row in identity_tables._identity_table(result).rows}
    assert rows["Notes on the input"] == ("; ".join(notes) or "none")


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({}, None),
        ({"torch.erf": "activation"}, "torch.erf is activation"),
        ({"a.b": "gate", "torch.sin": "linear"}, "a.b is gate, torch.sin is linear"),
    ],
)
def test_declared_operations_stand_in_the_table(
    dataset: xr.Dataset, declared: dict[str, str], told: str | None
) -> None:
    """They change maps, so a reader of the maps has to know them."""
    made = dataset.attrs["fingerprinted"]
    spec = {**made["spec"], "model": {**made["spec"]["model"], "operations": declared}}
    facts = {**made, "spec": spec}
    told_of = dataset.assign_attrs(fingerprinted=facts, fingerprint=fingerprint_of(facts))
    identity = identity_tables.identity(Readings(told_of))
    assert identity.operations == declared
    result = RunFacts.model_construct(identity=identity, statistics=statistics.policy())
    rows = {row[0].text: row[1].text for row in identity_tables._identity_table(result).rows}
    assert rows.get("Declared operations") == told
