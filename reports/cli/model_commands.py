"""The commands that begin with a network: what it is, and a spec to audit it by."""

from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.text import Text

from reports.cli.consoles import messages, results
from reports.cli.output_options import Json, Quiet, print_json, silence
from reports.cli.paths import print_path, refuse_existing
from reports.cli.setting_options import Set
from reports.cli.subject_options import Classes, Images, Masks, Named, Weights
from reports.cli.trust_options import TrustFile, resolve_files
from reports.runs import is_spec
from srd.errors import InputError, ModelError

ModelOrSpec = Annotated[
    str, typer.Argument(metavar="MODEL-OR-SPEC", help="A value of model.spec, or a TOML spec.", show_default=False)
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A value of model.spec (docs/models.md).", show_default=False),
]


def inspect(
    model: ModelOrSpec,
    weights: Weights = None,
    classes: Classes = None,
    data: Images = None,
    masks: Masks = None,
    settings: Set = None,
    trusted: TrustFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what a network is, and which methods explain it.

    Layers, rules of relevance, output, preprocessing, self-checks, the cost of a map by each method, and with data the
    accuracy. Weights that nobody names are drawn at random. Ends with exit code 2 if no audit can be made.
    """
    from reports.cli.inspecting import METHODS, ask, question_of, question_of_spec, settings_of
    from reports.cli.inspection_table import inspection_table, print_inspection

    named = Named(model, weights, classes, data, masks)
    changed, files_trusted = settings_of(settings), resolve_files(trusted)
    if is_spec(Path(model)):
        _refuse_options_of_spec(named)
        question = question_of_spec(Path(model), changed, files_trusted)
    else:
        _refuse_masks_alone(named)
        question = question_of(named, Path.cwd(), changed, METHODS, files_trusted)
    with silence(messages, quiet):
        found = ask(question, messages)
    if as_json:
        print_json(results, inspection_table(found))
    else:
        print_inspection(found, results)
    if found.refusal:
        raise ModelError(found.refusal)


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("audit.toml"),
    model: ModelName = None,
    data: Images = None,
    weights: Weights = None,
    classes: Classes = None,
    masks: Masks = None,
    settings: Set = None,
    trusted: TrustFile = None,
    quiet: Quiet = False,
) -> None:
    """Write a spec to start from, with comments.

    With --model and --data it is a spec that runs: both are looked at, what they say is filled in, and methods that
    refuse the network are left out.
    """
    refuse_existing(path)
    with silence(messages, quiet):
        if model is None or data is None:
            _refuse_without_subject(model, data, (weights, classes, masks), settings)
            text = (files("reports") / "templates" / "audit.toml").read_text(encoding="utf-8")
            told = "written; once it names your network and your images: "
        else:
            from reports.cli.drafting import draft_spec

            named = Named(model, weights, classes, data, masks)
            text = draft_spec(named, path.resolve().parent, settings, resolve_files(trusted), messages)
            told = "written; what it takes is told by `srd-audit plan`; to run it: "
        path.write_text(text, encoding="utf-8")
        print_path(path)
        messages.print(Text(f"{told}srd-audit run {quote(str(path))}"))


def _refuse_options_of_spec(named: Named) -> None:
    for name in ("weights", "classes", "data", "masks"):
        value = getattr(named, name)
        if value is not None:
            raise InputError(f"--{name} {value}: {named.model} says it itself; leave it out, or use --set")


def _refuse_masks_alone(named: Named) -> None:
    if named.masks is not None and named.data is None:
        raise InputError(f"--masks {named.masks}: are of images; name these by --data, or leave it out")


def _refuse_without_subject(
    model: str | None, data: str | None, others: tuple[str | None, ...], settings: list[str] | None
) -> None:
    if model is not None or data is not None or any(others) or settings:
        missing = "--model" if model is None else "--data"
        raise InputError(f"{missing}: is missing; a spec that runs needs both --model and --data")
