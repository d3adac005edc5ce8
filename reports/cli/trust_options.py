"""The option that lets code in a file of weights run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from srd.errors import InputError

TrustFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust-file",
        metavar="FILE",
        help="Read FILE, named by model.weights, though code in it runs as you; may be repeated.",
        show_default=False,
    ),
]


def resolve_files(trusted: Sequence[Path] | None) -> tuple[Path, ...]:
    """Return the files that the user trusts, as absolute paths.

    Raises
    ------
    InputError
        If one is no file: to trust what does not exist would trust whoever writes it later.
    """
    for file in trusted or ():
        if not file.is_file():
            raise InputError(f"--trust-file {file}: no such file; name the file of weights")
    return tuple(file.resolve() for file in trusted or ())
