"""Layer-wise relevance propagation by the rule z+: relevance is shared in proportion to positive contributions."""

from collections.abc import Mapping

from torch import nn

from srd.baselines._lrp import PositiveContributions, balance, relevance_map
from srd.decomposition import Decomposition
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import AnyTarget, Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="lrp_z_plus",
    title="LRP-z+",
    source="srd.baselines.lrp_z_plus:lrp_z_plus",
    family="decomposition",
    signed=True,
    law="conservation",
    balance="srd.baselines.lrp_z_plus:account",
    cost="3 forward, 2 backward",
    needs=("operations",),
    reference="Montavon, Lapuschkin, Binder, Samek, Mueller, Pattern Recognition 2017",
)


def lrp_z_plus(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the relevance of each pixel, summed over channels, by the rule z+ in every convolution and linear layer.

    R_i = sum_j (x_i w_ij)+ R_j / sum_i (x_i w_ij)+, for inputs of both signs. Biases have no share, and a batch norm is
    folded into the convolution before it. Sums, poolings and normalisations divide relevance in proportion to their
    summands. The relevance that is divided is 1, whatever the target's logit is. Relevance is lost where nothing
    contributes positively, as is frequent in depthwise convolutions. A map is negative only where a sum adds opposites.
    `operations` are those of `srd.decompose`.

    Raises
    ------
    UnsupportedOperation
        An operation has no rule.

    References
    ----------
    Montavon et al. 2017, eq. 12.
    """
    rules = PositiveContributions(by_weights=create_graph)
    return relevance_map(network, inputs, target, rules, operations, create_graph=create_graph)


def account(
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    *,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
) -> Decomposition:
    """Return the maps of `lrp_z_plus` with the relevance that went in and the relevance that was lost.

    Lost is the relevance of outputs to which nothing contributes positively, of added constants and biases of norms,
    and of activations that enlarge or turn their input.
    """
    return balance(network, inputs, target, lambda lost: PositiveContributions(lost, by_weights=False), operations)
