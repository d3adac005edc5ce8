"""`srd-audit check`: the exit code, table, JSON and JUnit file of the verdicts of finished runs, and refusals."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from command_line import Command
from small_audits import copy_store, store_in

from pipeline.store.store import Store
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Decision, Outcome
from reports.audit.verdicts.fields import AuditVerdict
from reports.audit.verdicts.judging import CriterionVerdict, MethodVerdict
from reports.audit.verdicts.reasons import Reason
from reports.cli.verdicts import exit_code_of, write_junit

N = 6  # images of the shared run
OPEN = {"method": "srd", "metric": "srg_above_edges", "condition": "clean", "at_least": 0.0}
MET = {"method": "srd", "metric": "own_class", "condition": "clean", "at_least": 0.1}
MISSED = {"method": "edges", "metric": "own_class", "condition": "clean", "at_least": 0.9}
"""With 6 images, 6 hits exclude a share of 0.1, and 0 hits one of 0.9."""


def written(*criteria: Mapping[str, Any]) -> Path:
    """Write a file of criteria into the working folder."""
    path = Path("criteria.toml")
    tables = (
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"why": "a test", **each}.items())
        for each in criteria
    )
    path.write_text("".join(f"[[criterion]]\n{table}\n" for table in tables), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def unfinished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the shared run without the receipt of a task."""
    home: Path = tmp_path_factory.mktemp("unfinished") / "run"
    shutil.copytree(folder, home)
    Store(store_in(home)).receipts.withdraw(["score-00000-00"])
    return home


@pytest.mark.parametrize(("criteria", "code"), [((MET,), 0), ((MET, OPEN), 7), ((MET, OPEN, MISSED), 6)])
def test_the_exit_code_is_that_of_the_worst_verdict(
    command: Command, folder: Path, criteria: tuple[Mapping[str, Any], ...], code: int
) -> None:
    """`edges` is a control, of which an audit is judged only if it is named."""
    named = [argument for each in criteria for argument in ("--method", each["method"])]
    end = command("check", folder, "-k", written(*criteria), *named)
    assert (end.code, end.err) == (code, "")
    word = {0: "PASS", 7: "INCONCLUSIVE", 6: "FAIL"}[code]
    assert end.out.rstrip().splitlines()[-1].startswith(f"{word}: ")


def test_controls_are_judged_but_do_not_decide(command: Command, folder: Path) -> None:
    end = command("check", folder, "-k", written(MET, MISSED))
    assert end.code == 0
    assert "FAIL" in end.out
    told = (
        "PASS: SRD: PASS, the bound is met. Required: Maps nearer to their own class than to another: more than 10 % "
    )
    assert end.out.rstrip().splitlines()[-1].startswith(told)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [(("PASS", "WARN"), 0), (("WARN", "INCONCLUSIVE"), 7), (("INCONCLUSIVE", "FAIL", "PASS"), 6), ((), 7)],
)
def test_the_worst_of_several_audits_decides(outcomes: tuple[Outcome, ...], code: int) -> None:
    results: Any = {
        str(number): SimpleNamespace(audit_verdict=AuditVerdict(outcome=each, methods=("srd",), worst=("srd",)))
        for number, each in enumerate(outcomes)
    }
    assert exit_code_of(results or {"": SimpleNamespace(audit_verdict=None)}) == code


def test_json_and_junit_say_what_the_table_says(command: Command, folder: Path) -> None:
    """Long reasons stay whole: JSON with broken lines in a text could not be read."""
    why = 'Agreed, with "quotes" & <signs>: ' + "one image in ten may be explained by the map of another. " * 9
    criteria = written({**MET, "why": why.strip()}, OPEN, MISSED)
    end = command("check", folder, "-k", criteria, "--json", "--junit", "verdicts.xml", "--method", "edges",
                  "--method", "srd")  # fmt: skip
    told = json.loads(end.out)
    assert (end.code, told["schema_version"]) == (6, 4)
    assert told["criteria"][0]["why"] == why.strip()
    assert (told["audit_verdict"]["outcome"], told["audit_verdict"]["worst"]) == ("FAIL", ["edges"])
    assert [each["code"] for each in told["reason_codes"]] == list(Reason)
    outcomes = {each["method"]: [one["decided_by"]["outcome"] for one in each["criteria"]]
                for each in told["method_verdicts"]}  # fmt: skip
    assert outcomes == {"srd": ["PASS", "INCONCLUSIVE"], "edges": ["FAIL"]}
    (suite,) = ElementTree.parse("verdicts.xml").getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3", "failures": "1", "errors": "1"
    }  # fmt: skip
    cases = [(case.get("classname"), [child.tag for child in case]) for case in suite]
    assert cases == [("srd", []), ("srd", ["error"]), ("edges", ["failure"])]
    types = [child.get("type") for case in suite for child in case]
    assert types == ["TOO_FEW_IMAGES", "IGNORES_CLASS"]  # a paired difference takes 8


def test_the_default_criteria_leave_a_method_open_at_best(command: Command, folder: Path) -> None:
    end = command("check", folder, "--json", "--junit", "verdicts.xml")
    told = json.loads(end.out)
    assert end.code in (6, 7)
    assert not {each["outcome"] for each in told["method_verdicts"]} & {"PASS", "WARN"}
    assert not {"random", "edges"} & {*told["audit_verdict"]["methods"]}
    saved = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    for name in ("audit_verdict", "criteria", "method_verdicts", "multiverses", "reason_codes", "schema_version"):
        assert told[name] == saved[name], name


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\ufffe", "\ud800", "\U0001f600", "<&>'\""])
def test_a_junit_file_parses_whatever_names_hold(tmp_path: Path, character: str) -> None:
    decision = Decision(outcome="FAIL", reason=Reason.BOUND_MISSED, condition=f"noise{character}", value=0.0, low=0.0,
                        high=0.2, bound=0.9, n=9, unit="image", n_asked=9, undefined=0,
                        undefined_reasons={})  # fmt: skip
    only = CriterionVerdict(criterion=0, decisions=(decision,), decided_by=decision)
    verdict = MethodVerdict(method=f"srd{character}", outcome="FAIL", reason=Reason.BOUND_MISSED, decided_by=0,
                            criteria=(only,))  # fmt: skip
    criterion = Criterion.model_construct(metric="own_image", condition=f"noise{character}", at_least=0.9)
    result: Any = SimpleNamespace(
        audit_verdict=AuditVerdict(outcome="FAIL", methods=(verdict.method,), worst=(verdict.method,)),
        method_verdicts=(verdict,), criteria=(criterion,), title_of=str,
    )  # fmt: skip
    write_junit({f"a{character}": result}, tmp_path / "verdicts.xml")
    (suite,) = ElementTree.parse(tmp_path / "verdicts.xml").getroot()
    (case,) = suite
    shown = character if character.isprintable() else character.encode("unicode_escape").decode()
    if character != "\x7f":  # XML allows it
        assert (suite.get("name"), case.get("classname")) == (f"a{shown}", f"srd{shown}")
    assert f"under noise{shown}" in str(case[0].get("message")) or character == "\x7f"


@pytest.mark.slow
def test_a_comparison_is_judged_subject_by_subject(command: Command, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "both"
    for subject in ("one", "two"):
        copy_store(folder / "audit.zarr", run / subject / "audit.zarr")
    (run / "audit.toml").write_text(
        '[subject.one]\nmodel.spec = "demo:vgg"\ndata = { path = "demo:shapes", n = 6 }\n'
        '[subject.two]\nmodel.spec = "demo:resnet"\ndata = { path = "demo:shapes", n = 6 }\n'
        '[explain]\nmethods = ["srd"]\n[[perturbation]]\nname = "deep_fool"\n',
        encoding="utf-8",
    )
    end = command("check", run, "-k", written(MET, OPEN), "--json", "--junit", "verdicts.xml")
    told = json.loads(end.out)
    assert (end.code, end.err) == (7, "")
    assert list(told) == ["one", "two"]
    assert told["one"]["method_verdicts"] == told["two"]["method_verdicts"]
    suites = [(suite.get("name"), suite.get("tests")) for suite in ElementTree.parse("verdicts.xml").getroot()]
    assert suites == [("one", "2"), ("two", "2")]
    lines = command("check", run, "-k", written(MET)).out.splitlines()
    assert [line.split(":")[:2] for line in lines if ": PASS: " in line] == [["one", " PASS"], ["two", " PASS"]]


def test_an_unfinished_run_is_not_judged(command: Command, unfinished: Path) -> None:
    end = command("check", unfinished)
    assert (end.code, end.out) == (4, "")
    assert "1 tasks are missing" in end.err


def test_a_damaged_run_is_not_judged(command: Command, folder: Path, tmp_path: Path) -> None:
    copy_store(folder / "audit.zarr", tmp_path / "run" / "audit.zarr")
    shard = next(file for file in sorted((tmp_path / "run/audit.zarr/score/c").rglob("*")) if file.is_file())
    shard.write_bytes(shard.read_bytes()[:-9])
    end = command("check", "run")
    assert (end.code, end.out) == (3, "")
    assert "score-00000-00" in end.err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"metric": "own_imag"}, "metric = 'own_imag': no metric; did you mean 'own_image'?"),
        ({"method": "lrp"}, "number 2: method = 'lrp': is not in the run; known: all, srd, "),
        ({"condition": "rotation"}, "number 2: condition = 'rotation': is not in the run; known: clean, noise"),
        ({"condition": "noise", "strength": "0.2"}, "number 2: strength = '0.2': noise does not have it in the run"),
        ({"at_least": 1.5}, "at_least = 1.5: own_class lies in 0 to 1"),
        ({"at_least": 1.0}, "at_least = 1: own_class lies in 0 to 1, and passes strictly above its bound"),
        ({"min_n": N + 1}, f"number 2: min_n = {N + 1}: the run has {N} images; write at most {N}"),
    ],
)
def test_a_criterion_on_what_was_not_measured_is_refused(
    command: Command, folder: Path, changed: dict[str, Any], told: str
) -> None:
    end = command("check", folder, "-k", written(MET, {**MET, **changed}))
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith("error criteria.toml: ")
    assert told in end.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--method", "sdr"), "--method 'sdr': is not in the run"),
        (("--method", "saliency"), "--method 'saliency': no criterion of criteria.toml is on it; known: srd"),
        (("--junit", "missing/verdicts.xml"), "--junit missing/verdicts.xml: there is no folder missing; make it"),
        (("--junit", "."), "--junit .: is a folder; name a file"),
    ],
)
def test_a_wrong_option_is_refused(command: Command, folder: Path, arguments: tuple[str, ...], told: str) -> None:
    end = command("check", folder, "-k", written(MET), *arguments)
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith(f"error {told}")
    assert not Path("missing").exists()


@pytest.mark.parametrize("file", ["missing.toml", "."])
def test_a_file_of_criteria_that_cannot_be_read_is_refused(command: Command, folder: Path, file: str) -> None:
    end = command("check", folder, "-k", file)
    assert (end.code, end.out) == (2, "")


@pytest.mark.slow
def test_check_imports_no_torch(folder: Path, tmp_path: Path) -> None:
    code = """
import sys
from reports.cli import main

try:
    main()
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""
    end = subprocess.run(
        [sys.executable, "-c", code, "check", str(folder), "--junit", "verdicts.xml"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert end.stdout.splitlines()[-1] in ("6 False", "7 False")
