"""Restarts: what each image keeps of them, and where they begin."""

import pytest
import torch
from torch import Tensor
from toys import generators, normal, uniform

from attacks.balls import L2, Linf
from attacks.explanations.ascent import Ascent, SearchTrace, displace
from attacks.explanations.gradients import DifferentiatedGradient, without_surrogate
from attacks.explanations.search import Search, _equal_use, best, highest
from attacks.types import Images
from srd.types import Scores

CLEAN = 0.3 + 0.4 * uniform(4, 1, 4, 4)
WEIGHTS, PHASES = normal(4, 1, 4, 4, seed=5), 6 * uniform(4, 1, 4, 4, seed=6)


def wavy(images: Images) -> Scores:
    """With many maxima, of its own in every row, the higher the farther they are from the clean image."""
    moved = (images - CLEAN[: len(images)]) * WEIGHTS[: len(images)]
    return ((60 * moved + PHASES[: len(images)]).sin() + 5 * moved.abs()).sum((1, 2, 3))


def search(restarts: int) -> Search:
    return Search(Linf(0.2), [DifferentiatedGradient(wavy, without_surrogate)], wavy, displace, 6, restarts, 0.25, 2)


def searched(restarts: int, seed: int = 0) -> tuple[SearchTrace, ...]:
    return search(restarts)(CLEAN, torch.zeros_like(CLEAN), generators(4, seed))


def test_more_restarts_are_never_worse_and_sometimes_better() -> None:
    traces = searched(6)
    values = torch.stack([highest(traces[: k + 1]) for k in range(6)])
    assert bool((values.diff(dim=0) >= 0).all())
    assert bool((values[-1] > values[0]).any())
    for few in (1, 3):
        torch.testing.assert_close(highest(searched(few)), values[few - 1])


def test_each_row_keeps_the_displacement_that_was_judged_best() -> None:
    traces = searched(5)
    torch.testing.assert_close(wavy(CLEAN + best(traces)), highest(traces))
    winners = torch.stack([trace.highest[-1] for trace in traces]).argmax(0)
    assert len(set(winners.tolist())) > 1


def test_of_equals_the_earliest_is_kept() -> None:
    def trace(value: float, size: float) -> SearchTrace:
        return SearchTrace(torch.full((2, 1, 1, 1), size), (torch.full((2,), value),), ())

    kept = best([trace(1.0, 0.1), trace(2.0, 0.2), trace(2.0, 0.3)])
    torch.testing.assert_close(kept, torch.full((2, 1, 1, 1), 0.2))


def test_shares_of_the_steps_end_in_the_whole_search() -> None:
    values = tuple(torch.tensor([float(k), 10.0 - k]) for k in range(9))
    traces = [SearchTrace(torch.zeros(2, 1, 1, 1), values, ()), SearchTrace(torch.zeros(2, 1, 1, 1), values[:1], ())]
    assert highest(traces, 0.25).tolist() == [2, 10]
    assert highest(traces, 0.5).tolist() == [4, 10]
    assert highest(traces).tolist() == [8, 10]


def test_only_the_first_run_starts_at_the_origin_the_others_at_random_points_of_the_rows_own_streams() -> None:
    starts: list[Tensor] = []

    def gradient(images: Images, progress: float) -> tuple[Images, Scores]:
        starts.append(images - CLEAN[: len(images)])
        return torch.zeros_like(images), wavy(images)

    ball = L2(0.2)
    still = Search(ball, [gradient], wavy, displace, 1, 3, 0.25, 2)
    still(CLEAN, torch.zeros_like(CLEAN), generators(4))
    first, *others = starts
    assert not first.any()
    draws = generators(4)
    for other in others:
        draws = reseeded(draws)
        torch.testing.assert_close(other, ball.sample(CLEAN, draws))
    assert not torch.equal(others[0], others[1])


def test_the_clean_images_are_judged_once_for_all_runs() -> None:
    judged: list[bool] = []

    def judge(images: Images) -> Scores:
        judged.append(torch.equal(images, CLEAN))
        return wavy(images)

    gradient = DifferentiatedGradient(wavy, without_surrogate)
    Search(Linf(0.2), [gradient], judge, displace, 4, 3, 0.25, 2)(CLEAN, torch.zeros_like(CLEAN), generators(4))
    assert sum(judged) == 1


def test_sources_of_gradients_take_turns() -> None:
    asked: list[str] = []

    def source(name: str) -> DifferentiatedGradient:
        def noted(images: Images) -> Scores:
            asked.append(name)
            return wavy(images)

        return DifferentiatedGradient(noted, without_surrogate)

    turns = Search(Linf(0.1), [source("a"), source("b")], wavy, displace, 1, 5, 0.25, 2)
    turns(CLEAN, torch.zeros_like(CLEAN), generators(4))
    assert asked == ["a", "b", "a", "b", "a"]


def test_a_row_is_searched_alike_alone_and_among_others() -> None:
    together = best(searched(4))
    first = search(4)(CLEAN[:1], torch.zeros_like(CLEAN[:1]), generators(4)[:1])
    torch.testing.assert_close(best(first), together[:1], atol=1e-9, rtol=0)


def test_a_later_run_is_given_up_row_by_row_where_it_falls_behind() -> None:
    """The definition: the same runs without giving up, cut where the rule says."""
    ball, draws = Linf(0.2), generators(4)
    traces = searched(5)
    alone = Ascent(ball, DifferentiatedGradient(wavy, without_surrogate), wavy, displace, 6, 0.25)
    known: list[list[list[float]]] = [torch.stack(alone(CLEAN, torch.zeros_like(CLEAN)).highest, 1).tolist()]
    cuts = 0
    for trace in traces[1:]:
        draws = reseeded(draws)
        whole = torch.stack(alone(CLEAN, ball.sample(CLEAN, draws)).highest, 1).tolist()
        known.append([cut(row, [run[at] for run in known]) for at, row in enumerate(whole)])
        assert torch.stack(trace.highest, 1).tolist() == known[-1]
        cuts += sum(mine != row for mine, row in zip(known[-1], whole, strict=True))
    assert cuts > 0


@pytest.mark.parametrize("far", [0.0, 0.03, 0.06, 1.0])
def test_a_run_from_an_image_that_may_not_be_kept_is_not_given_up(far: float) -> None:
    """A flip: no image near the clean one counts, so that there is no gain to compare. At `far` = 1 none counts."""
    asked: list[int] = []

    def judge(images: Images) -> Scores:
        moved = (images - CLEAN[: len(images)]).abs().mean((1, 2, 3))
        return torch.where(moved > far, wavy(images), -torch.inf)

    def gain(images: Images) -> Scores:
        asked.append(len(images))
        return wavy(images)

    flips = Search(Linf(0.2), [DifferentiatedGradient(gain, without_surrogate)], judge, displace, 16, 4, 0.25, 2)
    traces = flips(CLEAN, torch.zeros_like(CLEAN), generators(4))
    assert asked == [4] * 16 * 4
    if far < 1:
        assert bool((highest(traces) > highest(traces[:1])).any())


def test_a_run_is_not_given_up_where_no_earlier_one_gained_anything() -> None:
    def nothing(images: Images) -> Scores:
        return torch.zeros_like(wavy(images))

    ascent = Ascent(Linf(0.2), DifferentiatedGradient(wavy, without_surrogate), nothing, displace, 16, 0.25)
    found = ascent(CLEAN, torch.zeros_like(CLEAN), [torch.zeros(4).double()] * 17)
    assert len(found.gains) == 16


def of_rows(rows: Tensor, asked: list[int]) -> Search:
    def wavy_there(images: Images) -> Scores:
        asked.append(len(images))
        everywhere = CLEAN.index_copy(0, rows, images)
        return wavy(everywhere)[rows]

    gradient = DifferentiatedGradient(wavy_there, without_surrogate)
    return Search(Linf(0.2), [gradient], wavy_there, displace, 6, 5, 0.25, 2, lambda fewer: of_rows(rows[fewer], asked))


def test_rows_that_are_given_up_are_computed_no_more_and_the_others_find_the_same() -> None:
    asked: list[int] = []
    alone = of_rows(torch.arange(4), asked)(CLEAN, torch.zeros_like(CLEAN), generators(4))
    assert {1, 4} < set(asked) <= {1, 2, 3, 4}
    for one, other in zip(alone, searched(5), strict=True):
        torch.testing.assert_close(torch.stack(one.highest), torch.stack(other.highest), rtol=0, atol=0)
        torch.testing.assert_close(one.displacement, other.displacement, rtol=0, atol=0)


def reseeded(draws: list[torch.Generator]) -> list[torch.Generator]:
    """Streams after a run, which began with drawing their seeds."""
    return [torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=each))) for each in draws]


def cut(row: list[float], earlier: list[list[float]]) -> list[float]:
    best_before = [max(values) for values in zip(*earlier, strict=True)]
    for step, share in ((2, 0.5), (2, 1.0)):  # of 6 steps the second, fourth and last are judged
        if row[step] - row[0] < share * (best_before[step] - best_before[0]):
            return row[: step + 1] + [row[step]] * (6 - step)
    return row


def test_how_early_a_run_is_given_up_changes_no_later_draw() -> None:
    ends = []
    for use in (0, 7):
        draws = generators(2)
        with _equal_use(draws):
            for each in draws:
                torch.rand(use, generator=each)
        ends.append(draws)
    assert [torch.equal(one.get_state(), other.get_state()) for one, other in zip(*ends, strict=True)] == [True] * 2
    assert not torch.equal(ends[0][0].get_state(), ends[0][1].get_state())


def test_equal_streams_search_alike_and_others_otherwise() -> None:
    once, again, other = (searched(2, seed)[1].highest[-1] for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


@pytest.mark.parametrize("judged", [1, 2, 4])
def test_a_run_is_given_up_by_what_was_judged_and_never_before_anything_was(judged: int) -> None:
    for steps in range(1, 41):
        asked: list[int] = []

        def judge(images: Images, asked: list[int] = asked) -> Scores:
            asked.append(len(images))
            return wavy(images)

        gradient = DifferentiatedGradient(wavy, without_surrogate)
        ascent = Ascent(Linf(0.2), gradient, judge, displace, steps, 0.25, judged)
        unbeatable = [torch.zeros(4).double(), *[torch.full((4,), torch.inf).double()] * steps]
        found = ascent(CLEAN, torch.zeros_like(CLEAN), unbeatable)
        first = (steps - 1) % judged + 1
        expected = max(first, round(steps / 8) - (round(steps / 8) - steps) % judged)
        assert len(found.gains) == expected
        assert len(asked) == (expected - first) // judged + 1
