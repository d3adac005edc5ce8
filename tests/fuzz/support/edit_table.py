"""The table of edits in docs: what was done to which file of a finished run, and how each command ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from command_line import CommandEnd
from fault_table import PLACE, WORDS
from measured_table import row
from store_edits import FILES

CELLS = 5
"""Cells of a row that are the same on every machine: what a parser says depends on where in the file a byte lies."""
HEADER = """\
# Edits of a run, and how commands end

Written by `make docs-edits`; `make test-fuzz` fails where it sees other exit codes. Each edit is of one file of a small
finished run. Then the commands read an edited copy each: `verify` the folder alone, `report`, and `run` with the same
spec up to its last stage. Their exit codes: [running.md](running.md#exit-codes).

- message: the first words of what the first command that fails says; `...` stands for places, and for more words.
- store after `run`: whether all its bytes are those of the run before the edit.

What is no regular file of the store counts as missing, a link to the same bytes included; nothing is written through a
link. `report` reads no more than what its pages show, so it ends with 0 where something else is damaged, and its pages
are then those of the sound run. A task without a receipt counts as missing.

| file | edit | `verify` | `report` | `run` | message | store after `run` |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class EditOutcome:
    """The ends of commands on an edited run, and whether `run` has mended its store."""

    ends: Mapping[str, CommandEnd]
    same: bool

    def row(self, file: str, edit: str) -> str:
        codes = (str(end.code) for end in self.ends.values())
        first = next((end for end in self.ends.values() if end.code), None)
        return row(f"`{FILES[file]}`", edit, *codes, _message(first), "same bytes" if self.same else "other bytes")


def _message(end: CommandEnd | None) -> str:
    if end is None:
        return ""
    words = PLACE.sub("...", end.err.strip().splitlines()[-1]).replace("|", "/").split()
    return f"`{' '.join(words[:WORDS])}{' ...' * (len(words) > WORDS)}`"


def page(outcomes: Mapping[tuple[str, str], EditOutcome]) -> str:
    return HEADER + "".join(outcome.row(file, edit) for (file, edit), outcome in outcomes.items())
