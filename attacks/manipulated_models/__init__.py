"""Attacks on the explanation through the weights: the inputs stay as they are."""
