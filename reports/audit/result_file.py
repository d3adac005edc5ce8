"""The file audit.json, which ends with a digest of all that stands before it."""

import re
from hashlib import sha256
from pathlib import Path

from pipeline.machine.files import MIB, UnreadableFile, read_file
from srd.errors import DamagedStore

RESULT = "audit.json"
MOST = 512 * MIB
_END = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n}\n\Z')


def add_digest(table: str) -> bytes:
    """Return the content of the file: a JSON table, indented by 1, whose last key gets the SHA-256 of what precedes."""
    lines = table.encode().removesuffix(b',\n "sha256": ""\n}')
    return lines + f',\n "sha256": "{sha256(lines).hexdigest()}"\n}}\n'.encode()


def check_result_file(folder: Path) -> None:
    """Check that the file in a run's folder, where there is one, is as a report wrote it.

    Raises
    ------
    DamagedStore
        If it is not.
    """
    file = folder / RESULT
    if not file.exists():
        return
    try:
        content = read_file(file, MOST)
    except UnreadableFile as error:
        raise DamagedStore(f"{file}: {error}; remove it, and write the report again") from error
    end = _END.search(content)
    if end is None or sha256(content[: end.start()]).hexdigest().encode() != end[1]:
        raise DamagedStore(f"{file}: is not what a report wrote; `srd-audit report {folder}` writes it again")
