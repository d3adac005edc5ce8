"""Laws of random streams: each is named, none is another, and none depends on who drew before."""

from itertools import product

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.machine.seeds import WORD, _generator_at, _words, generator, index

IMAGES = [f"class/{n}.png" for n in range(20)]
ENTRIES = ["clean", "pgd@8/255", "pgd@0.05", "manipulate:srd@8/255"]


def draw(seed: int, *key: str) -> tuple[float, ...]:
    return tuple(torch.rand(4, generator=generator(seed, *key)).tolist())


def test_streams_are_distinct_for_every_part_of_the_key() -> None:
    keys = list(product((0, 1, 2**40), ("perturb", "attribute"), IMAGES, ENTRIES))
    assert len({draw(seed, *key) for seed, *key in keys}) == len(keys)


def test_a_stream_does_not_depend_on_the_order_of_the_others() -> None:
    forward = [draw(0, "perturb", image) for image in IMAGES]
    assert [draw(0, "perturb", image) for image in reversed(IMAGES)] == forward[::-1]


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        before = torch.get_rng_state()
        first = draw(0, "perturb", "a")
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(1)
        assert draw(0, "perturb", "a") == first


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    splits = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab")]
    assert len({draw(0, *key) for key in splits}) == len(splits)


@given(st.integers(0, WORD - 1))
def test_a_seeds_own_state_makes_the_generator_of_that_seed(seed: int) -> None:
    """By numpy's initialisation of the Mersenne Twister. The first word is the seed, which nothing is drawn from."""
    ours = _generator_at(np.random.RandomState(seed).get_state(legacy=False)["state"]["key"])
    theirs = torch.Generator().manual_seed(seed)
    assert torch.equal(ours.get_state()[8:], theirs.get_state()[8:])


@given(st.integers(0, 2**70), st.text())
def test_a_stream_is_numpys_mersenne_twister_of_the_same_state(seed: int, key: str) -> None:
    twister = np.random.MT19937(np.random.SeedSequence(seed, spawn_key=_words(key)))
    twister.state = {**twister.state, "state": {**twister.state["state"], "pos": 624}}
    drawn = torch.rand(1000, generator=generator(seed, key))
    assert (drawn.double().numpy() == twister.random_raw(1000) % 2**24 / 2**24).all()


def test_streams_whose_seeds_end_in_the_same_32_bits_differ() -> None:
    """Of 100 000 streams one or two pairs do: half of the square of their number, divided by 2^32."""
    ends: dict[int, int] = {}
    for number in range(10**6):
        end = _end_of_seed(number)
        if end in ends:
            break
        ends[end] = number
    assert _of_end(ends[end]) == _of_end(number)
    assert draw(0, str(ends[end])) != draw(0, str(number))


def _end_of_seed(number: int) -> int:
    sequence = np.random.SeedSequence(0, spawn_key=_words(str(number)))
    return int(sequence.generate_state(1, np.uint64)[0] % WORD)


def _of_end(number: int) -> list[float]:
    return torch.rand(4, generator=torch.Generator().manual_seed(_end_of_seed(number))).tolist()


@given(st.text())
def test_a_part_is_exactly_two_words_of_32_bits(part: str) -> None:
    words = _words(part)
    assert len(words) == 2
    assert all(0 <= word < WORD for word in words)


def test_both_words_carry_the_part() -> None:
    high, low = zip(*(_words(image) for image in IMAGES), strict=True)
    assert len(set(high)) == len(set(low)) == len(IMAGES)


@given(st.integers(0, 2**70), st.integers(1, 50), st.text())
def test_an_index_is_in_range_and_the_streams_own(seed: int, n: int, key: str) -> None:
    value = index(seed, n, key)
    assert 0 <= value < n
    assert index(seed, n, key) == value


def test_indices_reach_everything() -> None:
    assert {index(0, 5, image) for image in IMAGES * 3 + [f"more {n}" for n in range(50)]} == set(range(5))
