"""The files that a module needs are found in the texts: nothing that it may import is missed."""

import ast
from hashlib import sha256

import pytest

from pipeline.machine import imports
from pipeline.machine.imports import followed_files, imports_of_ours
from pipeline.machine.sources import COMPUTING, ROOT

SOURCES = {
    "srd/__init__.py": "",
    "srd/plain.py": "import srd.other, os",
    "srd/other.py": "from srd.deep import module, name",
    "srd/deep/__init__.py": "from . import beside",
    "srd/deep/module.py": "",
    "srd/deep/beside.py": "from .. import above",
    "srd/above.py": "",
    "srd/late.py": "def f():\n    from srd import above\n    class A:\n        import srd.deep.module",
    "srd/named.py": "import importlib\nimportlib.import_module('srd.above')\nimport_module('srd.deep.module')",
    "srd/typed.py": "import typing\nif typing.TYPE_CHECKING:\n    import srd.plain\nelse:\n    import srd.above",
    "srd/ring.py": "import srd.round",
    "srd/round.py": "import srd.ring",
    "srd/valued.py": "name = 'srd.plain'\nimport_module(name)",
}
DEEP = {"deep/__init__", "deep/beside", "above"}


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    contents = {name: text.encode() for name, text in SOURCES.items()}
    monkeypatch.setattr(imports, "_contents", lambda: contents)
    monkeypatch.setattr(imports, "_imported_modules", imports._imported_modules.__wrapped__)
    return contents


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("srd.plain", {"plain", "other", "deep/module", *DEEP}),
        ("srd.deep.beside", DEEP),
        ("srd.late", {"late", "deep/module", *DEEP}),
        ("srd.named", {"named", "deep/module", *DEEP}),
        ("srd.typed", {"typed", "above"}),
        ("srd.ring", {"ring", "round"}),
        ("srd.valued", {"valued"}),
        ("srd.nowhere", set()),
        ("", set()),
    ],
)
def test_imports_are_followed_wherever_they_stand(sources: dict[str, bytes], module: str, found: set[str]) -> None:
    package = {"srd/__init__.py"} if module else set()
    assert followed_files([module]).keys() == {f"srd/{name}.py" for name in found} | package


def test_a_file_that_is_empty_counts_as_well(sources: dict[str, bytes]) -> None:
    assert followed_files(["srd.above"])["srd/above.py"] == sha256(b"").hexdigest()


def test_of_somebody_elses_source_only_what_is_ours_counts() -> None:
    content = b"import os, srd.rules\nfrom . import x\nfrom pipeline.demo import networks\nimport torch"
    found = imports_of_ours(content)
    assert {"srd.rules", "pipeline.demo", "pipeline.demo.networks"} <= found
    assert not {"os", "torch"} & found
    assert imports_of_ours(b"print 'srd'") == imports_of_ours(b"from srd import (") == frozenset()


def test_real_files_have_their_own_digests() -> None:
    found = followed_files(["srd.baselines.grad_cam", "attacks.explanations.universal"])
    assert all(digest == sha256((ROOT / file).read_bytes()).hexdigest() for file, digest in found.items())
    assert "srd/rules.py" in found
    assert "srd/baselines/rise.py" not in found


VALUED = {
    "srd/__init__.py": "names that `from srd import` reads later",
    "srd/entries.py": "entries, which a stage's row names",
    "srd/defaults.py": "the class of options that a function takes, which its own module imports",
    "attacks/predictions/entries.py": "entries",
    "pipeline/plan/stage.py": "the function of a stage",
    "pipeline/store/exports.py": "libraries that export",
    "pipeline/inputs/data.py": "the readers of formats, which `stage_sources` names",
    "pipeline/inputs/libraries/library.py": "libraries of networks",
    "pipeline/inputs/model_loading.py": "the network of a spec",
    "pipeline/execution/on_dask/clusters.py": "clusters, which change no byte",
}
"""The files in which a module is imported that a value names, and which values."""


def _imports_what_a_value_names(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith(("import_module", "__import__")) and not isinstance(
        call.args[0], ast.Constant
    )


def test_modules_that_a_value_names_are_known() -> None:
    """Whoever adds one must say which stages it belongs to."""
    found = set()
    for package in COMPUTING:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _imports_what_a_value_names(node):
                    found.add(file.relative_to(ROOT).as_posix())
    assert found == VALUED.keys()


def test_nobody_reads_names_of_srd_that_are_imported_later() -> None:
    """`from srd import decompose` names no module, so nothing would be followed."""
    import srd

    for package in COMPUTING:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "srd" and file.parent.name != "srd":
                    assert not srd._HOMES.keys() & {alias.name for alias in node.names}, file
