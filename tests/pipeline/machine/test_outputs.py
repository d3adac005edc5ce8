"""Laws of standard output: nothing that others print reaches it, whoever ends first."""

import os
import sys
from contextlib import ExitStack

import pytest

from pipeline.machine.outputs import divert_stdout


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def test_what_is_printed_goes_to_stderr_until_the_context_ends(capfd: pytest.CaptureFixture[str]) -> None:
    say("before")
    with divert_stdout():
        say("printed")
        os.write(1, b"written\n")
        os.system("echo by a child")
    say("after")
    assert capfd.readouterr() == ("before\nafter\n", "printed\nwritten\nby a child\n")


def test_contexts_may_overlap_in_any_order(capfd: pytest.CaptureFixture[str]) -> None:
    one, other = ExitStack(), ExitStack()
    one.enter_context(divert_stdout())
    other.enter_context(divert_stdout())
    one.close()
    say("within")
    other.close()
    say("after")
    os.write(1, b"written\n")
    assert capfd.readouterr() == ("after\nwritten\n", "within\n")


def test_an_error_ends_the_context(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), divert_stdout():
        raise KeyError
    say("after")
    assert capfd.readouterr().out == "after\n"
