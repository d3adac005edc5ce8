"""The source files that a module needs: its own, and those of all that it imports, found in the texts of the sources.

Followed are the imports of functions as well, and `import_module` of a literal; not followed are those for type
checkers alone, and modules that are named by a value, such as the callables of registries: whoever asks names them.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import resolve_name
from types import MappingProxyType

from pipeline.machine.sources import COMPUTING, ROOT

OURS_IMPORTED = re.compile(rb"^\s*(from|import)\s+(%s)\b" % "|".join(COMPUTING).encode(), re.MULTILINE)


def followed_files(modules: Iterable[str]) -> dict[str, str]:
    """Return the digests of the source files of modules and of all that they import, by path below the root.

    Followed are modules of srd, attacks and pipeline, with the packages that they lie in. A module that does not exist
    has no file.
    """
    followed: set[str] = set()
    left = [name for module in modules for name in _with_packages(module)]
    while left:
        module = left.pop()
        if module not in followed and _file(module):
            followed.add(module)
            left += _imported_modules(module)
    return {file: sha256(_contents()[file]).hexdigest() for file in sorted(map(_file, followed))}


def imports_of_ours(content: bytes) -> frozenset[str]:
    """Return what a source of somebody else imports of srd, attacks and pipeline, among names that are no modules."""
    try:
        found = _imports_in(content, "") if OURS_IMPORTED.search(content) else frozenset()
    except SyntaxError:  # a template, which nobody imports
        return frozenset()
    return frozenset(name for name in found if name.partition(".")[0] in COMPUTING)


@cache
def _contents() -> Mapping[str, bytes]:
    """Return the content of every source file, by path below the root.

    All are read at once: what a process has imported stays, even if files change later.
    """
    files = (file for package in COMPUTING for file in (ROOT / package).rglob("*.py"))
    return MappingProxyType({file.relative_to(ROOT).as_posix(): file.read_bytes() for file in files})


def _file(module: str) -> str:
    """Return the path of a module's file; "" if there is none."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}/__init__.py", f"{path}.py") if file in _contents()), "")


def _with_packages(module: str) -> Iterator[str]:
    """Yield a module and the packages that it lies in, which are imported with it."""
    parts = module.split(".")
    return (".".join(parts[: n + 1]) for n in range(len(parts)))


@cache
def _imported_modules(module: str) -> frozenset[str]:
    """Return the modules that a module imports, among names that are none."""
    file = _file(module)
    package = module if file.endswith("/__init__.py") else module.rpartition(".")[0]
    return _imports_in(_contents()[file], package)


def _imports_in(content: bytes, package: str) -> frozenset[str]:
    """Return what a source imports; relative imports are left out if it is in no package."""
    named = (name for node in _run_nodes(ast.parse(content)) for name in _named_modules(node, package))
    return frozenset(each for name in named for each in _with_packages(name))


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, except for what only a type checker reads."""
    yield node
    is_typing = isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
    for child in node.orelse if isinstance(node, ast.If) and is_typing else ast.iter_child_nodes(node):
        yield from _run_nodes(child)


def _named_modules(node: ast.AST, package: str) -> Iterator[str]:
    """Yield what a statement or call imports; of `from a import b` both `a` and `a.b`, which may be a module."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level) if package or not level:
            home = resolve_name("." * level + (module or ""), package)
            yield from (home, *(f"{home}.{alias.name}" for alias in names))
        case ast.Call(
            func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name))],
        ):
            yield name
