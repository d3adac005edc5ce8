"""The operations of one forward pass as a graph, along which relevance flows."""

from itertools import accumulate


class Flow:
    """The operations whose output each operation reads. They are numbered in their order; 0 is the inputs."""

    def __init__(self) -> None:
        self._sources: dict[int, frozenset[int]] = {}

    def add(self, order: int, sources: frozenset[int]) -> None:
        """Add what operation `order` reads, without what it holds constant."""
        self._sources[order] = sources

    def ancestors(self, order: int) -> frozenset[int]:
        """Return the operation and all operations whose output reaches it."""
        found, waiting = {order}, [order]
        while waiting:
            new = self._sources.get(waiting.pop(), frozenset()) - found
            found |= new
            waiting.extend(new)
        return frozenset(found)

    def passed_by_all(self, order: int) -> frozenset[int]:
        """Return the operations on every path from the inputs to `order`: no later one reads an earlier one."""
        orders = sorted(self.ancestors(order))
        last_reader = {source: reader for reader in orders for source in self._sources.get(reader, ())}
        reached = accumulate((last_reader.get(earlier, 0) for earlier in orders[:-1]), max, initial=0)
        return frozenset(order for order, reach in zip(orders, reached, strict=True) if reach <= order)
