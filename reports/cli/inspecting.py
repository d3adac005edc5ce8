"""The question that `inspect` and `init` put to a network, in a process of its own. Nothing here imports torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.estimate.calls import inspect_subject
from pipeline.estimate.inspected import Inspection, Question
from pipeline.execution.new_process import call_in_new_process
from pipeline.inputs.formats import find_format
from pipeline.spec.audit import AuditSpec, ExplainSpec, RunSpec, SubjectSpec, load_spec
from pipeline.spec.data import SHAPES
from pipeline.spec.settings import Setting, apply_settings, parse_settings
from pipeline.spec.toml import parse_table
from reports.cli.heartbeat import tell_phases
from reports.cli.subject_options import Named
from srd.registry import ABLATIONS, ATTRIBUTORS

METHODS = tuple(name for name in ATTRIBUTORS if name not in {entry.name for entry in ABLATIONS})
"""The methods that are tried on a network of which no spec names any."""


def question_of_spec(spec: Path, settings: Sequence[Setting], trusted: tuple[Path, ...]) -> Question:
    """Return the question of a spec: its own methods, by its options, on its own data.

    Raises
    ------
    SpecError
        If the spec cannot be read.
    """
    audit: AuditSpec = load_spec(spec, settings)
    return Question(audit.model, audit.data, audit.explain, audit.run, spec.parent.resolve(), trusted)


def question_of(
    named: Named, home: Path, settings: Sequence[Setting], methods: tuple[str, ...], trusted: tuple[Path, ...]
) -> Question:
    """Return the question of a network that the command line names; the spec of it would lie in the folder `home`.

    Raises
    ------
    SpecError
        If a setting leads nowhere, or gives what no key takes.
    """
    tables = apply_settings(named.tables(home), settings)
    subject = parse_subject(tables if "data" in tables else {**tables, "data": {"path": SHAPES}}, home)
    data = subject.data if "data" in tables else None
    return Question(subject.model, data, ExplainSpec(methods=methods), RunSpec(), home, trusted)


def parse_subject(tables: Mapping[str, Any], home: Path) -> SubjectSpec:
    """Return what tables say of a network and its data, of which the format is filled in where names show it.

    Raises
    ------
    SpecError
        If a table holds what no key takes.
    """
    data = tables["data"]
    found = find_format(home / str(data.get("path", ""))) if isinstance(data, Mapping) else None
    filled = {"format": found[0], **data} if found else data
    return parse_table(SubjectSpec, {**tables, "data": filled}, "the command line")


def ask(question: Question, console: Console) -> Inspection:
    """Return what a new process finds out about a network."""
    with tell_phases(console) as tell:
        found: Inspection = call_in_new_process({}, inspect_subject, question, tell=tell)
    return found


def settings_of(texts: Sequence[str] | None) -> tuple[Setting, ...]:
    """Return the settings of a command line."""
    return parse_settings(texts or ())
