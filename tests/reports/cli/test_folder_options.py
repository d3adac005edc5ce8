"""Of a folder that may be somebody else's, the place that its spec names is told before anything is read there."""

from pathlib import Path

import pytest
from command_line import Command
from small_audits import write_audit

OTHERS = {"export": ("run.nc",), "compare": ("--out", "joint")}
COMMANDS = ("status", "report", "check", "verify", "export", "compare")


def write_spec(folder: Path, url: str) -> Path:
    """Write a small spec whose store is at a URL."""
    spec = write_audit(folder)
    spec.write_text(f'{spec.read_text(encoding="utf-8")}\n[store]\nurl = "{url}"\n', encoding="utf-8")
    return spec


@pytest.mark.parametrize("url", ["memory://empty", "memory://a/b", "/nowhere/at/all"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_tells_once_where_its_store_lies(command: Command, tmp_path: Path, name: str, url: str) -> None:
    write_spec(tmp_path / "got", url).rename(tmp_path / "got" / "audit.toml")
    code, _, err = command(name, "got", *OTHERS.get(name, ()))
    told, *rest = err.splitlines()
    assert told == f"reading {url}/audit.zarr, which got/audit.toml names"
    assert code == 2
    assert not any(line.startswith("reading") and "names" in line for line in rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_spec_of_the_users_own_has_nothing_to_tell(command: Command, tmp_path: Path, name: str) -> None:
    spec = write_spec(tmp_path / "mine", "memory://empty")
    (tmp_path / "mine" / "runs" / "small").mkdir(parents=True)
    code, _, err = command(name, spec, *OTHERS.get(name, ()))
    assert code == 2
    assert "which" not in err


@pytest.mark.parametrize("name", COMMANDS)
def test_nor_has_a_folder_that_holds_its_store(command: Command, tmp_path: Path, name: str) -> None:
    write_audit(tmp_path / "got").rename(tmp_path / "got" / "audit.toml")
    code, _, err = command(name, "got", *OTHERS.get(name, ()))
    assert code == 2
    assert "audit.toml names" not in err
