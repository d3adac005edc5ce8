"""The section on self-checks: what was asked of the network before any task, and found."""

from reports.audit.facts import RunFacts
from reports.audit.readings import Readings
from reports.audit.section import Fields, Section
from reports.cells import Cell, Table
from reports.page import Exhibit
from reports.result import ResultModel

INTRODUCTION = (
    "Before any task the network was asked whether its answer is a function of the image alone. A network that fails "
    "such a question is refused, so all that stand here have passed."
)


class SelfCheck(ResultModel):
    """A question put to the network before any task."""

    name: str
    found: str


class SelfCheckFields(RunFacts):
    """Fields that this section adds to the result."""

    self_checks: tuple[SelfCheck, ...]


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    checks = readings.attributes.self_checks
    return {"self_checks": tuple(SelfCheck(name=check.name, found=check.found) for check in checks)}


def _table(result: SelfCheckFields) -> Table:
    rows = tuple((Cell(check.name), Cell(check.found)) for check in result.self_checks)
    return Table("Self-checks of the network", ("asked for", "found"), rows)


SELF_CHECKS: Section[SelfCheckFields] = Section(
    id="checks",
    title="Self-checks",
    heading="Self-checks of the network",
    body=lambda result, _: {
        "paragraphs": (INTRODUCTION,),
        "exhibits": (Exhibit(None, (_table(result),)),),
        "items": (),
    },
    numbers=_numbers,
)
