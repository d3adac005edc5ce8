"""A name that a spec may say, with facts about it, and the callable behind it, imported only when called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, TypeVar


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One registered callable; calling the entry imports and calls it."""

    name: str
    title: str
    """As a report prints it."""
    source: str
    """`module:function`."""
    options: Mapping[str, type] = field(default_factory=lambda: MappingProxyType({}))
    """Keyword arguments that a spec may set; their defaults stand in the function's signature."""
    reference: str = ""
    """Paper or standard that defines it."""

    def load(self) -> Callable[..., Any]:
        """The callable itself."""
        module, function = self.source.split(":")
        return getattr(import_module(module), function)  # type: ignore[no-any-return]

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.load()(*args, **options)


E = TypeVar("E", bound=Entry)


def registered(*entries: E) -> Mapping[str, E]:
    """Read-only mapping name -> entry, in the order given, which is the order of reports."""
    return MappingProxyType({entry.name: entry for entry in entries})
