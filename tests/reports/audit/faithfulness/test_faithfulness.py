"""The numbers of the section on faithfulness are those of the store, recomputed in loops; and its sentences name what
an order that never saw the network beats.
"""

import numpy as np
import pytest
import xarray as xr
from asked_again_stores import STEPS, ask_again, leave_out, set_quality, srg_in_loops
from compared_methods import facts_of, store_of
from hand_made_readings import readings_of
from scipy.stats import bootstrap

from pipeline.plan.schema import REASONS, Reason
from reports.audit.facts import Identity
from reports.audit.faithfulness.fields import FaithfulnessFields
from reports.audit.faithfulness.figures import faithfulness_figures
from reports.audit.faithfulness.section import FAITHFULNESS
from reports.audit.faithfulness.sentences import NOT_ASKED, beaten_sentences, left_out_sentences
from reports.audit.faithfulness.tables import faithfulness_tables
from reports.audit.sections import AuditResult
from reports.style import figure_style
from srd.registry import QUALITIES

N = 12
METHODS = ("srd", "saliency", "integrated_gradients", "edges")
NAMES = [entry.name for entry in QUALITIES.values() if entry.category == "faithfulness"]


def store() -> xr.Dataset:
    """SRD is above both controls, Saliency near random order, Integrated Gradients below both; edges are themselves."""
    dataset = ask_again(store_of(N, METHODS))
    curves = {name: readings_of(dataset).qualities.control_curves(name, "blur") for name in ("random", "edges")}
    random, edges = (np.array(srg_in_loops(found)) for found in curves.values())
    spread = np.resize([-0.05, 0.05], N)
    for name in NAMES:
        for number, method in enumerate(METHODS):
            set_quality(dataset, name, 0.1 * (number + 1) + np.arange(N) / 100, method)
    set_quality(dataset, "srg", np.maximum(random, edges) + 0.3 + spread, "srd")
    set_quality(dataset, "srg", random + spread, "saliency")
    set_quality(dataset, "srg", np.minimum(random, edges) - 0.3 + spread, "integrated_gradients")
    set_quality(dataset, "srg", edges, "edges")
    leave_out(dataset, range(N), Reason.NOT_CLAIMED, "completeness")
    return dataset


def result_of(dataset: xr.Dataset) -> AuditResult:
    facts = facts_of(dataset).model_copy(
        update={"identity": Identity.model_construct(sizes={"image": dataset.sizes["image"]})}
    )
    return facts.model_copy(update=dict(FAITHFULNESS.numbers(readings_of(dataset), facts)))


@pytest.fixture(scope="module")
def result() -> AuditResult:
    return result_of(store())


@pytest.mark.parametrize("fill", ["blur", "black"])
@pytest.mark.parametrize("order", ["most", "least"])
def test_mean_curves_are_means_over_images_at_each_share(result: FaithfulnessFields, fill: str, order: str) -> None:
    dataset = store()
    found = {(each.method, each.is_control): each for each in result.removal_curves
             if (each.fill, each.order) == (fill, order)}  # fmt: skip
    assert found.keys() == {("random", True), ("edges", True), *((name, False) for name in METHODS)}
    for (name, is_control), curve in found.items():
        source = dataset.control_curve if is_control else dataset.curve
        where = {"control" if is_control else "method": name, "fill": fill, "order": order, "answer": "probability"}
        for step, point in enumerate(curve.points):
            values = [float(source.sel(where)[row, step]) for row in range(N)]
            mean = sum(values) / N
            assert point.removed == step / STEPS
            assert point.mean == pytest.approx(mean)
            if np.ptp(values) > 0:
                expected = bootstrap(
                    (values,), np.mean, n_resamples=2000, method="BCa", rng=np.random.default_rng(0)
                ).confidence_interval
                assert (point.low, point.high) == pytest.approx(tuple(expected), abs=1e-3)
            else:
                assert (point.low, point.high) == (None, None)
        assert (curve.n, len(curve.points)) == (N, STEPS + 1)


def test_intervals_of_mean_probabilities_hold_no_value_that_is_none() -> None:
    """Where nearly all images keep a probability of 1, mean and half a t interval reach beyond it."""
    dataset = store()
    dataset.curve.loc[{"answer": "probability"}] = 1.0
    dataset.curve[0].loc[{"answer": "probability"}] = 0.4
    curves = result_of(dataset).removal_curves
    points = [point for each in curves if not each.is_control for point in each.points]
    assert all(point.low is not None and point.high is not None for point in points)
    assert all(0 <= (point.low or 0) < point.mean < (point.high or 0) <= 1 for point in points)


@pytest.mark.parametrize("method", METHODS)
def test_qualities_are_means_over_the_images_that_were_asked_about(result: FaithfulnessFields, method: str) -> None:
    dataset, found = store(), {(each.method, each.metric): each.estimate for each in result.faithfulness}
    assert {name for _, name in found} == set(NAMES)
    for name in set(NAMES) - {"completeness"}:
        values = dataset.quality_score.sel({"method": method, "quality": name}).values
        assert found[method, name].value == pytest.approx(sum(values) / N)
        assert found[method, name].n == N


def test_controls_have_the_scores_of_their_own_curves(result: FaithfulnessFields) -> None:
    found = {(each.control, each.metric): each.estimate.value for each in result.control_scores}
    readings = readings_of(store())
    for control in ("random", "edges"):
        for fill, name in (("blur", "srg"), ("black", "srg_black")):
            expected = np.mean(srg_in_loops(readings.qualities.control_curves(control, fill)))
            assert found[control, name] == pytest.approx(expected)
    assert len(found) == 2 * 2 * 3


def test_leads_are_paired_by_image(result: FaithfulnessFields) -> None:
    dataset, readings = store(), readings_of(store())
    for each in result.removal_leads:
        over = np.array(srg_in_loops(readings.qualities.control_curves(each.over, each.fill)))
        name = "srg" if each.fill == "blur" else "srg_black"
        own = dataset.quality_score.sel({"method": each.method, "quality": name}).values if not each.is_control else (
            srg_in_loops(readings.qualities.control_curves(each.method, each.fill)))  # fmt: skip
        assert each.difference.value == pytest.approx(np.mean(own - over), abs=1e-9)
        assert each.difference.interval in {"t", "none"}
    edges = next(
        each for each in result.removal_leads if (each.method, each.over, each.fill) == ("edges",) * 2 + ("blur",)
    )
    assert edges.difference.value == 0


def test_what_an_order_without_the_network_beats_is_named_with_its_numbers(result: FaithfulnessFields) -> None:
    sentences = list(beaten_sentences(result))
    beats = [text for text in sentences if "beats" in text]
    assert len(beats) == 2
    assert all("Integrated Gradients (difference of SRG -" in text and "12)" in text for text in beats)
    assert not any("SRD" in text for text in sentences)
    assert any(text.startswith("Not told apart from random order: Saliency (difference of SRG ") for text in sentences)


def test_where_no_method_is_beaten_that_is_said() -> None:
    dataset = store()
    own = dataset.quality_score.sel({"method": "srd", "quality": "srg"}).values
    set_quality(dataset, "srg", own, "saliency")
    set_quality(dataset, "srg", own, "integrated_gradients")
    assert list(beaten_sentences(result_of(dataset))) == [
        "Every method that is no control is above random order in SRG.",
        "Every method that is no control is above order of the edges in SRG.",
    ]


def test_what_is_left_out_is_counted_with_its_reason() -> None:
    dataset = store()
    leave_out(dataset, [0, 1], Reason.NOT_ASKED)
    for name in ("deletion_black", "insertion_black", "srg_black"):
        leave_out(dataset, [2, 3, 4], Reason.UNINFORMATIVE_FILL, name)
    leave_out(dataset, [5], Reason.NO_ANSWER_CHANGE, "mu_fidelity")
    found = result_of(dataset)
    assert found.asked_about == N - 2
    assert list(left_out_sentences(found)) == [
        "Left out: 3 images of Deletion (black), Insertion (black) and Symmetric relevance gain (black): "
        f"{REASONS[Reason.UNINFORMATIVE_FILL]}.",
        f"Left out: 1 image of Mu-fidelity: {REASONS[Reason.NO_ANSWER_CHANGE]}.",
    ]
    body = FAITHFULNESS.body(found, {})
    assert f"{N - 2} of {N} images were asked about" in str(body["paragraphs"])


def test_tables_have_all_methods_and_the_controls_beside_them(result: FaithfulnessFields) -> None:
    blur, black, sums = faithfulness_tables(result)
    assert [row[0].text for row in blur.rows] == [
        "SRD", "Saliency", "Integrated Gradients", "Edges (control)", "Random order", "Order of the edges",
    ]  # fmt: skip
    assert len(black.rows) == len(METHODS) + 2
    assert [cell.text for cell in blur.rows[3]][-1] == "+0.000"
    assert [row[-1].detail for row in sums.rows] == [REASONS[Reason.NOT_CLAIMED]] * len(METHODS)
    assert len(blur.header) <= 7
    assert len(sums.header) <= 7


def test_figures_draw_each_fill_and_tell_their_numbers(result: FaithfulnessFields) -> None:
    with figure_style():
        drawn = {each.name: each for each in faithfulness_figures(result)}
    assert list(drawn) == ["removal-blur", "removal-black", "srg"]
    for each in drawn.values():
        assert "Integrated Gradients" in each.alt
        assert "andom order" in each.alt
    halfway = np.mean(store().curve.sel(
        {"method": "srd", "fill": "blur", "order": "most", "step": 0.5, "answer": "probability"}))  # fmt: skip
    assert f"SRD, most first: {float(halfway):.2f}" in drawn["removal-blur"].alt


def test_without_a_curve_of_a_method_none_is_drawn(result: FaithfulnessFields) -> None:
    """Those of the controls are there even where every map is constant."""
    curves = (each if each.is_control else each.model_copy(update={"points": ()}) for each in result.removal_curves)
    bare = result.model_copy(update={"removal_curves": tuple(curves)})
    with figure_style():
        assert [each.name for each in faithfulness_figures(bare)] == ["srg"]


def test_csv_files_have_every_number(result: FaithfulnessFields) -> None:
    frames = FAITHFULNESS.frames(result)
    assert len(frames["removal-curves"]) == 2 * 2 * (len(METHODS) + 2) * (STEPS + 1)
    assert len(frames["faithfulness"]) == len(METHODS) * len(NAMES)
    assert len(frames["removal-leads"]) == 2 * (2 * len(METHODS) + 1)
    assert len(frames["removal-controls"]) == 12


def test_a_run_that_did_not_ask_says_so() -> None:
    found = result_of(store_of(N, METHODS))
    assert (found.asked_about, found.removal_curves, found.faithfulness, found.removal_leads) == (0, (), (), ())
    assert FAITHFULNESS.body(found, {})["paragraphs"] == (NOT_ASKED,)
    assert list(FAITHFULNESS.figures(found)) == []
    assert all(frame.empty for frame in FAITHFULNESS.frames(found).values())
