"""Perturbations of images: noise, attacks on the prediction, attacks on the explanation."""

from attacks.registry import PERTURBATIONS

__all__ = ["PERTURBATIONS"]
