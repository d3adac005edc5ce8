"""The operations of one forward pass as a graph, along which relevance flows."""

from itertools import accumulate


class Flow:
    """Which operations made what each operation reads; operations are numbered in their order, 0 is the inputs."""

    def __init__(self) -> None:
        self._sources: dict[int, frozenset[int]] = {}

    def add(self, order: int, sources: frozenset[int]) -> None:
        """Notes what operation `order` reads; what it holds constant is not among it."""
        self._sources[order] = sources

    def ancestors(self, order: int) -> frozenset[int]:
        """The operation and all whose output finds its way into it."""
        found, waiting = {order}, [order]
        while waiting:
            new = self._sources.get(waiting.pop(), frozenset()) - found
            found |= new
            waiting.extend(new)
        return frozenset(found)

    def passed_by_all(self, order: int) -> frozenset[int]:
        """Operations that no path from the inputs to `order` goes around: no later one reads an earlier one."""
        orders = sorted(self.ancestors(order))
        last_reader = {source: reader for reader in orders for source in self._sources.get(reader, ())}
        reached = accumulate((last_reader.get(earlier, 0) for earlier in orders[:-1]), max, initial=0)
        return frozenset(order for order, reach in zip(orders, reached, strict=True) if reach <= order)
