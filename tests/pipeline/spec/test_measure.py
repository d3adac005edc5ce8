"""What an audit measures: everything by default, and no category, fill or number that cannot be meant."""

from typing import Any, get_args

import pytest
from small_audits import SPEC

from pipeline.plan.schema import Question
from pipeline.spec.audit import parse_spec
from pipeline.spec.measure import CATEGORIES, FILLS, MeasureSpec
from srd.entries import Category
from srd.errors import SpecError
from srd.registry import METRICS, QUALITIES


def measuring(**measure: Any) -> MeasureSpec:
    smallest = {"model": {"spec": "demo:vgg"}, "data": {"path": "demo:shapes"}, "explain": {"methods": ["srd"]}}
    return parse_spec({**smallest, "measure": measure}, "spec").measure


def test_everything_is_measured_by_default() -> None:
    default = measuring()
    assert default.categories == CATEGORIES == get_args(Category)
    assert default.fills == FILLS == ("blur", "black", "narrow_blur", "wide_blur")
    assert all(default.asks(entry.category) for entry in METRICS.values())
    assert "[measure]" in SPEC


def test_every_metric_that_asks_the_network_belongs_to_a_question() -> None:
    assert {entry.category for entry in QUALITIES.values()} == set(get_args(Question))


def test_the_order_in_which_categories_and_fills_are_named_does_not_matter() -> None:
    named = measuring(categories=["randomisation", "similarity"], fills=["wide_blur", "black", "blur"])
    assert named.categories == ("similarity", "randomisation")
    assert named.fills == ("blur", "black", "wide_blur")
    assert not named.asks("faithfulness")


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ({"categories": ["complexity"]}, r"measure\.categories: \['complexity'\] lacks 'similarity', .*; add it"),
        ({"categories": ["similarity", "faithfullness"]}, "no category is called 'faithfullness'; did you mean 'faith"),
        ({"categories": ["similarity", "similarity"]}, "'similarity' stands twice; remove one of the two"),
        ({"categories": "similarity"}, "expected a list, got 'similarity'"),
        ({"categories": ["similarity", 3]}, "no category is called 3; known: similarity, localisation"),
        ({"fills": ["black"]}, r"measure\.fills: \['black'\] lacks 'blur', which verdicts go by; add it"),
        ({"fills": ["blur", "mean"]}, "no fill is called 'mean'; known: blur, black, narrow_blur, wide_blur"),
        ({"n_faithfulness": 0}, r"measure\.n_faithfulness"),
        ({"n_randomise": 0}, r"measure\.n_randomise"),
        ({"steps": 1}, r"measure\.steps"),
        ({"steps": 1000}, r"measure\.steps"),
        ({"subsets": 1}, r"measure\.subsets"),
        ({"redraws": 0}, r"measure\.redraws"),
        ({"redrawn": 5}, r"measure\.redrawn"),
    ],
)
def test_what_cannot_be_meant_is_refused(measure: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        measuring(**measure)
