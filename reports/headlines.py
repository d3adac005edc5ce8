"""Which attacks the summary speaks of: on each attacked method, the strongest of each kind."""

from dataclasses import dataclass

from reports.facts import strongest
from reports.result import AuditResult, Cell, Transfer

MEASURE = "pearson"


@dataclass(frozen=True)
class Headline:
    """A transfer table by correlation over all images, and the methods that no entry attacks at a larger strength."""

    table: Transfer
    cells: tuple[Cell, ...]
    """Of these methods under the attack on themselves."""

    @property
    def attack(self) -> str:
        """Such as `manipulation at 8/255`."""
        title = self.table.title
        return f"{title[:1].lower()}{title[1:]} at {self.table.strength_text}"


def judged(result: AuditResult) -> tuple[Transfer, ...]:
    """The transfer tables by which attacks are judged: by correlation, over all images."""
    return tuple(table for table in result.transfer if table.similarity == MEASURE and table.images == "all")


def headlines(result: AuditResult) -> tuple[Headline, ...]:
    """The largest strength first; every method that was attacked is in one for each kind of attack."""
    hardest = {facts.id for facts in strongest(result.conditions)}
    found = (Headline(table, _white_box(table, hardest)) for table in judged(result))
    return tuple(sorted((each for each in found if each.cells), key=lambda each: -each.table.strength))


def _white_box(table: Transfer, conditions: set[str]) -> tuple[Cell, ...]:
    rows = (row for row in table.rows if row.condition in conditions)
    return tuple(cell for row in rows for cell in row.cells if cell.white_box)
