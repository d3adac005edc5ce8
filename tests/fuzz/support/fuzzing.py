"""What all fuzz tests share: seeded examples, their counts by kind, and the law of a refusal."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guard import Guard
from hypothesis import HealthCheck, Phase, seed, settings

from srd.errors import InputError

SEED = int(os.environ.get("FUZZ_SEED", "1"))
SCALE = float(os.environ.get("FUZZ_SCALE", "1"))
"""The share of the examples that are tried."""
SECONDS = 20
"""The budget of an example. An image of the most pixels takes a third of it."""
LONGEST = 8000  # characters of a refusal: eight lines, each with a path and the message of a parser
counts: Counter[str] = Counter()
"""The number of examples by `what: kind of edit`, and by `what -> outcome`."""


def examples(n: int, is_slow: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that tries a test on `n` examples, the same ones each time.

    A failing example of a slow test is shown as it was drawn: to find a smaller one takes hundreds of others.
    """
    chosen = settings(
        max_examples=max(1, round(n * SCALE)),
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, *[Phase.shrink] * (not is_slow)],
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: seed(SEED)(chosen(test))


def count(what: str, kind: str) -> None:
    """Count an example by what it is and how it was edited."""
    counts[f"{what}: {kind}"] += 1


def refuse_or_return(read: Callable[[], Any], home: Path, what: str) -> str:
    """Read what an edit has damaged, under guard; count and return the outcome.

    Whatever is refused is an InputError with one printable message. Anything else that is raised fails the test.
    """
    beside = home.parent / "beside"
    with Guard([home], [beside], SECONDS).watch():
        try:
            read()
            outcome = "read"
        except InputError as error:
            check_message(str(error))
            outcome = type(error).__name__
    counts[f"{what} -> {outcome}"] += 1
    return outcome


def check_message(message: str) -> None:
    assert message
    assert len(message) <= LONGEST, message
    assert message.replace("\n", "").isprintable(), repr(message)
    assert "Traceback" not in message, message


def summary(found: Counter[str]) -> list[str]:
    """Return the lines that tell how many examples were tried, of what kind, and how they ended."""
    tried = {name: n for name, n in found.items() if "->" not in name}
    lines = [f"{n:6} {name}" for name, n in sorted(found.items())]
    return [*lines, f"{sum(tried.values())} examples of {len(tried)} kinds, seed {SEED}, scale {SCALE:g}"]
