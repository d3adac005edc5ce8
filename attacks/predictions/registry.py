"""Attacks on the prediction as plain facts."""

from attacks.predictions.bounded import BOUNDED
from attacks.predictions.unbounded import UNBOUNDED

ATTACKS_ON_PREDICTIONS = (*BOUNDED, *UNBOUNDED)
