"""Specs of experiments: an audit's network, images and methods, with tables of their own and no perturbation."""

from pathlib import Path
from typing import TypeVar

from pipeline.spec.audit import AuditSpec
from pipeline.spec.toml import parse_table, read_table
from srd.errors import SpecError

Experiment = TypeVar("Experiment", bound=AuditSpec)


def load_experiment_spec(path: Path, kind: type[Experiment], table: str, advice: str) -> Experiment:
    """Return the spec in a TOML file that must have a table.

    Raises
    ------
    SpecError
        With the file, the place, the value and the way out: `advice`, if the table is missing.
    """
    tables = read_table(path)
    if table not in tables:
        raise SpecError(f"{path}: {table}: is missing; {advice}")
    return parse_table(kind, tables, str(path))


def refuse_perturbations(spec: AuditSpec) -> None:
    """Raise ValueError if a spec perturbs the images."""
    if spec.perturbation:
        raise ValueError("perturbation: the images stay as they are here; remove the tables")
