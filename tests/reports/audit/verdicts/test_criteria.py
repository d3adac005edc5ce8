"""A file of criteria is read, or refused with place, value and way out."""

from dataclasses import replace
from pathlib import Path

import pytest

from reports.audit.verdicts.criteria import Measured, check_criteria_fit, default_criteria, read_criteria
from srd.errors import SpecError

GOOD = """
[[criterion]]
metric = "own_image"
condition = "noise"
at_least = 0.8
why = "as agreed"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "criteria.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_criteria_have_reasons() -> None:
    criteria = default_criteria()
    assert {each.metric for each in criteria} >= {"own_image", "own_class", "srg_above_edges", "weights_similarity"}
    assert all(len(each.why) > 20 for each in criteria)
    assert len({each.sentence for each in criteria}) == len(criteria)


def test_a_file_is_read(tmp_path: Path) -> None:
    (criterion,) = read_criteria(written(tmp_path, GOOD))
    assert criterion.sentence == "Maps nearer to their own image than to another: more than 80 % under noise"
    assert (criterion.method, criterion.strength, criterion.min_n) == ("all", "largest", 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"own_image"', '"own_imag"', "number 1: metric = 'own_imag': no metric; did you mean 'own_image'?"),
        ("at_least = 0.8", "at_least = 1.8", "number 1: at_least = 1.8: own_image lies in 0 to 1"),
        ("at_least = 0.8", "at_most = -0.1", "number 1: at_most = -0.1: own_image lies in 0 to 1"),
        ("at_least = 0.8", "at_least = 1.0", "at_least = 1: own_image lies in 0 to 1, and passes strictly above its"),
        ("at_least = 0.8", "at_most = 0", "at_most = 0: own_image lies in 0 to 1, and passes strictly below its bound"),
        ("at_least = 0.8", "at_least = nan", "number 1 at_least"),
        ("at_least = 0.8", "", "write at_least or at_most, one of the two"),
        ("at_least = 0.8", "at_least = 0.8\nat_most = 0.9", "write at_least or at_most, one of the two"),
        ("at_least = 0.8", "at_least = 0.8\nmin_n = 0", "number 1 min_n"),
        ('"own_image"', '"srg_above_edges"', "condition = 'noise': srg_above_edges is measured on clean images alone"),
        ('why = "as agreed"', 'why = ""', "number 1 why: is empty"),
        ('why = "as agreed"', "", "number 1 why: is missing"),
        ('why = "as agreed"', 'why = "as agreed"\nwy = 1', "number 1 wy: unknown key; did you mean 'why'?"),
        ("[[criterion]]", "[criterion]", "expected a list"),
        ("[[criterion]]", "[[criteria]]", "criteria: unknown key; did you mean 'criterion'?"),
        (GOOD, "criterion = []", "names no criterion"),
        (GOOD, "", "criterion: is missing"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(SpecError) as refusal:
        read_criteria(path)
    assert str(refusal.value).startswith(str(path))
    assert told in str(refusal.value)


CONDITIONS = {"clean": set[str](), "noise": {"0.05", "0.1"}, "attacks": {"8/255"}, "manipulate": {"8/255"}}
MEASURED = Measured(("srd", "saliency"), CONDITIONS, 36, has_masks=False, redraws=5)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("why", 'method = "sdr"\nwhy', "method = 'sdr': is not in the run; did you mean 'srd'?"),
        ('"noise"', '"nois"', "condition = 'nois': is not in the run; did you mean 'noise'?"),
        ('"noise"', '"pgd"', "condition = 'pgd': is not in the run; known: clean, noise, attacks, manipulate"),
        ("why", 'strength = "0.2"\nwhy', "strength = '0.2': noise does not have it in the run"),
        ("why", "min_n = 37\nwhy", "min_n = 37: the run has 36 images; write at most 36"),
        ('"own_image"', '"pointing_game"', "metric = 'pointing_game': needs masks of the objects, which the run"),
    ],
)
def test_a_criterion_on_what_was_not_measured_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    criteria = read_criteria(written(tmp_path, GOOD.replace(old, new)))
    with pytest.raises(SpecError, match=r"^mine: \[\[criterion\]\] number 1: ") as refusal:
        check_criteria_fit(criteria, "mine", MEASURED)
    assert told in str(refusal.value)


WEIGHTS = GOOD.replace("own_image", "weights_similarity").replace('"noise"', '"clean"')


def test_of_re_drawn_weights_the_least_count_is_of_re_draws(tmp_path: Path) -> None:
    criteria = read_criteria(written(tmp_path, WEIGHTS.replace("why", "min_n = 6\nwhy")))
    with pytest.raises(SpecError, match=r"min_n = 6: the run has 5 re-draws; write at most 5, or set measure.redraws$"):
        check_criteria_fit(criteria, "mine", MEASURED)


def test_criteria_on_what_the_spec_did_not_ask_for_are_taken(tmp_path: Path) -> None:
    """They are not measured, which the verdict says."""
    criteria = read_criteria(written(tmp_path, WEIGHTS.replace("why", "min_n = 6\nwhy")))
    check_criteria_fit(criteria, "mine", replace(MEASURED, redraws=0))


def test_criteria_on_what_was_measured_are_taken(tmp_path: Path) -> None:
    text = GOOD + GOOD.replace('"noise"', '"attacks"').replace("why", 'strength = "8/255"\nmethod = "srd"\nwhy')
    check_criteria_fit(read_criteria(written(tmp_path, text)), "mine", MEASURED)
