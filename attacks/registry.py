"""The perturbations that a spec may name, with their threat models as plain facts. Nothing here imports torch."""

from collections.abc import Mapping

from attacks.corruptions.registry import CORRUPTIONS
from attacks.entries import PerturbationEntry
from attacks.explanations.registry import ATTACKS_ON_EXPLANATIONS
from attacks.predictions.registry import ATTACKS_ON_PREDICTIONS
from srd.entries import entries_by_name

PERTURBATIONS: Mapping[str, PerturbationEntry] = entries_by_name(
    *CORRUPTIONS, *ATTACKS_ON_PREDICTIONS, *ATTACKS_ON_EXPLANATIONS
)
