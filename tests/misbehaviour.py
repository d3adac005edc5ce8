"""What the network of an audit does besides, as long as a file says so; that file is no part of the audit."""

import os
import signal
from hashlib import sha256
from pathlib import Path
from time import sleep

import torch
from torch import Tensor

FILE = "MISBEHAVIOUR"
"""The environment variable that names it."""


def misbehave(inputs: Tensor) -> None:
    """Do what the file says: `slow SECONDS` on every forward pass, or something on the batch of a digest."""
    file = Path(os.environ.get(FILE, os.devnull))
    kind, _, value = file.read_text(encoding="utf-8").partition(" ") if file.exists() else ("", "", "")
    if kind == "slow":
        sleep(float(value))
    elif kind and not torch.is_grad_enabled() and digest(inputs) == value:
        ACTIONS[kind]()


def digest(inputs: Tensor) -> str:
    return sha256(inputs.numpy().tobytes()).hexdigest()


def never_return() -> None:
    while True:
        sleep(60)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise FloatingPointError("on purpose")


ACTIONS = {"hang": never_return, "die": die, "fail": fail}
