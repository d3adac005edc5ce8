"""The origin of an error, as text that travels between processes, into logs and into the store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary, TracebackException, extract_tb

from pipeline.machine.sources import INSTALLED, OURS, ROOT, STDLIB
from srd.errors import AuditError

LIBRARIES = frozenset("numcodecs numpy obstore PIL scipy sklearn skimage torch torchattacks xarray zarr".split())
"""Libraries whose errors are their callers' fault; other libraries hold networks."""


@dataclass(frozen=True)
class Origin:
    """The place that an error comes from."""

    traceback: str
    """The traceback as Python prints it, with paths that begin at a package or at the folder of the spec."""
    place: str
    """File, line and function of the user's code that failed, such as `network.py, line 12, in forward`; else ""."""
    is_own: bool
    """Whether code of this project failed, and did not refuse on purpose."""


def locate(error: BaseException, base: Path) -> Origin:
    """Find where an error was raised; paths of the user's code are shortened to begin at `base`."""
    frames = extract_tb(_cause(error).__traceback__)
    blamed = _blamed_frame(frames)
    is_ours = blamed is not None and _is_ours(Path(blamed.filename))
    is_refusal = isinstance(error, (AuditError, MemoryError))
    return Origin(_text(error, base), locate_frame(frames, base), is_ours and not is_refusal)


def locate_frame(frames: Sequence[FrameSummary], base: Path) -> str:
    """Return file, line and function of the user's code in a stack, as `Origin.place` names them, or ""."""
    blamed = _blamed_frame(frames)
    return "" if blamed is None or _is_ours(Path(blamed.filename)) else _in_words(blamed, base)


def _cause(error: BaseException) -> BaseException:
    """Return the first error of a chain, from which the others were raised."""
    return error if error.__cause__ is None else _cause(error.__cause__)


def _blamed_frame(frames: Sequence[FrameSummary]) -> FrameSummary | None:
    """Return the innermost frame outside of the standard library and the called libraries."""
    return next((frame for frame in reversed(frames) if not _is_called(Path(frame.filename))), None)


def _is_called(file: Path) -> bool:
    package = _package(file)
    if package is None:
        return file.is_relative_to(STDLIB) or str(file).startswith("<")
    return package[0] in LIBRARIES or package[:2] == ("torchvision", "transforms")


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in OURS


def _package(file: Path) -> tuple[str, ...] | None:
    """Return the path of an installed file from its package on; None for other files."""
    at = next((number for number, part in enumerate(file.parts) if part in INSTALLED), None)
    return None if at is None else file.parts[at + 1 :]


def _in_words(frame: FrameSummary, base: Path) -> str:
    return f"{_short(Path(frame.filename), base)}, line {frame.lineno}, in {frame.name}"


def _short(file: Path, base: Path) -> str:
    package = _package(file)
    if package is not None:
        return str(Path(*package))
    home = next((home for home in (base, ROOT, STDLIB) if file.is_relative_to(home)), None)
    return file.name if home is None else str(file.relative_to(home))


def _text(error: BaseException, base: Path) -> str:
    described = TracebackException.from_exception(error)
    for part in _chain(described):
        for frame in part.stack:
            _ = frame.line  # read while the path leads to the file
            frame.filename = _short(Path(frame.filename), base)
    return "".join(described.format())


def _chain(described: TracebackException) -> Iterator[TracebackException]:
    yield described
    for other in (described.__cause__, described.__context__):
        if other is not None:
            yield from _chain(other)
