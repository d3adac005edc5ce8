"""Attacks on the prediction."""
