"""The section on self-checks: what was asked of network and methods before any task, and found."""

from reports.audit.facts import RunFacts
from reports.audit.readings import Readings
from reports.audit.section import Fields, Section
from reports.cells import Cell, Table
from reports.page import Exhibit
from reports.result import ResultModel

INTRODUCTION = (
    "Before any task the network was asked whether its answer is a function of the image alone and its gradient the "
    "slope of it, and each method that states a law of its maps whether it holds on this network. A network or a "
    "method that fails is refused, so what stands here has passed. A method whose maps are not complete is marked, "
    "here and beside all its numbers: the maps miss the change of the logit from the baseline by that share of it, or "
    "of the sum of |map| if that is larger."
)


class SelfCheck(ResultModel):
    """A question put to network or method before any task."""

    name: str
    found: str
    method: str
    """The method that was asked; an empty text if it was the network."""
    is_marked: bool


class SelfCheckFields(RunFacts):
    """Fields that this section adds to the result."""

    self_checks: tuple[SelfCheck, ...]


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    checks = readings.attributes.self_checks
    return {"self_checks": tuple(SelfCheck(**check.model_dump()) for check in checks)}


def _table(result: SelfCheckFields) -> Table:
    rows = tuple(
        (Cell(check.name), Cell(check.found, mark="failed" if check.is_marked else "")) for check in result.self_checks
    )
    return Table("Self-checks of network and methods", ("asked for", "found"), rows)


SELF_CHECKS: Section[SelfCheckFields] = Section(
    id="checks",
    title="Self-checks",
    heading="Self-checks",
    body=lambda result, _: {
        "paragraphs": (INTRODUCTION,),
        "exhibits": (Exhibit(None, (_table(result),)),),
        "items": (),
    },
    numbers=_numbers,
)
