"""The spec of several subjects, of which each gets the same audit."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import model_validator

from pipeline.spec.audit import AuditSpec, ProtocolSpec, SubjectSpec, refuse_other_target
from pipeline.spec.settings import Setting, place_with
from pipeline.spec.toml import parse_table, read_table
from pipeline.spec.values import shorten_value

LONGEST = 100  # characters of a folder's name, of which Linux takes 255
NAME = re.compile(rf"[\w-]{{1,{LONGEST}}}", re.ASCII)


class ComparisonSpec(ProtocolSpec):
    """The audit that all subjects get alike, and the subjects."""

    subject: dict[str, SubjectSpec]
    """The subjects by name; a subject's name is also that of the folder of its audit."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_shared_tables(cls, table: Any) -> Any:
        for name in SubjectSpec.model_fields:
            if name in table:
                raise ValueError(f"{name}: each subject has its own; move the table to [subject.NAME.{name}]")
        return table

    @model_validator(mode="after")
    def _check_subjects(self) -> "ComparisonSpec":
        if not self.subject:
            raise ValueError("subject: names no network; add [subject.NAME.model] and [subject.NAME.data]")
        for name in self.subject:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"subject.{shorten_value(name)}: names a folder; use letters, digits, - and _, at most {LONGEST}"
                )
        for name, subject in self.subject.items():
            refuse_other_target(subject.data, self.explain, f"subject.{name}.data.path")
        return self

    def audits(self) -> dict[str, AuditSpec]:
        """Return the audit of each subject."""
        protocol = {name: getattr(self, name) for name in ProtocolSpec.model_fields}
        return {name: AuditSpec(**dict(subject), **protocol) for name, subject in self.subject.items()}


def load_audits(path: Path, settings: Sequence[Setting] = ()) -> dict[str, AuditSpec]:
    """Return the audit of each subject of a spec, as settings change it; none if the spec has one network.

    Raises
    ------
    SpecError
        As `load_spec` does.
    """
    table = read_table(path, settings)
    if "subject" not in table:
        return {}
    return parse_table(ComparisonSpec, table, place_with(path, settings)).audits()
