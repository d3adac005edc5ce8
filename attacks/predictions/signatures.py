"""Parameters of the attacks of torchattacks, read from the text of the library: an import would import torch."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType


@cache
def parameters(attack: str) -> Mapping[str, object]:
    """Return the parameters of the constructor of a class of torchattacks and their defaults, without the model."""
    module = next(module for module, names in _imports() if attack in names)
    body = _parse(_folder() / f"{module.replace('.', '/')}.py")
    found = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == attack)
    constructor = next(node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    names, defaults = constructor.args.args, constructor.args.defaults
    pairs = zip(names[len(names) - len(defaults) :], defaults, strict=True)
    return MappingProxyType({name.arg: _value(default) for name, default in pairs})


def _imports() -> Iterator[tuple[str, list[str]]]:
    """Yield the modules of the library and the names that it imports from them."""
    for node in _parse(_folder() / "__init__.py"):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module), [name.name for name in node.names]


def _folder() -> Path:
    spec = find_spec("torchattacks")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("torchattacks is not installed; make install-dev installs it")
    return Path(spec.origin).parent


def _parse(file: Path) -> list[ast.stmt]:
    return ast.parse(file.read_text(encoding="utf-8")).body


def _value(default: ast.expr) -> object:
    """Return the value of a literal, or of a quotient such as 8 / 255."""
    if isinstance(default, ast.BinOp) and isinstance(default.op, ast.Div):
        value: object = ast.literal_eval(default.left) / ast.literal_eval(default.right)
        return value
    return ast.literal_eval(default)
