"""One random stream for each thing that draws, which depends on no batch, order or number of workers."""

from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

WORD = 2**32
STATE = slice(3, 3 + 624)
"""The position of the words of the Mersenne Twister in the state of a torch generator, 64 bits for each word."""


def generator(seed: int, *key: str) -> torch.Generator:
    """Return the CPU generator of the stream `key`, such as ("perturb", image id, condition id).

    Numbers for another device are drawn here and then moved, so they are the same on every device.
    """
    words = [word for part in key for word in _words(part)]
    return _generator_at(np.random.MT19937(np.random.SeedSequence(seed, spawn_key=words)).state["state"]["key"])


def index(seed: int, n: int, *key: str) -> int:
    """Return one number that the stream `key` draws from range(n)."""
    return int(torch.randint(n, (), generator=generator(seed, *key)))


def permutation(seed: int, n: int, *key: str) -> list[int]:
    """Return all of range(n) in the order that the stream `key` draws."""
    return torch.randperm(n, generator=generator(seed, *key)).tolist()


def sample(seed: int, n: int, count: int, *key: str) -> list[int]:
    """Return at most `count` numbers of range(n) that the stream `key` draws, in ascending order."""
    return sorted(permutation(seed, n, *key)[:count])


def _generator_at(words: NDArray[np.uint32]) -> torch.Generator:
    """Return a generator with this whole state.

    Torch keeps only 32 bits of a seed, so some of 100 000 seeded streams would be the same.
    """
    made = torch.Generator()
    state = made.get_state()
    state.view(torch.int64)[STATE] = torch.from_numpy(words.astype(np.int64))
    return made.set_state(state)


def _words(part: str) -> tuple[int, int]:
    """Return 64 bits of the text as exactly two words.

    A longer word would run into the next part of the key.
    """
    number = int.from_bytes(blake2b(part.encode(), digest_size=8).digest(), "big")
    return divmod(number, WORD)
