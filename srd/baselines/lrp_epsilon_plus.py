"""Layer-wise relevance propagation by the rule z+ in convolutions and the rule epsilon in linear layers."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from srd.baselines._lrp import PositiveContributions, balance, relevance_map
from srd.decomposition import Decomposition
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.lost_relevance import LostRelevance
from srd.types import AnyTarget, Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="lrp_epsilon_plus",
    title="LRP-\u03b5+",
    source="srd.baselines.lrp_epsilon_plus:lrp_epsilon_plus",
    family="decomposition",
    signed=True,
    law="conservation",
    balance="srd.baselines.lrp_epsilon_plus:account",
    cost="3 forward, 2 backward",
    needs=("operations",),
    reference="Kohlbrenner, Bauer, Nakajima, Binder, Samek, Lapuschkin, IJCNN 2020",
)


class EpsilonPlus(PositiveContributions):
    """z+ for convolutions and epsilon for linear layers, whose biases take their share of the relevance."""

    def __init__(self, epsilon: float, lost: LostRelevance | None = None, *, by_weights: bool) -> None:
        super().__init__(lost, by_weights=by_weights)
        self._epsilon = epsilon

    def linear(self, function: Callable[..., Tensor], inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the outputs of a linear layer, with the rule epsilon."""
        outputs = function(inputs, weight, bias)
        return self._with_backward(partial(self._share_by_epsilon, bias), outputs, outputs)

    def _share_by_epsilon(self, bias: Tensor | None, by_value: Tensor, outputs: Tensor) -> tuple[Tensor, None]:
        if not self._is_propagating:
            return by_value, None
        away_from_zero = torch.where(outputs < 0, -self._epsilon, self._epsilon)
        stabilised = outputs + away_from_zero
        share = by_value * outputs / torch.where(stabilised == 0, 1, stabilised)
        self._lose(by_value * outputs - share * (outputs if bias is None else outputs - bias))
        return share, None


def lrp_epsilon_plus(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    epsilon: float = 1e-6,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the relevance of each pixel, summed over channels: z+ in convolutions, epsilon in linear layers.

    In linear layers R_i = sum_j x_i w_ij R_j / (y_j + epsilon sign y_j), where y includes the bias. All else is as for
    LRP-z+.

    References
    ----------
    Kohlbrenner et al. 2020, table 1.
    """
    rules = EpsilonPlus(epsilon, by_weights=create_graph)
    return relevance_map(network, inputs, target, rules, operations, create_graph=create_graph)


def account(
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    *,
    epsilon: float = 1e-6,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
) -> Decomposition:
    """Return the maps of `lrp_epsilon_plus` with the relevance that went in and the relevance that was lost.

    Lost are the shares of biases and epsilon in linear layers, and what LRP-z+ loses.
    """
    return balance(network, inputs, target, lambda lost: EpsilonPlus(epsilon, lost, by_weights=False), operations)
