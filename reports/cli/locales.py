"""The locale, of which nothing may depend: names of files and texts are UTF-8 wherever the command runs."""

import os
import sys
from collections.abc import Sequence

UTF8 = "PYTHONUTF8"
OUTPUT = "PYTHONIOENCODING"


def start_in_utf8() -> None:
    """Start this program again in Python's UTF-8 mode, unless names of files are UTF-8 already.

    What is printed keeps the encoding of the locale, which is that of the terminal.
    """
    command = _command_in_utf8(sys.getfilesystemencoding(), sys.executable, sys.orig_argv)
    if command and os.environ.get(UTF8) != "1":
        os.environ[UTF8] = "1"
        os.environ.setdefault(OUTPUT, f"{_output_encoding()}:backslashreplace")
        os.execv(command[0], command)


def _command_in_utf8(encoding: str, interpreter: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that starts the program again; nothing if that is not needed or not possible."""
    return [] if encoding.lower() == "utf-8" or not interpreter else [interpreter, *arguments[1:]]


def _output_encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
