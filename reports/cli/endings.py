"""The end of an audit, as the terminal is told of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ending:
    """The end of an audit."""

    subject: str
    """Empty for a single audit."""
    result: str
    """The path of audit.json."""
    outcome: str
    sentence: str
    """The verdict, with that of the worst method and the numbers that decided."""
