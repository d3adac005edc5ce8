"""One random stream per thing that draws, whatever the batch, the order or the number of workers."""

from hashlib import blake2b

import numpy as np
import torch

WORD = 2**32


def generator(seed: int, *key: str) -> torch.Generator:
    """CPU generator of the stream called `key`, such as ("perturb", image id, perturbation id)."""
    words = [word for part in key for word in _words(part)]
    state = np.random.SeedSequence(seed, spawn_key=words).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state))


def index(seed: int, n: int, *key: str) -> int:
    """One draw from range(n) of the stream called `key`."""
    return int(torch.randint(n, (), generator=generator(seed, *key)))


def shuffled(seed: int, n: int, *key: str) -> list[int]:
    """All of range(n) in the order of the stream called `key`."""
    return torch.randperm(n, generator=generator(seed, *key)).tolist()


def _words(part: str) -> tuple[int, int]:
    """64 bits of the text as exactly two words: a longer word would run into the next part of the key."""
    number = int.from_bytes(blake2b(part.encode(), digest_size=8).digest(), "big")
    return divmod(number, WORD)
