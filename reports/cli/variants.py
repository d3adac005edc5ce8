"""The command `variants`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from pipeline.experiments.variant_results import Measurement
from pipeline.experiments.variants import VariantExperiment, load_variant_experiment
from pipeline.machine.writing import remove_folders, write_files
from pipeline.spec.variants import load_variants_spec
from reports.cli.notes import print_notes
from reports.page import STYLE, style_sheet
from reports.runs import PAGE, refuse_among_images
from reports.variants.figures import picture
from reports.variants.page import html
from reports.variants.summarise import summarise

RESULT = "variants.json"
HOME = "variants"
"""The folder of all files, within that of the run."""


def write_variants(spec: Path, folder: Path, console: Console, trusted: tuple[Path, ...] = ()) -> Path:
    """Measure how far the variants of a spec are from its network, and return the path of the page.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If the spec, the model or the data cannot be used.
    InputError
        If the folder lies among the images.
    StoreError
        If a link is where a file of the page goes.
    """
    asked, base = load_variants_spec(spec), spec.parent.resolve()
    refuse_among_images(folder, asked.data, base)
    subject = load_variant_experiment(asked, base, trusted)
    print_notes(console, subject.notes, subject.checks)
    result = summarise(subject.findings(_measure(subject, console)))
    drawn = picture(result)
    files = [
        (RESULT, (result.model_dump_json(indent=1) + "\n").encode()),
        (drawn.file, drawn.svg),
        (STYLE, style_sheet().encode()),
        (Path(PAGE).name, html(result, drawn).encode()),
    ]
    remove_folders(folder, [HOME])
    write_files(folder, [(f"{HOME}/{name}", content) for name, content in files])
    return folder / HOME / Path(PAGE).name


def _measure(subject: VariantExperiment, console: Console) -> Sequence[Measurement]:
    tiles = subject.measure(subject.variants())
    return list(track(tiles, "measuring", len(subject.tiles), console=console, disable=not console.is_terminal))
