"""Phases are told when they begin, and counts of them not too often."""

import pytest

from pipeline.machine import phases
from pipeline.machine.phases import Phase, count_aloud, name_aloud


@pytest.mark.parametrize("n", [0, 1, 63])
def test_a_quick_count_is_told_once(n: int) -> None:
    told: list[Phase] = []
    assert list(count_aloud(range(n), "reading images", told.append)) == list(range(n))
    assert told == [Phase("reading images", f"1/{n}")] * bool(n)


@pytest.mark.parametrize("seconds", [0.125, 0.25, 1.0])
def test_a_slow_count_is_told_four_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    told: list[Phase] = []
    times = iter(range(100))
    monkeypatch.setattr(phases, "monotonic", lambda: next(times) * seconds)
    list(count_aloud(range(8), "reading", told.append))
    every = max(1, round(phases.PERIOD / seconds))
    assert [phase.detail for phase in told] == [f"{number}/8" for number in range(1, 9, every)]


def test_every_name_is_told_before_it_is_tried() -> None:
    told: list[str] = []
    for name in name_aloud(["srd", "saliency", "grad_cam"], "trying method", lambda phase: told.append(str(phase))):
        assert told[-1].endswith(name)
    assert told == ["trying method 1/3: srd", "trying method 2/3: saliency", "trying method 3/3: grad_cam"]


def test_a_phase_in_words() -> None:
    assert [str(Phase("loading")), str(Phase("writing report", "40 %"))] == ["loading", "writing report 40 %"]
