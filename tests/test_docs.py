"""Documentation leads somewhere: links, paths and commands in it exist."""

import re
import shlex
from pathlib import Path
from shutil import copytree

import pytest
from command_line import Command

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted([README, *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:srd|attacks|pipeline|reports|tests|docs|specs|benchmarks)/[\w./-]*)`")
COMMAND = re.compile(r"^    (make|\.venv/bin/srd-audit) (.*)$", re.MULTILINE)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """Headings as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for link in (link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_every_path_of_the_project_exists(page: Path) -> None:
    missing = [path for path in PATH.findall(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()]
    assert missing == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(README.parent / link).resolve() for link in LINK.findall(README.read_text(encoding="utf-8"))}
    assert set(PAGES) - {README} <= linked


def test_the_readme_is_short_and_begins_with_its_two_commands() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= 900
    assert [words for _, words in COMMAND.findall(README.read_text(encoding="utf-8"))][:2] == ["audit", "test"]


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        named = {
            words.split()[0] for tool, words in COMMAND.findall(page.read_text(encoding="utf-8")) if tool == "make"
        }
        assert named <= targets, page.name


@pytest.mark.slow
def test_every_command_of_the_readme_runs(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copytree(ROOT / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    commands = [
        shlex.split(words) for tool, words in COMMAND.findall(README.read_text(encoding="utf-8")) if tool != "make"
    ]
    assert len(commands) >= 8
    for words in commands:
        ended = command(*words)
        assert ended.code == 0, (words, ended.err)
