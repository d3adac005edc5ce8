"""Defaults of a function's keywords, read from the text of its module: an import would import torch."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def read_defaults(module: str, function: str) -> Mapping[str, Any]:
    """Return the plain defaults of a function's keywords.

    They come from the class of options that the function `takes`, else from its signature.
    """
    spec = find_spec(module)
    body = ast.parse(Path(str(spec.origin if spec else "")).read_text(encoding="utf-8")).body
    definition = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == function)
    match definition.decorator_list:
        case [ast.Call(func=ast.Name(id="takes"), args=[ast.Name(id=options)])]:
            chosen = fields(_resolve_import(options, body))
            return {option.name: option.default for option in chosen if option.init and option.default is not MISSING}
    pairs = zip(definition.args.kwonlyargs, definition.args.kw_defaults, strict=True)
    return {name.arg: ast.literal_eval(value) for name, value in pairs if value and not isinstance(value, ast.Name)}


def _resolve_import(name: str, body: Sequence[ast.stmt]) -> Any:
    """Return the object that a module imports by this name."""
    imports = (node for node in body if isinstance(node, ast.ImportFrom))
    module = next(node.module for node in imports if name in {alias.name for alias in node.names})
    return getattr(import_module(str(module)), name)
