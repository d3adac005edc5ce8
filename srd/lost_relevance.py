"""The relevance that SRD sends to no pixel."""

import torch
from torch import Tensor


class LostRelevance:
    """Sum of the relevance that found no source."""

    def __init__(self) -> None:
        self._amounts: list[tuple[Tensor, Tensor | None]] = []

    def add(self, relevance: Tensor, unless: Tensor | None) -> None:
        """Count `relevance` as lost, except where `unless`, of the same shape, is positive."""
        self._amounts.append((relevance.detach(), None if unless is None else unless.detach()))

    def total(self, n_rows: int) -> Tensor | float:
        """Return the lost relevance of each row of the batch, (n_rows,), or 0 if nothing was lost.

        It is NaN if relevance was lost where axis 0 holds something else than the rows, each split further or not.
        """
        return sum((_per_row(*amount, n_rows) for amount in self._amounts), 0.0)


def _per_row(relevance: Tensor, unless: Tensor | None, n_rows: int) -> Tensor:
    if len(relevance) % n_rows:
        return relevance.new_full((n_rows,), torch.nan)
    lost = relevance if unless is None else relevance.masked_fill(unless > 0, 0)
    return lost.reshape(n_rows, -1).sum(1)
