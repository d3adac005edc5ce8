"""The treatment of the prediction, in closed forms."""

import torch

from attacks.explanations.predictions import MARGIN, ChangePrediction, KeepPrediction

CLEAN = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]).double().log()
"""Of classes 0 and 1."""


def test_keeping_costs_the_squared_change_of_the_probabilities() -> None:
    logits = torch.tensor([[0.4, 0.4, 0.2], [0.1, 0.8, 0.1]]).double().log()
    for price in (0.5, 2.0):
        cost = KeepPrediction(CLEAN, price, 1.0).cost(logits)
        torch.testing.assert_close(cost, price * torch.tensor([2 * 0.1**2, 0.0]).double())
    shifted = KeepPrediction(CLEAN, 1.0, 1.0).cost(logits + 7)
    torch.testing.assert_close(shifted, KeepPrediction(CLEAN, 1.0, 1.0).cost(logits))


def test_it_is_kept_where_the_class_stays_and_no_probability_leaves_the_tolerance() -> None:
    logits = torch.tensor([[0.41, 0.39, 0.2], [0.1, 0.65, 0.25]]).double().log()
    for tolerance, expected in ((0.2, [True, True]), (0.12, [True, False]), (0.05, [False, False])):
        assert KeepPrediction(CLEAN, 1.0, tolerance).holds(logits).tolist() == expected
    other = torch.tensor([[0.42, 0.43, 0.15], [0.8, 0.1, 0.1]]).double().log()
    assert KeepPrediction(CLEAN, 1.0, 1.0).holds(other).tolist() == [False, False]


def test_changing_costs_the_lead_of_the_class_before_until_it_is_a_margin_behind() -> None:
    logits = torch.tensor([[2.0, 1.0, 1.5], [0.0, -3.0, 0.5 - MARGIN]]).double()
    price = 3.0
    cost = ChangePrediction(CLEAN, price).cost(logits)
    torch.testing.assert_close(cost, price * torch.tensor([0.5 + MARGIN, 0.0]).double())
    near = torch.tensor([[1.0, 1.0 + MARGIN / 4, 0.0], [0.0, -MARGIN, -9.0]]).double()
    torch.testing.assert_close(
        ChangePrediction(CLEAN, price).cost(near), price * torch.tensor([0.75 * MARGIN, 0.0]).double()
    )


def test_it_is_changed_where_another_class_leads() -> None:
    logits = torch.tensor([[1.0, 1.1, 0.0], [0.0, 0.1, 0.0]]).double()
    assert ChangePrediction(CLEAN, 1.0).holds(logits).tolist() == [True, False]


def test_costs_have_the_slopes_of_finite_differences() -> None:
    logits = torch.tensor([[0.2, -0.1, 0.5], [0.3, 0.9, 0.1]]).double().requires_grad_()
    for prediction in (KeepPrediction(CLEAN, 2.0, 1.0), ChangePrediction(CLEAN, 2.0)):
        assert torch.autograd.gradcheck(prediction.cost, (logits,))


def test_a_control_of_a_kept_prediction_may_be_any_of_a_changed_one_only_a_change() -> None:
    logits = torch.tensor([[1.0, 1.1, 0.0], [0.0, 0.1, 0.0]]).double()
    assert KeepPrediction(CLEAN, 1.0, 0.0).allows_control(logits).tolist() == [True, True]
    assert ChangePrediction(CLEAN, 1.0).allows_control(logits).tolist() == [True, False]
