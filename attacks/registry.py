"""The perturbations that a spec may name, with their threat models as plain facts. Nothing here imports torch."""

from attacks.corruptions.registry import CORRUPTIONS
from attacks.explanations.registry import ATTACKS_ON_EXPLANATIONS
from attacks.predictions.registry import ATTACKS_ON_PREDICTIONS
from srd.entries import Registry

PERTURBATIONS = Registry(*CORRUPTIONS, *ATTACKS_ON_PREDICTIONS, *ATTACKS_ON_EXPLANATIONS)
