"""Sensitivities of the result, on changes of maps whose reductions are known."""

from math import sqrt

import numpy as np
import pytest
import xarray as xr
from compared_methods import NOISE, facts_of, store_of
from hand_made_readings import INPUTS, readings_of, set_predictions

from reports.audit.draws import FLIPPED, UNITS
from reports.audit.sections import AuditResult
from reports.audit.sensitivity.fields import MethodSensitivity
from reports.audit.sensitivity.measures import coupled_conditions, method_sensitivities
from reports.audit.sensitivity.section import left_out_sentences
from reports.audit.sensitivity.tables import coupling_table, found_table, sensitivity_tables

N = 6
DRAWS = tuple(f"{NOISE}#{draw}" for draw in (1, 2, 3))
METHODS = ("srd", "saliency")
PGD = "pgd@8/255"


def moved_store(*others: str) -> xr.Dataset:
    """Draw k moves each map by k times 0.1, of Saliency by twice as much, and each input by an L2 distance of 2."""
    dataset = store_of(N, METHODS, (*DRAWS, *others))
    for condition in ("clean", *DRAWS, *others):
        set_predictions(dataset, condition, [0] * N)
    for number, draw in enumerate((*DRAWS, *others), 1):
        for factor, method in enumerate(METHODS, 1):
            dataset.score.loc[{"perturbation": draw, "method": method, "metric": "relative_change"}] = (
                0.1 * number * factor
            )
    dataset["change"][:] = 2.0
    return dataset


def found_in(dataset: xr.Dataset) -> dict[tuple[str, str, str], MethodSensitivity]:
    found = method_sensitivities(readings_of(dataset), facts_of(dataset).conditions)
    return {(each.condition, each.method, each.name): each for each in found}


def result_of(dataset: xr.Dataset) -> AuditResult:
    result = facts_of(dataset)
    found = method_sensitivities(readings_of(dataset), result.conditions)
    return result.model_copy(update={"sensitivities": found, "couplings": ()})


@pytest.mark.parametrize(("method", "factor"), [("srd", 1), ("saliency", 2)])
def test_each_reduction_over_draws(method: str, factor: int) -> None:
    values = {name: each.estimate.value for (_, of, name), each in found_in(moved_store()).items() if of == method}
    largest = 0.3 * factor
    assert values == pytest.approx(
        {
            "max_sensitivity": largest,
            "avg_sensitivity": 0.2 * factor,
            "lipschitz_random": largest * sqrt(INPUTS) / 2,
            "ris": largest / 2,
            "ros": largest / 2,
            "rrs": largest / 2,
            "lipschitz_found": largest * sqrt(INPUTS) / 2,
        }
    )


def test_every_number_has_its_draws_n_unit_and_direction() -> None:
    for (_, _, name), each in found_in(moved_store()).items():
        assert (each.draws, each.estimate.n, each.estimate.unit, each.better) == (3, N, UNITS[name], "lower")


def test_random_conditions_alone_have_sensitivities_but_any_may_give_the_steepest_change() -> None:
    found = found_in(moved_store(PGD))
    assert {condition for condition, _, _ in found} == {NOISE, ""}
    steepest = found["", "srd", "lipschitz_found"]
    assert (steepest.draws, steepest.found_under, steepest.found_on) == (4, PGD, N)
    assert steepest.estimate.value == pytest.approx(0.4 * sqrt(INPUTS) / 2)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_draws_that_flip_the_prediction_are_counted_with_their_reason(count: int) -> None:
    dataset = moved_store()
    set_predictions(dataset, DRAWS[2], [1] * count + [0] * (N - count))
    found = found_in(dataset)
    assert found[NOISE, "srd", "ris"].draws_left_out == {FLIPPED: count}
    assert found[NOISE, "srd", "max_sensitivity"].draws_left_out == {}
    assert found[NOISE, "srd", "ris"].estimate.value == pytest.approx((0.1 * count + 0.15 * (N - count)) / N)
    (sentence,) = left_out_sentences(result_of(dataset))
    assert sentence == (
        f"Left out, all methods together: {2 * count} draws of stability relative to the input, stability relative to "
        f"the logits and stability relative to the features: {FLIPPED}."
    )


def test_each_random_change_has_a_table_of_its_own() -> None:
    dataset = moved_store("random_sign@8/255")
    noise, signs = sensitivity_tables(result_of(dataset))
    assert noise.caption == "Gaussian noise, 0.1 (3 draws): lower is better."
    assert signs.caption == "Random signs, 8/255 (1 draw): lower is better."
    assert [[cell.text for cell in row] for row in noise.rows] == [
        ["SRD", "0.300", "0.200", "0.520"],
        ["Saliency", "0.600", "0.400", "1.039"],
    ]
    assert [row[2].text for row in found_table(result_of(dataset)).rows] == ["Random signs, 8/255"] * 2


def test_without_a_perturbation_there_is_nothing_to_show() -> None:
    dataset = store_of(N, METHODS, ())
    result = result_of(dataset)
    assert result.sensitivities == ()
    assert [*sensitivity_tables(result), *found_table(result).rows, *coupling_table(result).rows] == []


@pytest.mark.parametrize(
    ("distances", "chosen"),
    [
        ({"gaussian_noise": 2.0, "random_sign": 1.0, "pgd": 1.0, "fgsm": 2.0}, [NOISE, "fgsm@8/255"]),
        ({"gaussian_noise": 1.0, "random_sign": 2.0, "pgd": 1.0, "fgsm": 2.0}, ["random_sign@8/255", "fgsm@8/255"]),
        ({"gaussian_noise": 2.0, "random_sign": 1.0, "pgd": 2.0, "fgsm": 1.0}, [NOISE, PGD]),
    ],
)
def test_coupling_is_read_where_images_moved_furthest(distances: dict[str, float], chosen: list[str]) -> None:
    dataset = moved_store("random_sign@8/255", PGD, "fgsm@8/255")
    assert coupled_conditions(facts_of(dataset, distances=distances).conditions) == chosen


def test_undefined_maps_are_told_in_the_cell() -> None:
    dataset = moved_store()
    dataset.score[0].loc[{"perturbation": DRAWS[0], "method": "srd"}] = np.nan
    (table,) = sensitivity_tables(result_of(dataset))
    assert ["1 draw left out" in row[1].detail for row in table.rows] == [True, False]
