"""What attacks on explanations increase and are judged by."""

import torch
from toys import demo_model, demo_samples

from attacks.explanations.objectives import MovedWithPredictionKept, MoveMap
from srd.baselines.saliency import saliency


def test_the_objective_is_one_where_map_and_probabilities_are_the_wanted_ones() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    wanted = saliency(model.network, model.normalise(samples.images), samples.target)
    probabilities = model(samples.images).softmax(1)
    objective = MoveMap(model, saliency, samples.target, wanted, probabilities, keep=1.0)
    torch.testing.assert_close(objective(samples.images), torch.ones(3))


def test_changed_probabilities_cost_their_squared_distance_times_the_price() -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    wanted = saliency(model.network, model.normalise(samples.images), samples.target)
    probabilities = model(samples.images).softmax(1)
    other = probabilities.roll(1, 1)
    costs = (probabilities - other).square().sum(1)
    for keep in (0.5, 2.0):
        objective = MoveMap(model, saliency, samples.target, wanted, other, keep)
        torch.testing.assert_close(objective(samples.images), 1 - keep * costs)


def test_the_judge_refuses_a_changed_prediction() -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    wanted = saliency(model.network, model.normalise(samples.images), samples.target)
    predicted = model(samples.images).argmax(1)
    wrong = torch.stack([predicted[0], (predicted[1] + 1) % 6])
    values = MovedWithPredictionKept(model, saliency, samples.target, wanted, wrong)(samples.images)
    assert float(values[0]) > 0.999
    assert float(values[1]) == -torch.inf
