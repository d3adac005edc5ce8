"""One random stream per thing that draws, whatever the batch, the order or the number of workers."""

from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

WORD = 2**32
STATE = slice(3, 3 + 624)
"""Where the words of the Mersenne Twister stand in the state of a generator of torch, 64 bits each."""


def generator(seed: int, *key: str) -> torch.Generator:
    """CPU generator of the stream called `key`, such as ("perturb", image id, perturbation id).

    What is drawn for another device is drawn here and moved: the same numbers on every device.
    """
    words = [word for part in key for word in _words(part)]
    return _generator_at(np.random.MT19937(np.random.SeedSequence(seed, spawn_key=words)).state["state"]["key"])


def index(seed: int, n: int, *key: str) -> int:
    """One draw from range(n) of the stream called `key`."""
    return int(torch.randint(n, (), generator=generator(seed, *key)))


def permutation(seed: int, n: int, *key: str) -> list[int]:
    """All of range(n) in the order of the stream called `key`."""
    return torch.randperm(n, generator=generator(seed, *key)).tolist()


def _generator_at(words: NDArray[np.uint32]) -> torch.Generator:
    """A generator whose whole state is given: of a seed torch keeps 32 bits, by which some of 100 000 streams meet."""
    made = torch.Generator()
    state = made.get_state()
    state.view(torch.int64)[STATE] = torch.from_numpy(words.astype(np.int64))
    return made.set_state(state)


def _words(part: str) -> tuple[int, int]:
    """64 bits of the text as exactly two words: a longer word would run into the next part of the key."""
    number = int.from_bytes(blake2b(part.encode(), digest_size=8).digest(), "big")
    return divmod(number, WORD)
