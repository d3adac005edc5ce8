"""The command line: what users wrote is printed as they wrote it."""

from pathlib import Path
from shlex import quote

import pytest
from command_line import Command
from small_audits import write_audit

from pipeline.execution import worker
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.location import Location
from pipeline.store.receipts import Failure, Receipts
from pipeline.store.store import NAME, Arrays

LIKE_MARKUP = ["[/x]", r"\[/x]", "[bold]x", ":x:", ":smiley:[red]", "trailing\\"]


@pytest.mark.parametrize("name", LIKE_MARKUP)
def test_messages_repeat_what_looks_like_markup(command: Command, name: str) -> None:
    code, out, err = command("report", name)
    assert (code, out) == (2, "")
    assert err == f"error {name}: no such run; start one with `srd-audit run SPEC`\n"


@pytest.mark.parametrize("name", LIKE_MARKUP)
def test_a_message_of_the_system_repeats_what_looks_like_markup(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, out, err = command("init", f"file/{name}")
    assert (code, out) == (5, "")
    assert err.startswith("error [Errno 20] ")
    assert name in err.replace("\\\\", "\\")


def test_a_failed_task_is_told_in_its_own_words(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(context: Context, task: Task) -> Arrays:
        raise ValueError(" ".join(LIKE_MARKUP))

    monkeypatch.setattr(worker, "compute", failing)
    code, _, err = command("run", write_audit(tmp_path / "audit"), "--out", "run")
    assert code == 4
    first, *_, last = (line for line in err.splitlines() if "ValueError" in line)
    assert first.startswith("failed: perturb-00000-00")
    assert last.startswith("error 8 tasks failed, the first: perturb-00000-00 failed")
    assert first.endswith(" ".join(LIKE_MARKUP))
    assert last.endswith(" ".join(LIKE_MARKUP) + "; 26 tasks that read from these were not run")


@pytest.mark.parametrize("name", ["[bold]x", ":x:"])
def test_paths_are_printed_as_they_are(command: Command, name: str) -> None:
    code, out, err = command("init", name)
    assert (code, out) == (0, f"{name}\n")
    assert err == f"written; once it names your network and your images: srd-audit run {quote(name)}\n"


def test_a_stage_that_does_not_exist_is_refused(command: Command) -> None:
    code, _, err = command("run", "no.toml", "--stage", "scores")
    assert code == 2
    assert err == "error --stage 'scores': no stage is called so; did you mean 'score'?\n"


def test_help_names_the_default_folder(command: Command) -> None:
    _, out, _ = command("run", "--help")
    assert "[default: (runs/NAME beside SPEC)]" in " ".join(out.replace("│", " ").split())


def test_status_names_the_tasks_that_failed_with_their_cause(command: Command, tmp_path: Path) -> None:
    assert command("run", write_audit(tmp_path / "audit"), "--out", "run", "--stage", "perturb").code == 0
    receipts = Receipts((Location(str(tmp_path / "run")) / NAME).open())
    receipts.record_failures(
        {"score-00001-02": Failure("ValueError: [bold]x"), "perturb-00000-00": Failure("done since")}
    )
    code, out, _ = command("status", "run")
    assert code == 4
    assert out.splitlines()[-1] == "score-00001-02: ValueError: [bold]x"
    assert "done since" not in out


@pytest.mark.parametrize("command_line", [("init", "link"), ("export", "run", "link")])
def test_no_file_is_made_through_a_link_that_leads_nowhere(
    command: Command, tmp_path: Path, command_line: tuple[str, ...]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    code, out, err = command(*command_line)
    assert (code, out, err) == (2, "", "error link: is there already; name another file\n")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["audit.toml", "logs"])
def test_a_run_writes_through_no_link_in_its_folder(command: Command, tmp_path: Path, name: str) -> None:
    spec, outside = write_audit(tmp_path / "audit"), tmp_path / "outside"
    outside.mkdir() if name == "logs" else outside.write_text(spec.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(outside)
    before = outside.stat().st_mtime_ns
    code, _, err = command("run", spec, "--out", "run", "--stage", "perturb")
    assert code == 2
    assert f"run/{name}: is a link" in err
    assert outside.stat().st_mtime_ns == before


def test_a_wrong_command_line_is_repeated_without_its_control_characters(command: Command) -> None:
    code, out, err = command("\x1b[31mrun\udcff")
    assert (code, out) == (2, "")
    assert err == "error No such command '\\x1b[31mrun\\udcff'. `srd-audit --help` tells more.\n"
