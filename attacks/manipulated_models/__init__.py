"""Attacks on the explanation by way of the weights: the inputs stay as they are."""
