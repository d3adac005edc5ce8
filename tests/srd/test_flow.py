"""Which operations relevance can come from, and which it cannot go around: against every path, one by one."""

import itertools

import torch
from toys import generator

from srd.flow import Flow


def paths(sources: dict[int, frozenset[int]], order: int) -> list[frozenset[int]]:
    """All ways from the inputs to an operation."""
    if not sources.get(order):
        return [frozenset({order})]
    return [path | {order} for source in sources[order] for path in paths(sources, source)]


def random_sources(seed: int, n: int = 9) -> dict[int, frozenset[int]]:
    draw = generator(seed)
    return {
        order: frozenset(int(s) for s in torch.randint(max(0, order - 4), order, (2,), generator=draw))
        for order in range(1, n)
    }


def test_what_all_paths_share_is_passed_by_all() -> None:
    for seed in range(40):
        sources = random_sources(seed)
        flow = Flow()
        for order, made_by in sources.items():
            flow.add(order, made_by)
        ways = paths(sources, 8)
        assert flow.ancestors(8) == frozenset(itertools.chain.from_iterable(ways))
        assert flow.passed_by_all(8) == frozenset.intersection(*ways)


def test_what_nothing_was_noted_of_comes_from_itself() -> None:
    assert Flow().ancestors(3) == Flow().passed_by_all(3) == {3}
