"""Laws of finding what builds a network: its own modules are found and fingerprinted, and leave no trace."""

import os
import pickle
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from torch import nn

from pipeline.inputs.model_loading import _import_from, open_factory
from srd.errors import EndlessThread, ModelError


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Forgets the modules that a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


PARSER = "import argparse\n\nparser = argparse.ArgumentParser()\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
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
        (
            "raise SystemExit(0)",
            r"cannot be imported: SystemExit: 0, which .* \(network\.py, line 1, in <module>\); rem",
        ),
        (
            "import sys\n\n\ndef build():\n    sys.exit('done')\n",
            r"failed: SystemExit: done, .* \(network\.py, line 5, in ",
        ),
        (
            f"{PARSER}parser.add_argument('--data', required=True)\nparser.parse_args()\n",
            r"2, .* \(network\.py, line 5",
        ),
        (f"{PARSER}parser.parse_args(['--unknown'])\n", r"SystemExit: 2, which would end .*line 4"),
        ("from layers import Layer", r"SystemExit: None, .* \(layers\.py, line 2, in <module>\)"),
        (
            "\n\n1 / 0",
            r"ZeroDivisionError: division by zero \(network\.py, line 3, in <module>\); it must import as `cd",
        ),
        ("def build(:", r"SyntaxError: .*\(network\.py, line 1\); it must import as"),
    ],
)
def test_a_source_that_fails_or_ends_the_program_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        digest(write(tmp_path, {"network.py": text, "layers.py": "import sys\nsys.exit()"}))


SCRIPTS = {
    "own file": "from pathlib import Path\n\nWIDTH = int((Path(__file__).parent / 'width.txt').read_text())\n",
    "working folder": "from pathlib import Path\n\nWIDTH = int(Path('width.txt').read_text())\n",
    "arguments": f"{PARSER}parser.add_argument('--width', default=3)\nWIDTH = parser.parse_args().width\n",
    "future": "from __future__ import annotations\n\nWIDTH: Unknown = 3\n",
    "dataclass": (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n\n\n@dataclass\n"
        "class Options:\n    width: int = field(default=3)\n\n\nWIDTH = Options().width\n"
    ),
    "pickle": (
        "import pickle\n\n\nclass Options:\n    width = 3\n\n\nWIDTH = pickle.loads(pickle.dumps(Options())).width\n"
    ),
    "type hints": (
        "from typing import get_type_hints\n\n\nclass Options:\n    width: 'Width'\n\n\nclass Width:\n    n = 3\n\n\n"
        "WIDTH = get_type_hints(Options)['width'].n\n"
    ),
    "main": "WIDTH = 3\nif __name__ == '__main__':\n    raise ValueError\n",
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_file_is_imported_with_what_a_script_has(tmp_path: Path, case: str) -> None:
    build = "from torch import nn\n\n\ndef build():\n    return nn.Linear(WIDTH, 1)\n"
    here, arguments = Path.cwd(), list(sys.argv)
    write(tmp_path, {"network.py": SCRIPTS[case] + build, "width.txt": "3"})
    with open_factory("network.py:build", tmp_path) as factory:
        assert factory.build().in_features == 3
    assert (Path.cwd(), sys.argv) == (here, arguments)


def test_the_call_reads_from_the_folder_as_well(tmp_path: Path) -> None:
    head = "from pathlib import Path\n\nfrom torch import nn\n\n\n"
    build = f"{head}def build():\n    return nn.Linear(int(Path('width.txt').read_text()), 1)\n"
    with open_factory("network.py:build", write(tmp_path, {"network.py": build, "width.txt": "3"})) as factory:
        assert factory.build().in_features == 3


def test_a_network_can_be_pickled_after_it_is_loaded(tmp_path: Path) -> None:
    own = "from torch import nn\n\n\nclass Own(nn.Linear):\n    pass\n\n\ndef build():\n    return Own(3, 1)\n"
    with open_factory("network.py:build", write(tmp_path, {"network.py": own})) as factory:
        network = factory.build()
    assert type(pickle.loads(pickle.dumps(network))) is type(network)


@pytest.mark.parametrize(
    "text", ["print('loud')", "import os\nos.system('echo loud')", "import os\nos.write(1, b'loud\\n')"]
)
def test_what_an_import_prints_goes_to_stderr(tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"network.py": f"{NETWORK}\n\n{text}\n", "layers.py": LAYER})
    assert digest(tmp_path)
    assert capfd.readouterr() == ("", "loud\n")


THREAD = """
from threading import Event, Thread, Timer

ended = Event()


def wait():
    ended.wait(30)


class Waiting(Thread):
    def run(self):
        while not ended.wait(0.01):
            pass


"""


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ("Thread(target=wait).start()", "line 8, in wait"),
        ("Thread(target=wait, daemon=True).start()", "line 8, in wait"),
        ("Waiting().start()", "line 1[34], in run"),
        ("Timer(30, wait).start()", ""),
    ],
)
@pytest.mark.parametrize("place", ["at import", "in the call", "before an error"])
def test_a_thread_that_is_left_running_is_refused_with_its_line(
    tmp_path: Path, start: str, line: str, place: str
) -> None:
    text = {
        "at import": f"{THREAD}{start}\n\n\ndef build():\n    pass\n",
        "in the call": f"{THREAD}def build():\n    {start}\n",
        "before an error": f"{THREAD}{start}\n1 / 0\n",
    }[place]
    before = set(threading.enumerate())
    try:
        with pytest.raises(EndlessThread, match=rf"starts the thread '.*', which still runs.*{line}.*; end it before"):
            digest(write(tmp_path, {"network.py": text}))
    finally:
        for thread in set(threading.enumerate()) - before:
            end(thread)


def end(thread: threading.Thread) -> None:
    if isinstance(thread, threading.Timer):
        thread.cancel()
    frame = sys._current_frames()[thread.ident or 0]
    while frame.f_back:
        if "ended" in frame.f_globals:
            frame.f_globals["ended"].set()
        frame = frame.f_back
    thread.join(5)


@pytest.mark.parametrize(
    "text",
    [
        "from threading import Thread\n\nThread(target=int).start()\n",
        "from threading import Thread\nfrom time import sleep\n\nThread(target=sleep, args=(0.2,)).start()\n",
        "from concurrent.futures import ThreadPoolExecutor\n\npool = ThreadPoolExecutor()\npool.submit(int).result()\n",
    ],
    ids=["ended", "ends soon", "pool"],
)
def test_a_thread_that_ends_by_itself_is_let_be(tmp_path: Path, text: str) -> None:
    assert digest(write(tmp_path, {"network.py": text + NETWORK, "layers.py": LAYER}))


def test_a_module_that_ends_the_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"cannot import 'ending\.models': SystemExit"):
        digest(write(tmp_path, {"ending/models.py": "raise SystemExit"}), "ending.models:build")
