"""Figures say in words what they show, and stay readable with any number of methods."""

import re
from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from attacks.registry import PERTURBATIONS
from reports.audit.page import pictures
from reports.audit.sections import AuditResult
from reports.plot_primitives import Picture, grid, label_methods, name_families, row_ends
from reports.style import colour
from srd.registry import ATTRIBUTORS

Made = Callable[..., AuditResult]
VALUES = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
CLEAN = {"other_class": {"srd": 0.31, "saliency": 0.62, "random": 0.13}, "localisation": {"srd": 0.5}}


def drawn(result: AuditResult) -> dict[str, Picture]:
    return {picture.name: picture for picture in pictures(result)}


def test_the_scale_of_a_run_without_attack_has_nothing_coloured(made: Made) -> None:
    scale = drawn(made({"random_sign@8/255": VALUES}, **CLEAN))["references"]
    assert scale.caption.endswith("grey, the clean map against other maps.")
    assert scale.alt.endswith("Random (control): other class 0.13, other image 0.00.")


def test_the_scale_tells_every_strength_at_which_methods_were_attacked(made: Made) -> None:
    correlations = {
        "manipulate:srd@8/255": VALUES | {"srd": 0.55},
        "manipulate:srd@16/255": VALUES | {"srd": 0.21},
        "manipulate:saliency@8/255": VALUES | {"saliency": 0.42},
        "random_sign@8/255": VALUES,
        "random_sign@16/255": VALUES | {"srd": 0.74},
    }
    scale = drawn(made(correlations, **CLEAN))["references"]
    assert scale.caption.endswith("coloured, against the map of the same image after perturbation.")
    assert " after manipulation at 16/255, of this method: SRD 0.21." in scale.alt
    assert " after manipulation at 8/255, of this method: Saliency 0.42." in scale.alt
    assert " after a random change of 16/255 (L-inf): SRD 0.74, Saliency 0.80, Random (control) 0.00." in scale.alt


def test_stability_tells_each_method_at_the_largest_strength_it_met(made: Made) -> None:
    correlations = {
        "manipulate:srd@8/255": VALUES | {"srd": 0.55},
        "manipulate:srd@16/255": VALUES | {"srd": 0.21},
        "manipulate:saliency@8/255": VALUES | {"saliency": 0.42},
    }
    picture = drawn(made(correlations, **CLEAN))["stability-pearson-all"]
    assert "of growing strength from top to bottom" in picture.caption
    assert picture.alt.endswith("Manipulation at 16/255: SRD 0.21; Manipulation at 8/255: Saliency 0.42.")


KEPT_BY_NONE = [(), ("manipulate",), ("manipulate", "top_k")]


@pytest.mark.parametrize("empty", KEPT_BY_NONE)
def test_panels_of_no_image_are_left_out_and_named(made: Made, empty: tuple[str, ...]) -> None:
    names = ("random_sign@8/255", "manipulate:srd@8/255", "top_k:srd@8/255")
    result = made(dict.fromkeys(names, VALUES), **CLEAN)
    none = {"value": None, "low": None, "high": None, "n": 0}
    kept = tuple(
        each.model_copy(
            update={"images": "prediction kept"}
            | (
                {"estimate": each.estimate.model_copy(update=none)}
                if each.condition.startswith(empty) and empty
                else {}
            )
        )
        for each in result.stability
    )
    picture = drawn(result.model_copy(update={"stability": (*result.stability, *kept)}))[
        "stability-pearson-prediction-kept"
    ]
    titles = [PERTURBATIONS[name].title for name in empty]
    told = f"Left out, for no image kept its class: {' and '.join(titles)}."
    assert (told in picture.caption) == bool(empty)
    assert ("Left out" in picture.caption) == bool(empty)
    assert b"Random signs" in picture.svg
    assert [title.encode() in picture.svg for title in titles] == [False] * len(titles)


def marks(svg: bytes) -> dict[bytes, bytes]:
    """Return the colour with which each place of a mark is filled last, and so seen."""
    return dict(re.findall(rb'<use [^>]*(x="[0-9.]+" y="[0-9.]+") style="fill: (#[0-9a-f]+)', svg))


@pytest.mark.parametrize("doubted", [(), ("srd",), ("saliency",), ("srd", "saliency")])
def test_a_mark_is_hollow_where_its_attack_is_in_doubt(made: Made, doubted: tuple[str, ...]) -> None:
    conditions = {f"manipulate:{name}@8/255": VALUES for name in ("srd", "saliency")}
    verdicts = {f"manipulate:{name}@8/255": "attack unreliable" for name in doubted}
    picture = drawn(made(conditions, verdicts=verdicts, **CLEAN))["stability-pearson-all"]
    assert list(marks(picture.svg).values()).count(b"#ffffff") == len(doubted)
    assert picture.caption.endswith("Hollow: the attack is in doubt.") == bool(doubted)


PAGE = 12.1
"""Inches between the margins of the page."""


@pytest.mark.slow
def test_no_figure_is_wider_than_the_page_however_many_methods(made: Made) -> None:
    every = dict.fromkeys(ATTRIBUTORS, 0.5)
    attacks = {f"manipulate:{name}@8/255": every for name in ATTRIBUTORS}
    result = made(attacks | {"random_sign@8/255": every}, methods=every, other_class=every, localisation=every)
    found = drawn(result)
    assert set(found) == {
        "accuracy",
        "headline",
        "stability-pearson-all",
        "references",
        "transfer-manipulate-8-255-pearson",
        "localisation",
    }
    for picture in found.values():
        (points,) = re.findall(rb'<svg [^>]*width="([0-9.]+)pt"', picture.svg)
        assert float(points) / 72 <= PAGE, picture.name


def test_each_row_has_the_name_of_its_method_and_the_first_of_a_family_that_of_the_family() -> None:
    axes = Figure().subplots()
    label_methods(axes, list(ATTRIBUTORS), {})
    name_families(axes, list(ATTRIBUTORS))
    assert [label.get_text() for label in axes.get_yticklabels()] == [entry.title for entry in ATTRIBUTORS.values()]
    families = [entry.family for entry in ATTRIBUTORS.values()]
    assert {text.get_text(): (text.get_position()[1], text.get_color()) for text in axes.texts} == {
        family: (families.index(family), colour(family)) for family in families
    }


def test_an_incomplete_grid_has_ticks_below_and_names_beside_each_row() -> None:
    panels = grid(Figure(), 3, 5)
    places = [(spec.rowspan.start, spec.colspan.start) for spec in (axes.get_subplotspec() for axes in panels) if spec]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert [axes.xaxis.get_tick_params()["labelbottom"] for axes in panels] == [False, False, True, True, True]
    assert row_ends(panels, 3) == [panels[2], panels[4]]
    assert row_ends(panels[:3], 3) == [panels[2]]
    assert row_ends(panels[:1], 1) == [panels[0]]
