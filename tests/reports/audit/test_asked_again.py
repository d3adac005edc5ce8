"""Values of the images that were asked about, with the reason where one has none."""

import numpy as np
import pytest
from asked_again_stores import DEPTHS, ask_again, leave_out, set_quality, set_redrawn, srg_in_loops
from compared_methods import store_of
from hand_made_readings import readings_of

from pipeline.plan.schema import REASONS, Reason
from reports.audit.asked_again import control_leads, control_values, quality_values, redrawn_values, srg_leads

N = 12


def test_images_that_were_not_asked_about_are_not_in_the_set() -> None:
    dataset = ask_again(store_of(N, ("srd", "saliency")))
    set_quality(dataset, "srg", np.arange(N))
    leave_out(dataset, [0, 1, 2], Reason.NOT_ASKED)
    leave_out(dataset, [3], Reason.UNINFORMATIVE_FILL, "srg")
    found = quality_values(readings_of(dataset), "srd", "srg")
    assert found.counted.tolist() == list(range(4, N))
    assert found.excluded == {REASONS[Reason.UNINFORMATIVE_FILL]: 1}


@pytest.mark.parametrize(("fill", "quality"), [("blur", "srg"), ("wide_blur", "srg_wide_blur")])
@pytest.mark.parametrize("control", ["random", "edges"])
def test_a_lead_is_the_difference_of_srg_image_by_image(fill: str, quality: str, control: str) -> None:
    dataset = ask_again(store_of(N, ("srd",)))
    set_quality(dataset, quality, 0.5)
    curves = dataset.control_curve.sel(control=control, fill=fill, answer="probability", order=["most", "least"])
    expected = 0.5 - np.array(srg_in_loops(curves.transpose("image", "order", "step").values))
    assert srg_leads(readings_of(dataset), "srd", control, fill).values == pytest.approx(expected, abs=1e-12)


def test_a_control_differs_from_itself_by_nothing() -> None:
    """Its stored score is rounded to 32 bits."""
    dataset = ask_again(store_of(N, ("random",)))
    own = dataset.control_curve.sel(control="random", fill="blur", answer="probability")
    set_quality(dataset, "srg", np.array(srg_in_loops(own.transpose("image", "order", "step").values), np.float32))
    assert srg_leads(readings_of(dataset), "random", "random", "blur").values.tolist() == [0.0] * N


def test_controls_leave_out_what_methods_leave_out() -> None:
    dataset = ask_again(store_of(N, ("srd", "saliency")))
    set_quality(dataset, "srg", 0.5)
    leave_out(dataset, [2, 5], Reason.UNINFORMATIVE_FILL, "srg")
    dataset.control_curve[7] = 0.25
    dataset.control_curve[9] = np.nan
    readings = readings_of(dataset)
    for found in (control_values(readings, "edges", "srg", "blur"), control_leads(readings, "edges", "random", "blur")):
        assert found.excluded == {REASONS[Reason.UNINFORMATIVE_FILL]: 2, REASONS[Reason.NO_ANSWER_CHANGE]: 1}
        assert len(found.counted) == N - 4


def test_similarities_to_redrawn_networks_are_of_images_that_were_explained_again() -> None:
    dataset = ask_again(store_of(N, ("srd",)))
    set_redrawn(dataset, np.tile(np.arange(N) / N, (len(DEPTHS), 1)).T, "srd")
    dataset.reference_similarity.loc[{"reference": "other_image"}] = 0.25
    leave_out(dataset, [0, 1], Reason.NOT_ASKED, "complexity_rise")
    readings = readings_of(dataset)
    assert redrawn_values(readings, "srd", "1/4", "pearson").values.tolist() == [row / N for row in range(2, N)]
    above = redrawn_values(readings, "srd", "4/4#1", "pearson", "other_image")
    assert above.values.tolist() == pytest.approx([row / N - 0.25 for row in range(2, N)])
