"""The names of files, which are UTF-8 unless the locale says something else."""

import sys


def blame_name(advice: str) -> str:
    """Return why a name cannot be read, and what to do: `advice`, unless the locale is to blame."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower() == "utf-8":
        return f"the name is not plain UTF-8 text; {advice}"
    return f"this locale reads names as {encoding}, not as UTF-8; set PYTHONUTF8=1, or LC_ALL=C.UTF-8"


def blame_text(error: UnicodeDecodeError) -> str:
    """Return where a content is no UTF-8, and what to do."""
    line = bytes(error.object[: error.start]).count(b"\n") + 1
    byte = error.object[error.start]
    return f"line {line} is not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8, whatever the encoding of the locale"
