"""Attacks on the explanation."""
