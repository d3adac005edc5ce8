"""audit.json says when it was changed."""

import json
from pathlib import Path

import pytest

from reports.audit.result_file import RESULT, add_digest, check_result_file
from srd.errors import DamagedStore

TABLE = '{\n "n": 60,\n "verdict": "PASS",\n "sha256": ""\n}'


def test_the_file_as_it_was_written_holds(tmp_path: Path) -> None:
    check_result_file(tmp_path)
    (tmp_path / RESULT).write_bytes(add_digest(TABLE))
    check_result_file(tmp_path)
    table = json.loads((tmp_path / RESULT).read_text(encoding="utf-8"))
    assert len(table.pop("sha256")) == 64
    assert table == {"n": 60, "verdict": "PASS"}


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"60", b"61"), (b"PASS", b"FAIL"), (b"}", b" }"), (b'"n"', b'"m"'), (b'"sha256"', b'"sha512"'), (b"}\n", b"}")],
)
def test_any_change_is_damage(tmp_path: Path, old: bytes, new: bytes) -> None:
    content = add_digest(TABLE)
    assert old in content
    (tmp_path / RESULT).write_bytes(content.replace(old, new))
    with pytest.raises(DamagedStore, match=r"is not what a report wrote; `srd-audit report .*` writes it again"):
        check_result_file(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", TABLE.encode(), b"\0" * 100])
def test_what_is_no_result_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RESULT).write_bytes(content)
    with pytest.raises(DamagedStore):
        check_result_file(tmp_path)


def test_a_folder_in_its_place_is_damage(tmp_path: Path) -> None:
    (tmp_path / RESULT).mkdir()
    with pytest.raises(DamagedStore, match="is a folder"):
        check_result_file(tmp_path)
