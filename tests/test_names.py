"""Functions are named by verbs, or by what they return; docstrings are sentences."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("srd", "attacks", "pipeline", "reports", "benchmarks")
IRREGULAR = frozenset(
    "bent bound built chosen done drawn driven fallen forgotten found given gone grown held hidden kept known "
    "laid left lent lost made meant met overwritten paid rewritten said seen sent shown shrunk stood struck "
    "sunk taken thrown told torn understood withdrawn won written".split()
)
REGULAR = re.compile(r"(?!(?:seed|need|feed|speed|embed|exceed)$).*ed$")
QUESTIONS = frozenset({"is", "has", "was"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(package: str) -> Iterator[tuple[Path, ast.AST]]:
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            yield file.relative_to(ROOT), node


def is_property(function: Function) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def is_participle(name: str) -> bool:
    """Whether a name ends with a past participle and asks no question, such as `is_kept`."""
    words = name.strip("_").split("_")
    return words[0] not in QUESTIONS and bool(words[-1] in IRREGULAR or REGULAR.match(words[-1]))


@pytest.mark.parametrize("name", ["prepared", "_stated", "opened", "files_read_and_kept", "decomposed"])
def test_bare_participles_are_recognised(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize("name", ["prepare", "is_kept", "seed", "load_model", "maps", "drawn_positions"])
def test_verbs_things_and_questions_are_none(name: str) -> None:
    assert not is_participle(name)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_named_by_a_bare_participle(package: str) -> None:
    """Properties are exempt: they are read as values."""
    functions = ((file, node) for file, node in nodes(package) if isinstance(node, Function) and not is_property(node))
    assert [f"{file}:{node.lineno} {node.name}" for file, node in functions if is_participle(node.name)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_docstring_is_a_fragment(package: str) -> None:
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    texts = ((file, ast.get_docstring(node)) for file, node in nodes(package) if isinstance(node, documented))
    assert [f"{file}: {text}" for file, text in texts if text and re.match(r"(What|Of)\b", text)] == []
