"""Every page is written by the one function that follows no link."""

import ast
from pathlib import Path

import reports

HOME = Path(reports.__file__).parent
DOORS = frozenset("write_text write_bytes mkdir rmtree unlink open symlink_to touch".split())


def writes(file: Path) -> set[str]:
    """Return the names of the calls in a module that may write beside the one function."""
    calls = (node.func for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)} & DOORS


def test_no_module_of_reports_writes_by_itself() -> None:
    found = {str(file.relative_to(HOME)): writes(file) for file in HOME.rglob("*.py")}
    assert {name: calls for name, calls in found.items() if calls} == {
        "cli/ending.py": {"open"},  # the device that takes what no output takes
        "cli/model_commands.py": {"write_text"},  # init, of a file that is not there
    }
