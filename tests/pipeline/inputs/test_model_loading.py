"""Laws of finding what builds a network: its own modules are found and fingerprinted, and leave no trace."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from torch import nn

from pipeline.inputs.model_loading import _import_from, open_factory
from srd.errors import ModelError


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Forgets the modules that a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def digest(base: Path, spec: str = "network.py:build") -> str:
    with open_factory(spec, base) as factory:
        assert isinstance(factory.build(), nn.Module)
    return factory.digest


NETWORK = "from torch import nn\nfrom layers import Layer\n\n\ndef build():\n    return Layer()\n"
LAYER = "from torch import nn\n\n\nclass Layer(nn.Identity):\n    pass\n"


def test_modules_beside_the_file_are_found_and_leave_no_trace(tmp_path: Path) -> None:
    path, before = list(sys.path), set(sys.modules)
    assert digest(write(tmp_path, {"network.py": NETWORK, "layers.py": LAYER}))
    assert sys.path == path
    assert {name for name in set(sys.modules) - before if not name.startswith("audited_")} == set()


def test_modules_beside_the_file_are_in_the_fingerprint_also_if_imported_late(tmp_path: Path) -> None:
    late = "def build():\n    from layers import Layer\n    return Layer()\n"
    for network in (NETWORK, late):
        one = digest(write(tmp_path, {"network.py": network, "layers.py": LAYER}))
        assert digest(tmp_path) == one
        assert digest(write(tmp_path, {"layers.py": LAYER + "# changed\n"})) != one


def test_neighbours_of_one_name_are_told_apart(tmp_path: Path) -> None:
    built = []
    for width in (3, 5):
        layers = f"from torch import nn\n\n\ndef build():\n    return nn.Linear({width}, 1)\n"
        folder = write(tmp_path / str(width), {"network.py": "from layers import build", "layers.py": layers})
        with open_factory("network.py:build", folder) as factory:
            built.append(factory.build().in_features)
    assert built == [3, 5]


def test_a_library_installed_below_the_folder_is_no_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = write(tmp_path / ".venv" / "site-packages", {"heavy/core.py": "SIZE = 3"})
    monkeypatch.syspath_prepend(site)
    one = digest(write(tmp_path, {"network.py": "import heavy.core\n" + NETWORK, "layers.py": LAYER}))
    assert "heavy.core" in sys.modules
    write(site, {"heavy/core.py": "SIZE = 4"})
    assert digest(tmp_path) == one


def test_the_standard_library_and_this_program_are_no_neighbours() -> None:
    late = ["wave", "pipeline.demo.training"]
    for name in late:
        sys.modules.pop(name, None)
    with _import_from(Path("/")) as sources:
        for name in late:
            import_module(name)
    assert sources == set()
    assert set(late) <= set(sys.modules)


def test_the_fingerprint_of_a_package_covers_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    models = "from kit.parts import Layer as build"
    write(tmp_path, {"kit/__init__.py": "", "kit/models.py": models, "kit/parts.py": LAYER, "alone.py": LAYER})
    one = digest(tmp_path, "kit.models:build")
    alone = digest(tmp_path, "alone:Layer")
    write(tmp_path, {"kit/parts.py": LAYER + "# changed\n"})
    assert digest(tmp_path, "kit.models:build") != one
    assert digest(tmp_path, "alone:Layer") == alone


def test_a_package_without_a_file_cannot_be_fingerprinted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, {"spread/models.py": LAYER})
    with (
        pytest.raises(ModelError, match="has no file to fingerprint; name a file"),
        open_factory("spread.models:Layer", tmp_path),
    ):
        pass


@pytest.mark.parametrize("place", ["pipe.py", "folder.py", "loop.py", "missing.py", "x" * 300 + ".py", "a\0b.py"])
def test_a_source_that_is_no_file_is_refused_at_once(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "loop.py").symlink_to("loop.py")
    with (
        pytest.raises(ModelError, match=r"(?s)^model\.spec: .*; relative paths start at the folder of the spec"),
        open_factory(f"{place}:build", tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise SystemExit(0)", "cannot be imported: SystemExit: 0"),
        ("import sys\n\n\ndef build():\n    sys.exit('done')\n", "the call without arguments failed: SystemExit: done"),
    ],
)
def test_a_source_that_ends_the_program_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        digest(write(tmp_path, {"network.py": text}))


def test_a_module_that_ends_the_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"cannot import 'ending\.models': SystemExit"):
        digest(write(tmp_path, {"ending/models.py": "raise SystemExit"}), "ending.models:build")
