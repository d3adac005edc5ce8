"""What SRD hands on to no pixel, counted."""

import torch
from torch import Tensor


class LostRelevance:
    """Relevance that found no source."""

    def __init__(self) -> None:
        self._amounts: list[tuple[Tensor, Tensor | None]] = []

    def add(self, relevance: Tensor, unless: Tensor | None) -> None:
        """Counts `relevance` as lost, but not where `unless`, of its shape, is positive."""
        self._amounts.append((relevance.detach(), None if unless is None else unless.detach()))

    def total(self, n_rows: int) -> Tensor | float:
        """Of each row of the batch, (n_rows,), or 0.

        NaN if some was lost where axis 0 holds something else than the rows, split further or not.
        """
        return sum((_per_row(*amount, n_rows) for amount in self._amounts), 0.0)


def _per_row(relevance: Tensor, unless: Tensor | None, n_rows: int) -> Tensor:
    if len(relevance) % n_rows:
        return relevance.new_full((n_rows,), torch.nan)
    lost = relevance if unless is None else relevance.masked_fill(unless > 0, 0)
    return lost.reshape(n_rows, -1).sum(1)
