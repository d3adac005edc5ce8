"""The root command `srd-audit`. Nothing here imports torch, or Zarr, before a command that needs it runs."""

from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from reports.cli import experiment_commands, judging_commands, model_commands, run_commands
from reports.cli.consoles import results
from reports.cli.listing import methods, metrics, perturbations
from srd.errors import InputError

DISTRIBUTION = "srd-audit"

app = typer.Typer(
    help="Audits how far the explanations of an image classifier can be relied on.",
    rich_markup_mode=None,  # its boxes do not fit a screen
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        results.print(Text(f"{DISTRIBUTION} {version(DISTRIBUTION)}"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        results.print(Text(context.get_help()))
        raise typer.Exit(InputError.exit_code)


for each in (
    model_commands.init,
    model_commands.inspect,
    run_commands.plan,
    run_commands.run,
    run_commands.status,
    run_commands.report,
    judging_commands.check,
    judging_commands.compare,
    judging_commands.verify,
    judging_commands.export,
    experiment_commands.apop,
    experiment_commands.concepts,
    experiment_commands.manipulate_model,
    experiment_commands.variants,
    methods,
    perturbations,
    metrics,
):
    app.command()(each)
