"""Passes in which torch runs a network as it is written: nothing is compiled, nothing is computed a second time.

A compiled part shows none of its operations. A checkpointed part runs again in the backward pass, where the operations
of the second run would have to get the rules of the first. Both are only other ways to compute the same function.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

from torch import compiler
from torch.utils import checkpoint


class _EagerPasses:
    """Counts the passes at work in all threads: the first one changes how torch runs, the last one changes it back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at_work = 0
        self._changes = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._at_work:
                self._change()
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                if not self._at_work:
                    self._changes.close()

    def _change(self) -> None:
        self._changes.enter_context(_checkpoints_off())
        if "torch._dynamo" in sys.modules:  # else nothing is compiled, and its import takes seconds
            self._changes.enter_context(compiler.set_stance("force_eager"))


eager_passes = _EagerPasses()
"""Context in which checkpointed parts are called directly and compiled parts run eagerly."""


@contextmanager
def _checkpoints_off() -> Iterator[None]:
    original = checkpoint._checkpoint_impl  # torch has no public name for it, and other modules hold its caller
    checkpoint._checkpoint_impl = _call_directly
    try:
        yield
    finally:
        checkpoint._checkpoint_impl = original


def _call_directly(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], **_: Any) -> Any:
    return function(*args, **kwargs)
