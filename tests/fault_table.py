"""The table of faults in docs: it says what each is and how it is caused; tests measure how each ends."""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass

from command_line import CommandEnd
from measured_table import origin, row

CELLS = 6
"""Of a row."""
WORDS = 14
"""The number of words of a message that the table quotes."""
PLACE = re.compile(r"'[^']*/[^']*'|(?<!\w)(\w+:/)?/\S*|\S+/\S+/\S*")

FAULTS: Mapping[str, str] = {
    "a worker dies": "SIGKILL of worker processes at 20 random times",
    "the command dies": "SIGKILL of the command, with two workers",
    "the scheduler dies": "SIGKILL of a separate `dask scheduler` with two workers",
    "a task never returns": "a network that sleeps for ever on one batch, `--task-limit 5`",
    "a task kills every worker": "a network that kills its process on one batch",
    "a task raises": "a network that raises on one batch",
    "the disk is full": "a file system with room for half of the store",
    "the store is read-only": "a file system that is remounted read-only in the middle of a run",
    "a bucket refuses to be written": "an S3 server that answers PUT with 403 in the middle of a run",
    "one write fails": "the k-th file of a task, for each k and a task of each kind",
    "one request fails": "the k-th PUT of a task, for each k and a task of each kind",
    "a shard is damaged": "a bit flipped in a shard of each array",
    "a shard is truncated": "the second half of a shard of each array cut off",
    "a shard is empty": "a shard of each array of length zero",
    "a shard is missing": "a shard of each array deleted",
    "damage after a run": "a bit flipped in a shard of each array, then `srd-audit verify FOLDER --repair`",
    "what was prepared is damaged": "each array written before the tasks: a bit flipped, cut off, empty, deleted",
    "two commands at once": "the same command started twice",
    "listings are old": "each folder of receipts is listed for ever as it was first, as NFS lists it for half a minute",
    "workers pause": "a worker whose memory is always above the threshold at which Dask pauses it",
    "a worker lacks this project": "a `dask worker` of an environment that has the libraries alone",
    "no worker comes": "a `dask scheduler` without workers, `worker_timeout = 15`",
    "nobody reads what it says": "standard error closed by its reader when the command has begun",
    "Ctrl-C": "SIGINT to the process group",
    "Ctrl-C with workers": "SIGINT to the process group, with two workers",
}
"""How each fault is caused, by its name."""

HEADER = """\
# Faults, and how runs end

Written by `make docs-faults`; `make test-faults` fails where it sees something else. Each fault hits a small audit,
through the real command line or as real processes on one machine, on a local disk or an S3 server on loopback. Then the
same command is run again without the fault, and its store compared, file by file, with that of a serial run that
nothing disturbed.

{origin}

- ends with: exit code (or signal) of the command, and the first words of the last line that the user sees; `...` stands
  for places, and for more words.
- lost: tasks that were finished and must be done again. No receipt was ever found of a task that was not.
- same command again: its exit code, and whether all bytes of the store are those of the undisturbed run.

A damaged shard is found, by the digest in its task's receipt, by the run itself where a task reads it, and that task is
done again within the run. Arrays that no task of the run reads are listed; `srd-audit verify` reads everything.

| fault | how it is caused | ends with | message | lost | same command again |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class FaultOutcome:
    """The end of a command that a fault hit, and of the same command run again."""

    end: CommandEnd
    lost: int
    again: CommandEnd
    same: bool
    unseen: tuple[str, ...] = ()
    """The arrays of which no task of the run reads what was damaged."""

    def row(self, fault: str) -> str:
        lost = f"{self.lost} task{'s' * (self.lost > 1)}" if self.lost else "nothing"
        unseen = f"; not met by the run: {', '.join(self.unseen)}" if self.unseen else ""
        bytes_ = "reference bytes" if self.same else "**other bytes**"
        again = f"{self.again.code}, {bytes_}"
        return row(fault, FAULTS[fault], _code(self.end), _message(self.end), lost + unseen, again)


def _code(end: CommandEnd) -> str:
    return str(end.code) if end.code >= 0 else f"signal {-end.code}"


def _message(end: CommandEnd) -> str:
    """Return the first words of the last line of a command that ended badly, without places of this machine."""
    lines = end.err.strip().splitlines()
    if not end.code or not lines or end.code < 0:
        return ""
    words = PLACE.sub("...", lines[-1]).replace(f" on {platform.node()}", " on ...").replace("|", "/").split()
    return f"`{' '.join(words[:WORDS])}{' ...' * (len(words) > WORDS)}`"


def page(outcomes: Mapping[str, FaultOutcome]) -> str:
    rows = (outcomes[fault].row(fault) for fault in FAULTS)
    return HEADER.format(origin=origin("dask", "zarr", "obstore", "torch")) + "".join(rows)
