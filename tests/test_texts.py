"""Every text is read and written as UTF-8, and says so: an encoding that is not named is that of the locale."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("srd", "attacks", "pipeline", "reports", "benchmarks", "tests")
OF_PATHS = {"read_text": 0, "write_text": 1}
"""The methods that take an encoding after so many arguments."""
OF_PROCESSES = frozenset({"text", "universal_newlines"})
OPEN = frozenset({"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"})
OTHER_OPENS = frozenset({"zarr.open", "tarfile.open"})
MODES = frozenset("rwxabt+")


def unnamed(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of calls that leave an encoding to the locale."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        name = "" if ast.unparse(call.func) in OTHER_OPENS else name
        keywords = {keyword.arg for keyword in call.keywords}
        is_text = len(call.args) <= OF_PATHS[name] if name in OF_PATHS else name in OPEN and opens_text(call)
        of_process = any(keyword.arg in OF_PROCESSES and is_true(keyword.value) for keyword in call.keywords)
        if not keywords & {"encoding", None} and (is_text or of_process):
            yield call.lineno


def is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def opens_text(call: ast.Call) -> bool:
    values = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    words = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    modes = [word for word in words if 0 < len(word) < 4 and MODES.issuperset(word)]
    return bool(modes) and not any("b" in mode for mode in modes)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_names_its_encoding(package: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for line in unnamed(ast.parse(file.read_bytes()))
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text('x', encoding='utf-8')", False),
        ("path.write_text('x')", True),
        ("open(path, 'w')", True),
        ("open(path, 'wb')", False),
        ("path.open('a')", True),
        ("run([], text=True)", True),
        ("run([], encoding='utf-8')", False),
        ("location.open(read_only=True)", False),
    ],
)
def test_a_text_without_encoding_is_found(text: str, is_found: bool) -> None:
    assert bool(list(unnamed(ast.parse(text)))) is is_found
