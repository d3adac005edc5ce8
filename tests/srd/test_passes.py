"""Running a network without a trace."""

import pytest
import torch
from toys import classes, left_as_found, normal, small, tiny_transformer

from srd.passes import evaluating, input_gradient, leaf


def test_evaluating_is_evaluation_with_gradients_in_full_precision() -> None:
    network = small().train()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), evaluating(network):
        assert not any(module.training for module in network.modules())
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")


def test_every_mode_is_restored_even_after_an_error() -> None:
    network = small().train()
    network.branch.eval()
    with left_as_found(network), pytest.raises(KeyError), evaluating(network):
        raise KeyError


def test_a_leaf_is_a_copy_unless_the_caller_wants_a_graph() -> None:
    x = normal(1, 3, 4, 4)
    for create_graph in (False, True):
        copy = leaf(x, create_graph=create_graph)
        assert copy.is_leaf
        assert copy.requires_grad
        assert copy.data_ptr() != x.data_ptr()
    assert not x.requires_grad
    x.requires_grad_()
    assert leaf(x, create_graph=True) is x
    assert leaf(x, create_graph=False) is not x


def test_the_gradient_of_the_targets_logits_is_each_rows_own() -> None:
    network, x, target = small(), normal(3, 3, 5, 6).requires_grad_(), classes(3)
    together = input_gradient(network, x, target, create_graph=False)
    for row in range(3):
        alone = torch.autograd.grad(network(x[row : row + 1])[0, target[row]], x)[0][row]
        torch.testing.assert_close(together[row], alone)


def test_a_gradient_is_part_of_the_graph_only_if_asked() -> None:
    x = normal(1, 3, 5, 6).requires_grad_()
    assert input_gradient(small(), x, classes(1), create_graph=True).requires_grad
    assert not input_gradient(small(), x, classes(1), create_graph=False).requires_grad


@pytest.mark.slow
def test_the_gradient_of_attention_that_torch_fuses_has_a_gradient_too() -> None:
    network, x, target = tiny_transformer(), normal(1, 3, 8, 8).requires_grad_(), classes(1)
    assert torch.autograd.gradcheck(lambda x: input_gradient(network, x, target, create_graph=True), (x,))
