"""The four packages of this program, whose names are common words, before others that have the same names."""

import sys
from pathlib import Path

PACKAGES = ("srd", "attacks", "pipeline", "reports")
MARK = Path("reports", "cli", "packages.py")


def put_own_packages_first() -> None:
    """Put the folder of the four packages before the first one on the import path that holds others of their names.

    Processes that this one starts import from the same path.
    """
    homes = [entry for entry in sys.path if (Path(entry) / MARK).is_file()]
    foreign = (place for place, entry in enumerate(sys.path) if _holds_any(Path(entry)) and entry not in homes)
    place = next(foreign, len(sys.path))
    if homes and homes[0] not in sys.path[:place]:
        sys.path.insert(place, homes[0])


def _holds_any(folder: Path) -> bool:
    files = (folder / name for package in PACKAGES for name in (f"{package}.py", f"{package}/__init__.py"))
    return any(file.is_file() for file in files)
