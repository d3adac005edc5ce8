"""Edits of bytes that know nothing of what these say."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[int]], int]


class Edited(NamedTuple):
    """Damaged bytes, the name of what they were, and the kind of the first edit."""

    name: str
    kind: str
    content: bytes


EXTREMES = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f",
    b"\x00" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\x00" * 1024, b"\xff" * 1024, b"\n", b'"',
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc0\x80", b"PK\x03\x04", b"\x80\x02", b"GIF89a",
)  # fmt: skip


def _place(draw: Draw, content: bytes) -> int:
    """Return a position; headers, where most can be broken, are drawn as often as all the rest."""
    most = len(content) if draw(st.integers(0, 1)) else min(len(content), 64)
    return draw(st.integers(0, most))


def _flip(draw: Draw, content: bytes) -> bytes:
    at = min(_place(draw, content), max(len(content) - 1, 0))
    return (
        content[:at]
        + bytes([byte ^ (1 << draw(st.integers(0, 7))) for byte in content[at : at + 1]])
        + content[at + 1 :]
    )


def _overwrite(draw: Draw, content: bytes) -> bytes:
    at, new = _place(draw, content), EXTREMES[draw(st.integers(0, len(EXTREMES) - 1))]
    return content[:at] + new + content[at + len(new) :]


def _insert(draw: Draw, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + EXTREMES[draw(st.integers(0, len(EXTREMES) - 1))] + content[at:]


def _cut_out(draw: Draw, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + content[at + draw(st.integers(1, 64)) :]


def _truncate(draw: Draw, content: bytes) -> bytes:
    return content[: _place(draw, content)]


def _repeat(draw: Draw, content: bytes) -> bytes:
    at, size = _place(draw, content), draw(st.integers(1, 64))
    return content[:at] + content[at : at + size] * draw(st.integers(2, 50)) + content[at + size :]


def _move(draw: Draw, content: bytes) -> bytes:
    at, to, size = _place(draw, content), _place(draw, content), draw(st.integers(1, 64))
    piece, rest = content[at : at + size], content[:at] + content[at + size :]
    return rest[:to] + piece + rest[to:]


BYTE_EDITS: Mapping[str, Callable[[Draw, bytes], bytes]] = {
    "bit flipped": _flip,
    "bytes overwritten": _overwrite,
    "bytes inserted": _insert,
    "bytes cut out": _cut_out,
    "truncated": _truncate,
    "bytes repeated": _repeat,
    "bytes moved": _move,
}


@st.composite
def edited_bytes(draw: st.DrawFn, originals: Mapping[str, bytes], most: int = 3) -> Edited:
    """Return one of these with one or a few edits."""
    name = draw(st.sampled_from(sorted(originals)))
    kinds: Sequence[str] = draw(st.lists(st.sampled_from(sorted(BYTE_EDITS)), min_size=1, max_size=most))
    content = originals[name]
    for kind in kinds:
        content = BYTE_EDITS[kind](draw, content)
    return Edited(name, kinds[0], content)
