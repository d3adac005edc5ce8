"""The versions, the class of machine and the number of threads, on which a result's bits depend."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch

from pipeline.machine import devices
from pipeline.machine.libraries import LIBRARIES
from srd.precision import multiplies_in_bfloat16


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute or store."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def hardware() -> str:
    """Return the class of machine on which the same bytes are promised: processor, and device of the networks."""
    bfloat16 = " with bfloat16" * multiplies_in_bfloat16(torch.device(devices.CPU))
    processor = f"{platform.machine()} {_processor()} {torch.backends.cpu.get_cpu_capability()}{bfloat16}"
    return f"{processor}, networks on {devices.name()}"


@contextmanager
def reproducible() -> Iterator[None]:
    """Make equal work give equal bytes until the context ends: with one torch thread.

    Sums then do not depend on the number of cores. On a CUDA device operations are deterministic as well, see
    `devices.deterministic`. All settings are put back in the end.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with devices.deterministic():
            yield
    finally:
        torch.set_num_threads(threads)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
