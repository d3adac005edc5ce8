"""Answers of a network: what they are, in which batches they are asked, and what is left as it was."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import classes, demo_inputs, demo_network, left_as_found, normal, small

from srd.errors import InputError
from srd.removal.answers import ANSWERS, ROWS, answers


class Batches(nn.Module):
    """Remembers how many rows it was given at a time."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Any:
        self.seen.append(len(inputs))
        return self.network(inputs)


def test_an_answer_is_the_logit_its_softmax_and_whether_it_is_the_highest() -> None:
    network, x, target = small(), normal(9, 3, 6, 9), classes(9)
    found = answers(network, x, target)
    assert ANSWERS == ("logit", "probability", "kept")
    for row, (inputs, wanted) in enumerate(zip(x, target.tolist(), strict=True)):
        logits = network(inputs[None])[0].detach()
        exponentials = logits.exp()
        expected = [logits[wanted], exponentials[wanted] / exponentials.sum(), float(logits.argmax() == wanted)]
        torch.testing.assert_close(found[row], torch.stack([torch.as_tensor(each).double() for each in expected]))
    assert set(found[:, 2].tolist()) == {0.0, 1.0}


def test_one_target_stands_for_all_rows() -> None:
    network, x = small(), normal(4, 3, 6, 9)
    assert torch.equal(answers(network, x, torch.tensor([2])), answers(network, x, torch.full((4,), 2)))


@pytest.mark.parametrize(("n", "batches"), [(1, [1]), (ROWS, [ROWS]), (ROWS + 1, [ROWS, 1]), (70, [ROWS, ROWS, 6])])
def test_rows_are_asked_in_batches_of_one_size(n: int, batches: list[int]) -> None:
    network = Batches(small())
    x, target = normal(n, 3, 6, 9), classes(n)
    found = answers(network, x, target)
    assert network.seen == batches
    torch.testing.assert_close(
        found, torch.cat([answers(small(), *pair) for pair in zip(x.split(1), target.split(1), strict=True)])
    )


def test_the_network_its_mode_and_the_inputs_stay_as_they_were() -> None:
    network, x = small().train(), normal(3, 3, 6, 9).requires_grad_()
    with left_as_found(network, x):
        found = answers(network, x, classes(3))
    assert not found.requires_grad
    assert torch.equal(found, answers(network.eval(), x, classes(3))), "asked in evaluation mode"


def test_a_network_that_writes_into_its_inputs_writes_into_a_copy() -> None:
    network, x = nn.Sequential(nn.ReLU(inplace=True), small()), normal(3, 3, 6, 9)
    kept = x.clone()
    answers(network, x, classes(3))
    assert torch.equal(x, kept)


def test_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="target 7: the network has 4 classes"):
        answers(small(), normal(2, 3, 6, 9), torch.tensor([0, 7]))


def test_answers_have_the_type_of_the_network() -> None:
    x, target = demo_inputs(2)
    assert answers(demo_network("vgg"), x, target).dtype == torch.float32
