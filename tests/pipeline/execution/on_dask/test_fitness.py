"""What keeps a process from running tasks is named; what examines it needs nothing of this project."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bare_environment import bare_python
from distributed import LocalCluster

from pipeline.execution.on_dask import fitness
from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.examination import examine
from pipeline.machine.libraries import LIBRARIES
from pipeline.spec.deployment import SchedulerSpec
from srd.errors import ClusterError

PYTHON = fitness.PYTHON


def found(python: str = PYTHON, modules: tuple[str, ...] = (), **versions: str) -> list[str]:
    wrong: list[str] = examine(python, modules, versions)["wrong"]
    return wrong


def test_this_process_is_fit() -> None:
    assert examine(*fitness.requirements((*LIBRARIES, *fitness.RECEIVING)))["wrong"] == []


def test_all_that_is_wrong_is_named() -> None:
    assert found("2.7") == [f"its Python is {PYTHON}, here it is 2.7"]
    assert found(modules=("nowhere.at.all", "neither.here")) == ["it has no package neither, nowhere of this project"]
    assert found(numpy="1.0") == [f"its numpy is {np_version()}, here it is 1.0"]
    assert found(nothing_of_the_name="1.0") == ["it has no nothing_of_the_name"]


def np_version() -> str:
    import numpy as np

    return np.__version__


@pytest.mark.parametrize("text", ["", "raise SystemError", "import nowhere.at.all", "def"])
def test_a_foreign_package_of_our_name_is_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    package = tmp_path / "foreign_of_theirs"
    package.mkdir()
    (package / "__init__.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "foreign_of_theirs", raising=False)
    assert found(modules=("foreign_of_theirs.execution.calls",)) == [
        f"its foreign_of_theirs is {package / '__init__.py'}, which is not that of this project"
    ]


def test_what_is_sent_needs_nothing_of_this_project(tmp_path: Path) -> None:
    asked = fitness._ByText(f"lambda: examine{fitness.requirements(fitness.RECEIVING)!r}")
    (tmp_path / "sent").write_bytes(pickle.dumps(asked))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))()['wrong'])"
    python = bare_python(tmp_path / "bare")
    ended = subprocess.run(
        [python, "-P", "-c", program, tmp_path / "sent"], capture_output=True, encoding="utf-8", check=True, env={}
    )
    assert ended.stdout == "['it has no package attacks, pipeline, srd of this project']\n"


def test_a_refusal_names_process_host_and_what_is_missing() -> None:
    finding = {"role": "the worker tcp://a:1", "process": "/usr/bin/python on n17", "wrong": ["it has no torch", "x"]}
    fitness.refuse_unfit([{**finding, "wrong": []}])
    with pytest.raises(ClusterError) as caught:
        fitness.refuse_unfit([finding])
    assert str(caught.value) == (
        f"the worker tcp://a:1, /usr/bin/python on n17, cannot run this project: it has no torch; x; {fitness.WAY_OUT}"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PYTHON", "3.99", f"its Python is {PYTHON}, here it is 3.99"),
        ("MODULES", ("pipeline.of.tomorrow",), r"its pipeline is .*pipeline/__init__\.py, which is not that of this"),
        ("RECEIVING", ("dask", "a-library-of-tomorrow"), "it has no a-library-of-tomorrow"),
    ],
)
def test_workers_and_scheduler_of_another_environment_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any, said: str
) -> None:
    """Here it is this process that is taken for another."""
    monkeypatch.setattr(fitness, name, value)
    monkeypatch.setattr(fitness, "version", lambda name: "1.0" if "tomorrow" in name else sys_version(name))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        spec = SchedulerSpec(address=cluster.scheduler_address, worker_timeout=20)
        with pytest.raises(ClusterError, match=said) as caught, start_cluster(spec, str):
            pass
    assert sys.executable in str(caught.value)


def sys_version(name: str) -> str:
    from importlib.metadata import version

    return version(name)
