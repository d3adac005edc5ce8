"""The command `variants`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline.experiments.variant_results import Measurement
from pipeline.experiments.variants import VariantExperiment, load_variant_experiment
from pipeline.spec.variants import load_variants_spec
from reports.cli.experiments import result_file, track_on_terminal, write_page
from reports.cli.notes import print_notes
from reports.runs import refuse_among_images
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
    return write_page(folder, HOME, html(result, drawn), result_file(RESULT, result), drawn)


def _measure(subject: VariantExperiment, console: Console) -> Sequence[Measurement]:
    tiles = subject.measure(subject.variants())
    return list(track_on_terminal(tiles, "measuring", console, len(subject.tiles)))
