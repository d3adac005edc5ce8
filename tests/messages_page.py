"""The page of all refusals, read from the sources: what is refused, with which message, and where."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from srd import errors

ROOT = Path(__file__).parents[1]
PACKAGES = ("srd", "attacks", "pipeline", "reports")
SPEC = "pipeline/spec/"  # where pydantic turns a ValueError into a SpecError
HEAD = """# Messages

Every message with which something is refused, as `make docs-messages` reads them from the sources. `{...}` stands for
what the message names: a place, a value, or a list of what is known. What the exit codes mean:
[running.md](running.md#exit-codes). Errors of the disk or the network have the message of the operating system, and
exit code 5.
"""


@dataclass(frozen=True, order=True)
class Message:
    """A message of a refusal, and the file that raises it."""

    file: str
    kind: str
    exit_code: int
    text: str


def messages() -> list[Message]:
    """Return all messages of the sources, by file."""
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return list(dict.fromkeys(message for file in files for message in _messages_of(file)))


def page() -> str:
    """Return the page."""
    lines, found = [HEAD], messages()
    for file in dict.fromkeys(message.file for message in found):
        lines += [f"## {file}\n", "| exit code | kind | message |", "|---|---|---|"]
        lines += [
            f"| {each.exit_code} | {each.kind} | {each.text.replace('|', chr(92) + '|')} |"
            for each in found
            if each.file == file
        ]
        lines.append("")
    return "\n".join(lines)


def _messages_of(path: Path) -> Iterator[Message]:
    name, tree = str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        texts = {**_texts(tree), **_texts(function)}
        for node in ast.walk(function):
            call = _made_error(node)
            kind = None if call is None else _kind(call, name)
            if call is not None and kind is not None and call.args:
                yield Message(name, kind.__name__, kind.exit_code, _in_words(call.args[-1], texts))


def _made_error(node: ast.AST) -> ast.Call | None:
    """Return the call that makes what a statement raises, or returns for others to raise; None if there is none."""
    made = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
    return made if isinstance(made, ast.Call) else None


def _kind(call: ast.Call, file: str) -> type[errors.AuditError] | None:
    """Return the class of a refusal that a call makes; None if it makes none."""
    if not isinstance(call.func, ast.Name):
        return None
    if call.func.id == "ValueError" and file.startswith(SPEC):
        return errors.SpecError
    kind = getattr(errors, call.func.id, None)
    return kind if isinstance(kind, type) and issubclass(kind, errors.AuditError) else None


def _texts(scope: ast.Module | ast.FunctionDef) -> Mapping[str, ast.expr]:
    """Return the texts that names stand for."""
    nodes = scope.body if isinstance(scope, ast.Module) else list(ast.walk(scope))
    assigned = (node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name))
    return {
        node.targets[0].id: node.value  # type: ignore[attr-defined]
        for node in assigned
        if isinstance(node.value, ast.JoinedStr)
        or (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    }


def _in_words(node: ast.expr, texts: Mapping[str, ast.expr], depth: int = 3) -> str:
    if isinstance(node, ast.Name) and node.id in texts and depth:
        return _in_words(texts[node.id], texts, depth - 1)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_in_words(part, texts, depth) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _in_words(node.value, texts, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _in_words(node.left, texts, depth) + _in_words(node.right, texts, depth)
    return f"{{{_last_name(node)}}}"


def _last_name(node: ast.expr) -> str:
    """Return what an expression is about: the last name in it that is no function."""
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name | ast.Attribute)]
    called = {each.func for each in ast.walk(node) if isinstance(each, ast.Call)}
    found = [each for each in names if each not in called] or names
    if not found:
        return "..."
    first = found[0]
    return first.attr if isinstance(first, ast.Attribute) else first.id
