"""Loggers of Dask that are quiet for a while."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_logger(name: str, least: int = logging.ERROR) -> Iterator[None]:
    """Show of a logger only what is as grave as `least` until the context ends."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(least)
    try:
        yield
    finally:
        log.setLevel(level)
