"""The device that networks run on: the machine's first CUDA device, or else its CPU.

The device is a fact of the machine, not of a spec. Nothing here starts CUDA before it is asked, so a process that hands
its work to others leaves their cards alone. Of several cards a process takes the first that `CUDA_VISIBLE_DEVICES`
leaves it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.backends import cudnn

from srd.errors import InputError

VARIABLE = "SRD_AUDIT_DEVICE"
CPU = "cpu"
CUDA = "cuda"
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
FIXED_WORKSPACE = ":4096:8"
"""One of the two settings with which cuBLAS sums in one order. cuBLAS reads it when it starts."""

FLAGS: tuple[tuple[Any, str, Any], ...] = (
    (cudnn, "benchmark", False),
    (cudnn, "deterministic", True),
    (cudnn, "allow_tf32", False),
    (torch.backends.cuda.matmul, "allow_tf32", False),
)
"""These settings exclude algorithms that a race chooses, algorithms that sum in any order, and TF32."""


def device() -> torch.device:
    """Return the device that networks run on: `SRD_AUDIT_DEVICE`, or by default cuda where there is one.

    Raises
    ------
    InputError
        If the variable holds another word than cpu and cuda, or says cuda where there is none.
    """
    there = torch.cuda.is_available()
    chosen = os.environ.get(VARIABLE) or (CUDA if there else CPU)
    if chosen not in {CPU, CUDA}:
        raise InputError(f"{VARIABLE} = {chosen!r}: say {CPU} or {CUDA}; CUDA_VISIBLE_DEVICES chooses among cards")
    if chosen == CUDA and not there:
        raise InputError(f"{VARIABLE} = {chosen!r}: torch finds no CUDA device; set {CPU}, or look at its driver")
    return torch.device(chosen)


def name() -> str:
    """Return the name of the device for logs and fingerprints; of a card, all that its rounding may depend on."""
    if device().type == CPU:
        return CPU
    major, minor = torch.cuda.get_device_capability()
    libraries = f"CUDA {torch.version.cuda}, cuDNN {cudnn.version()}"
    return f"{torch.cuda.get_device_name()}, compute capability {major}.{minor}, {libraries}"


@contextmanager
def deterministic() -> Iterator[None]:
    """Make CUDA compute equal bytes from equal work, in float32 as the CPU does, until the context ends.

    All settings are put back in the end. On a CPU nothing changes. Within the context torch raises RuntimeError for an
    operation of which CUDA has no deterministic implementation.
    """
    with ExitStack() as settings:
        if device().type == CUDA:
            settings.enter_context(_fixed_workspace())
            settings.enter_context(_deterministic_algorithms())
            settings.enter_context(_flags())
        yield


@contextmanager
def _fixed_workspace() -> Iterator[None]:
    before = os.environ.get(WORKSPACE)
    os.environ[WORKSPACE] = FIXED_WORKSPACE
    try:
        yield
    finally:
        if before is None:
            del os.environ[WORKSPACE]
        else:
            os.environ[WORKSPACE] = before


@contextmanager
def _deterministic_algorithms() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def _flags() -> Iterator[None]:
    before = [(owner, flag, getattr(owner, flag)) for owner, flag, _ in FLAGS]
    try:
        for owner, flag, value in FLAGS:
            setattr(owner, flag, value)
        yield
    finally:
        for owner, flag, value in before:
            setattr(owner, flag, value)
