"""What a result's bits depend on beside the spec: sources, versions, the class of machine."""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import torch

import attacks
import pipeline
import srd
from pipeline import devices

PACKAGES = (srd, attacks, pipeline)
LIBRARIES = ("torch", "torchvision", "torchattacks", "numpy", "pillow", "zarr", "xarray", "dask")


@cache
def source_digest() -> str:
    """Of every source file and shipped weights file of srd, attacks and pipeline.

    Taken once: what a process has imported stays, whatever becomes of its files.
    """
    homes = [Path(str(package.__file__)).parent for package in PACKAGES]
    return files_digest(
        {
            str(file.relative_to(home.parent)): file
            for home in homes
            for file in home.rglob("*")
            if file.suffix in {".py", ".safetensors"}
        }
    )


def files_digest(files: Mapping[str, Path]) -> str:
    """Of the names and contents of files; the order does not matter."""
    digest = sha256()
    for name, file in sorted(files.items()):
        digest.update(f"{name}:".encode() + file.read_bytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of the libraries that compute or store."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def hardware() -> str:
    """Class of machine on which the same bytes are promised: processor, and the device that networks run on."""
    processor = f"{platform.machine()} {_processor()} {torch.backends.cpu.get_cpu_capability()}"
    return f"{processor}, networks on {devices.name()}"


@contextmanager
def reproducible() -> Iterator[None]:
    """Equal bytes from equal work: one torch thread, so that sums do not depend on the number of cores.

    On a CUDA device deterministic operations as well, `devices.deterministic`. Put back in the end.
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
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
