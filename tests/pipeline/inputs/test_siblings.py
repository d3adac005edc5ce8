"""A user's modules may have the names of ours: each code gets its own, and both know what they were made from."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Command
from small_audits import edit, write_audit
from torch import nn

import attacks
import pipeline
import reports
import srd
from pipeline.inputs.model_loading import open_factory
from srd.errors import ModelError

OURS = {"srd": srd, "attacks": attacks, "pipeline": pipeline, "reports": reports}
NETWORK = """
from torch import nn
from {name} import SIZE
import {name}.below

class Network(nn.Linear):
    pass

def build():
    from {name} import SIZE as again
    import {name}.below.deep as deep
    assert again == SIZE and deep.SIZE == 3
    return Network(SIZE, SIZE)
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def beside(folder: Path, name: str, kind: str) -> None:
    """Write a module, a package or a folder without `__init__.py` of a name, beside a network that imports it."""
    if kind == "module":
        write(folder, {f"{name}.py": "SIZE = 3\n"})
        text = NETWORK.replace("import {name}.below\n", "").replace("    import {name}.below.deep as deep\n", "")
        write(folder, {"network.py": text.replace(" and deep.SIZE == 3", "").format(name=name)})
    elif kind == "package":
        below = {f"{name}/below/__init__.py": "", f"{name}/below/deep.py": "from .. import SIZE\n"}
        write(folder, {f"{name}/__init__.py": "SIZE = 3\n", **below, "network.py": NETWORK.format(name=name)})
    else:
        text = NETWORK.format(name=name).replace(f"from {name} import", f"from {name}.sizes import")
        write(folder, {f"{name}/sizes.py": "SIZE = 3\n", f"{name}/below/deep.py": "SIZE = 3\n", "network.py": text})


@pytest.mark.parametrize("kind", ["module", "package", "folder"])
@pytest.mark.parametrize("name", OURS)
def test_a_module_of_our_name_beside_a_network_is_the_networks(tmp_path: Path, name: str, kind: str) -> None:
    beside(tmp_path, name, kind)
    before = {each: module for each, module in sys.modules.items() if not each.startswith("audited_")}
    with open_factory("network.py:build", tmp_path) as factory:
        for _ in range(2):
            network = factory.build()
            assert sys.modules[name] is OURS[name]
    assert isinstance(network, nn.Linear)
    assert network.in_features == 3
    assert {each: module for each, module in sys.modules.items() if not each.startswith("audited_")} == before


@pytest.mark.parametrize("kind", ["module", "package", "folder"])
def test_what_it_imports_is_in_the_fingerprint(tmp_path: Path, kind: str) -> None:
    def digest() -> str:
        with open_factory("network.py:build", tmp_path) as factory:
            factory.build()
        return factory.digest

    beside(tmp_path, "attacks", kind)
    one = digest()
    assert digest() == one
    file = next(file for file in tmp_path.rglob("*.py") if "attacks" in str(file) and file.stat().st_size)
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert digest() != one


def test_two_networks_have_each_its_own(tmp_path: Path) -> None:
    for size in (2, 5):
        beside(tmp_path / str(size), "attacks", "module")
        edit(tmp_path / str(size) / "attacks.py", "3", str(size))
    for size in (2, 5, 2):
        with open_factory("network.py:build", tmp_path / str(size)) as factory:
            assert factory.build().in_features == size


@pytest.mark.parametrize("files", [{}, {"attacks/notes.txt": "", "reports/index.html": ""}])
def test_a_folder_without_code_hides_nothing_of_ours(tmp_path: Path, files: dict[str, str]) -> None:
    text = "from torch import nn\nfrom attacks.types import Model\nfrom reports import runs\n\nbuild = nn.Identity\n"
    write(tmp_path, {"network.py": text, **files})
    with open_factory("network.py:build", tmp_path) as factory:
        assert isinstance(factory.build(), nn.Module)


def test_a_module_that_fails_leaves_ours_in_place(tmp_path: Path) -> None:
    write(tmp_path, {"network.py": "import attacks\n", "attacks.py": "raise ZeroDivisionError('theirs')\n"})
    with pytest.raises(ModelError, match=r"theirs .*attacks\.py, line 1"), open_factory("network.py:build", tmp_path):
        pass
    assert sys.modules["attacks"] is attacks


@pytest.mark.parametrize("name", OURS)
def test_a_package_of_our_name_elsewhere_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    said = rf"{name} is a package of this program, which comes first; name the file, path/to/file\.py:callable"
    with pytest.raises(ModelError, match=said), open_factory(f"{name}.network_of_mine:build", tmp_path):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_an_audit_of_such_a_network_runs(command: Command, tmp_path: Path, workers: int) -> None:
    spec = write_audit(tmp_path / "audit")
    write(tmp_path / "audit", {"attacks.py": "SIZE = 3\n", "pipeline/__init__.py": "raise SystemError\n"})
    network = spec.parent / "network.py"
    network.write_text("from attacks import SIZE\n\nassert SIZE\n" + network.read_text(encoding="utf-8"), "utf-8")
    assert command("run", spec, "--stage", "attribute", "--workers", workers).code == 0


FOREIGN = "raise SystemError('foreign')\n"


@pytest.mark.parametrize("kind", ["package", "module"])
@pytest.mark.parametrize("names", [["pipeline"], ["srd", "attacks"], ["srd", "attacks", "pipeline"]], ids=str)
def test_foreign_packages_on_the_path_break_no_command(tmp_path: Path, names: list[str], kind: str) -> None:
    write(tmp_path, {f"{name}/__init__.py" if kind == "package" else f"{name}.py": FOREIGN for name in names})
    ended = start(tmp_path, "from reports.cli import main; main()", "metrics")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_foreign_package_of_the_command_itself_breaks_none(tmp_path: Path) -> None:
    """The installed script imports `srd_audit`, a copy of `start.py`."""
    write(tmp_path, {f"{name}/__init__.py": FOREIGN for name in OURS})
    script = ROOT / "reports" / "cli" / "start.py"
    ended = start(tmp_path, f"import runpy; runpy.run_path({str(script)!r})['main']()", "metrics")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.slow
def test_workers_start_beside_foreign_packages(tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    write(tmp_path / "foreign", {f"{name}/__init__.py": FOREIGN for name in ("srd", "attacks", "pipeline")})
    program = "if __name__ == '__main__':\n    from reports.cli import main\n    main()"
    ended = start(tmp_path / "foreign", program, "run", str(spec), "--stage", "perturb", "--workers", "1")
    assert ended.returncode == 0, ended.stderr


ROOT = Path(__file__).parents[3]


def start(folder: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Start Python where others have our names: first on PYTHONPATH."""
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{ROOT}"},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
