"""Perturbations of images: noise, corruptions, attacks on the prediction and attacks on the explanation."""

from attacks.registry import PERTURBATIONS

__all__ = ["PERTURBATIONS"]
