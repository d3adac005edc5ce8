"""The modules beside a network's file, which may have the names of this program's own packages."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.machine.sources import OURS, ROOT


@dataclass
class Siblings:
    """The modules beside a file that have names of ours. Its code gets these, and this program its own.

    While the context `take_place` is open, `import attacks` finds `attacks.py` or a folder `attacks` beside the file;
    what was imported is kept for the next time.
    """

    folder: Path
    modules: dict[str, ModuleType] = field(default_factory=dict)
    """Those that were imported, by name."""

    @property
    def sources(self) -> set[Path]:
        """Return the files of the modules that were imported."""
        files = (getattr(module, "__file__", None) for module in self.modules.values())
        return {Path(file) for file in files if file}

    @contextmanager
    def take_place(self) -> Iterator[None]:
        """Put the modules in place of ours until the context ends."""
        names = {name for name in OURS if self._find(name) is not None}
        finder = _FinderBeside(names, self)
        ours = _take_out(names)
        sys.modules.update(self.modules)
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            self.modules |= _take_out(names)
            sys.modules.update(ours)

    def _find(self, name: str) -> ModuleSpec | None:
        """Return the module of a name beside the file; None if there is none, or if it is ours."""
        found = PathFinder.find_spec(name, [str(self.folder)])
        if found is None or self.folder.resolve() == ROOT.resolve():
            return None
        is_empty = found.origin is None and not any((self.folder / name).rglob("*.py"))
        return None if is_empty else found


@dataclass(frozen=True, eq=False)
class _FinderBeside:
    """A finder that finds some names beside a file first."""

    names: set[str]
    siblings: Siblings

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return self.siblings._find(name) if name in self.names else None


def _take_out(names: set[str]) -> dict[str, ModuleType]:
    """Take the modules of packages out of the imported ones, and return them."""
    taken = [name for name in sys.modules if name.partition(".")[0] in names]
    return {name: sys.modules.pop(name) for name in taken}
