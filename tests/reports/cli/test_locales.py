"""Names and texts are UTF-8 whatever the locale says: the same audit, the same bytes; else the locale is blamed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dask_processes import IMPORTS
from small_audits import edit, tree, write_audit

from pipeline.inputs.stored_files import image_id
from pipeline.machine.names import blame_name, blame_text
from reports.cli.locales import _command_in_utf8
from srd.errors import DataError

PROGRAM = "from reports.cli import main; main()"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FIRST = ("--stage", "perturb")


@pytest.fixture(scope="session")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a Latin-1 locale, which this makes."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here")
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no Latin-1 can be made here")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.fixture(params=["ASCII", "Latin-1"])
def locale(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = ASCII if request.param == "ASCII" else request.getfixturevalue("latin")
    return found


def run(folder: Path, locale: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [sys.executable, "-P", "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, env=environment | IMPORTS | locale, cwd=folder, capture_output=True, check=False)


def write_beetles(folder: Path) -> Path:
    """Write an audit in whose names and texts there are other letters than ASCII's."""
    spec = write_audit(folder)
    (folder / "images").rename(folder / "Bildér")
    for place in ("Bildér", "masks"):
        (folder / place / "red" / "0.png").rename(folder / place / "red" / "Käfer 漢.png")
    edit(spec, 'path = "images"', 'path = "Bildér"  # ü')
    edit(folder / "classes.json", '"Red"', '"Röd"')
    return spec


@pytest.mark.slow
def test_an_audit_is_the_same_in_every_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    spec = write_beetles(tmp_path / "Käfig")
    here = run(tmp_path, {"LC_ALL": "C.UTF-8"}, "run", spec, "--out", "here", *FIRST)
    there = run(tmp_path, locale, "run", spec, "--out", "thére", *FIRST)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert tree(tmp_path / "here") == tree(tmp_path / "thére")
    assert run(tmp_path, locale, "status", "thére").returncode == 4


@pytest.mark.slow
def test_what_a_locale_cannot_print_is_escaped(tmp_path: Path, locale: dict[str, str]) -> None:
    ended = run(tmp_path, locale, "run", "ü 漢.toml")
    assert ended.returncode == 2
    shown = b"\xfc" if "LOCPATH" in locale else rb"\xfc"
    assert ended.stderr.startswith(b"error " + shown + rb" \u6f22.toml: ")


@pytest.mark.parametrize(
    ("encoding", "interpreter", "expected"),
    [
        ("utf-8", "/bin/python", []),
        ("UTF-8", "/bin/python", []),
        ("ascii", "/bin/python", ["/bin/python", "-P", "-c", "x", "run"]),
        ("iso8859-1", "/bin/python", ["/bin/python", "-P", "-c", "x", "run"]),
        ("ascii", "", []),
    ],
)
def test_the_same_command_starts_again_where_names_are_not_utf8(
    encoding: str, interpreter: str, expected: list[str]
) -> None:
    assert _command_in_utf8(encoding, interpreter, ["python", "-P", "-c", "x", "run"]) == expected


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
def test_the_locale_is_blamed_where_it_is_to_blame(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """As for whoever opens images from a program of his own."""
    name = Path("Ä".encode().decode(encoding, "surrogateescape"))
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    with pytest.raises(DataError, match=f"this locale reads names as {encoding}, not as UTF-8; set PYTHONUTF8=1"):
        image_id(str(name), "data.path")


def test_a_name_that_is_no_utf8_is_blamed_itself() -> None:
    assert blame_name("rename the file") == "the name is not plain UTF-8 text; rename the file"


@pytest.mark.parametrize(("content", "line"), [(b"\xe4", 1), (b"a\nb\n\xfcb", 3)])
def test_a_text_of_another_encoding_is_told_with_its_line(content: bytes, line: int) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        content.decode("utf-8")
    assert blame_text(caught.value).startswith(f"line {line} is not UTF-8 text (byte 0x")
