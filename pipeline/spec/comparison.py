"""A spec of several subjects: the same audit of each, to be compared."""

import re
from pathlib import Path
from typing import Any

from pydantic import model_validator

from pipeline.spec.audit import AuditSpec, ProtocolSpec, SubjectSpec, parse_table, read_table

NAME = re.compile(r"[\w-]+", re.ASCII)


class ComparisonSpec(ProtocolSpec):
    """What is asked of several subjects alike."""

    subject: dict[str, SubjectSpec]
    """By name, which is that of the folder of its audit."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_shared_tables(cls, table: Any) -> Any:
        for name in SubjectSpec.model_fields:
            if name in table:
                raise ValueError(f"{name}: each subject has its own; move the table to [subject.NAME.{name}]")
        return table

    @model_validator(mode="after")
    def _check_subject_names(self) -> "ComparisonSpec":
        if not self.subject:
            raise ValueError("subject: names no network; add [subject.NAME.model] and [subject.NAME.data]")
        for name in self.subject:
            if not NAME.fullmatch(name):
                raise ValueError(f"subject.{name!r}: names a folder; use letters, digits, - and _")
        return self

    def audits(self) -> dict[str, AuditSpec]:
        """The audit of each subject."""
        protocol = {name: getattr(self, name) for name in ProtocolSpec.model_fields}
        return {name: AuditSpec(**dict(subject), **protocol) for name, subject in self.subject.items()}


def load_audits(path: Path) -> dict[str, AuditSpec]:
    """The audit of each subject of a spec; none if the spec is of one network. Raises SpecError as `load_spec`."""
    table = read_table(path)
    return parse_table(ComparisonSpec, table, str(path)).audits() if "subject" in table else {}
