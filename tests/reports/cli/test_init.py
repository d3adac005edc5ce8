"""The spec that `init` writes: every key is there, and what it gives as a default is one."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

import reports
from pipeline.spec.audit import ExplainSpec, PerturbationSpec, RunSpec, parse_spec
from pipeline.spec.data import DataSpec
from pipeline.spec.measure import MeasureSpec
from pipeline.spec.model import ModelSpec

TEMPLATE = (Path(reports.__file__).parent / "templates" / "audit.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [ModelSpec, DataSpec, ExplainSpec, PerturbationSpec, MeasureSpec, RunSpec])
def test_every_key_is_there(table: type[BaseModel]) -> None:
    assert set(table.model_fields) <= set(re.findall(r"^(?:# )?(\w+)", TEMPLATE, re.MULTILINE))


def test_the_template_is_a_spec() -> None:
    assert parse_spec(tomllib.loads(TEMPLATE), "").explain.methods[0] == "srd"


def test_what_is_measured_is_given_with_its_defaults() -> None:
    lines = TEMPLATE[TEMPLATE.index("# [measure]") :].split("\n\n")[0].splitlines()
    written = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))
    assert MeasureSpec.model_validate(written["measure"]) == MeasureSpec()
