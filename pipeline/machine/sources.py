"""The digests of source files, and to whom a source file belongs."""

import sysconfig
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import srd

ROOT = Path(str(srd.__file__)).parents[1]
COMPUTING = ("srd", "attacks", "pipeline")
"""The packages of which every file may change a bit of a result."""
OURS = frozenset({*COMPUTING, "reports"})
STDLIB = Path(sysconfig.get_path("stdlib"))
INSTALLED = frozenset({"site-packages", "dist-packages"})


@cache
def source_digest() -> str:
    """Return the digest of every source and shipped weights file of srd, attacks and pipeline.

    It is computed once: what a process has imported stays, even if the files change.
    """
    return files_digest(
        {
            str(file.relative_to(ROOT)): file
            for package in COMPUTING
            for file in (ROOT / package).rglob("*")
            if file.suffix in {".py", ".safetensors"}
        }
    )


def files_digest(files: Mapping[str, Path]) -> str:
    """Return the digest of the names and contents of files; the order does not matter."""
    digest = sha256()
    for name, file in sorted(files.items()):
        digest.update(f"{name}:".encode() + file.read_bytes())
    return digest.hexdigest()
