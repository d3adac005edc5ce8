"""The surroundings of the command that must not stop it: what libraries read of the environment, and need not."""

import os
import sys
import tempfile
from contextlib import chdir, suppress
from importlib.util import find_spec
from pathlib import Path

from reports.cli.consoles import is_terminal

TYPER_PLAIN = "_TYPER_FORCE_DISABLE_TERMINAL"
TYPER_WIDTH = "TERMINAL_WIDTH"
MATPLOTLIB_HOME = "MPLCONFIGDIR"
MATPLOTLIB_SETTINGS = "MATPLOTLIBRC"
SETTINGS = "matplotlibrc"
SHARED_MEMORY = "/dev/shm"


def settle_surroundings() -> None:
    """Set what typer and matplotlib read when they are imported: figures go to files, help to what is there."""
    os.environ["MPLBACKEND"] = "agg"  # that of a notebook exists in no other process
    if not is_terminal(sys.stdout):
        os.environ[TYPER_PLAIN] = "1"
    if not os.environ.get(TYPER_WIDTH, "80").isdigit():
        del os.environ[TYPER_WIDTH]
    if not (_can_hold_cache(_matplotlib_home()) or _has_temporary_folder()) and os.access(SHARED_MEMORY, os.W_OK):
        os.environ[MATPLOTLIB_HOME] = f"{SHARED_MEMORY}/matplotlib-{os.getuid()}"
    _pass_over_settings_of_matplotlib()


def _pass_over_settings_of_matplotlib() -> None:
    """Have matplotlib read its own settings when it is imported: figures use no others, which may be unreadable."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        return
    own = Path(found.origin).parent / "mpl-data"
    os.environ[MATPLOTLIB_SETTINGS] = str(own / SETTINGS)
    if os.path.lexists(SETTINGS):  # it would come first
        with chdir(own):
            import matplotlib as mpl  # noqa: F401


def _matplotlib_home() -> Path:
    return Path(os.environ.get(MATPLOTLIB_HOME) or os.path.expanduser("~/.cache"))  # noqa: PTH111  Path's raises where there is no home


def _can_hold_cache(folder: Path) -> bool:
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


def _has_temporary_folder() -> bool:
    with suppress(OSError):
        return bool(tempfile.gettempdir())
    return False
