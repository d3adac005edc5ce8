"""The durations that tables of commands hold."""

from datetime import timedelta


def time_in_words(seconds: float) -> str:
    """Return a duration as a reader reads it."""
    return str(timedelta(seconds=round(seconds))) if seconds >= 10 else f"{seconds:.2g} s"
