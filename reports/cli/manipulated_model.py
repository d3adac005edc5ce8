"""The command `manipulate-model`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from attacks.types import Model
from pipeline.experiments.manipulated_model_results import COPIES, ManipulationFindings, NetworkRole
from pipeline.experiments.manipulated_models import ManipulationExperiment, load_manipulation_experiment, weights_of
from pipeline.machine.writing import File
from pipeline.spec.manipulation import load_manipulated_model_spec
from reports.cli.experiments import result_file, track_on_terminal, write_page
from reports.cli.notes import print_notes
from reports.manipulated_model.figures import picture
from reports.manipulated_model.gallery import draw_row, gallery_choices
from reports.manipulated_model.page import html
from reports.manipulated_model.result import GalleryRow, ManipulationResult
from reports.manipulated_model.summarise import summarise, weights_file
from reports.runs import refuse_among_images

RESULT = "manipulated.json"
HOME = "manipulated"
"""The folder of all files, within that of the run."""


def write_manipulated_model(spec: Path, folder: Path, console: Console, trusted: tuple[Path, ...] = ()) -> Path:
    """Make the manipulated network of a spec and its control, measure both, and return the path of the page.

    One spec gives the same bytes each time.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If the spec, the model or the data cannot be used.
    InputError
        If the folder lies among the images.
    StoreError
        If a link is where a file of the page goes.
    """
    asked, base = load_manipulated_model_spec(spec), spec.parent.resolve()
    refuse_among_images(folder, asked.data, base)
    subject = load_manipulation_experiment(asked, base, trusted)
    print_notes(console, subject.notes, subject.checks)
    result, files = _make(subject, console)
    drawn = picture(result)
    return write_page(folder, HOME, html(result, drawn), result_file(RESULT, result), drawn, files)


def _make(subject: ManipulationExperiment, console: Console) -> tuple[ManipulationResult, list[File]]:
    with console.status("fine-tuning"):
        networks = subject.networks()
    tiles = list(track_on_terminal(subject.measure(networks), "measuring", console, len(subject.tiles)))
    states: dict[NetworkRole, bytes] = {name: weights_of(networks[name]) for name in COPIES}
    found = subject.findings(tiles, states)
    shown = list(_exhibits(subject, networks, found))
    files = list({file: None for _, pictures in shown for file in pictures})  # methods share the picture of an image
    files += [(weights_file(name), state) for name, state in states.items()]
    return summarise(found, tuple(each for each, _ in shown)), files


def _exhibits(
    subject: ManipulationExperiment, networks: Mapping[NetworkRole, Model], found: ManipulationFindings
) -> Iterator[tuple[GalleryRow, list[File]]]:
    for each in gallery_choices(found):
        maps = subject.maps(networks, each.method, range(each.row, each.row + 1))
        image = subject.held_out.images([each.row])[0].numpy()
        yield draw_row(found, each, image, {name: own[0].numpy() for name, own in maps.items()})
