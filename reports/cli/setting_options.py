"""The option that changes keys of a spec."""

from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of SPEC, such as data.n=16; may be repeated."),
]
