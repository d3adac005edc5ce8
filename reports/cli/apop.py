"""The command `apop`. It imports torch, so only the command that needs it imports this module."""

from pathlib import Path

from rich.console import Console

from pipeline.experiments.apop import load_apop_experiment
from pipeline.machine.writing import write_files
from pipeline.spec.audit import load_spec
from reports.apop.result import summarise
from reports.apop.table import table
from reports.cli.experiments import result_file, track_on_terminal
from reports.cli.notes import print_notes
from reports.runs import refuse_among_images

RESULT = "apop.json"


def write_apop(spec: Path, folder: Path, results: Console, messages: Console, trusted: tuple[Path, ...] = ()) -> Path:
    """Predict the images of a spec from their activation patterns, print the rates, and return the file with them.

    One spec gives the same bytes each time.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If the spec, the model or the data cannot be used.
    InputError
        If the folder lies among the images.
    StoreError
        If a link is where the result goes.
    """
    asked, base = load_spec(spec), spec.parent.resolve()
    refuse_among_images(folder, asked.data, base)
    subject = load_apop_experiment(asked, base, trusted)
    print_notes(messages, subject.notes)
    tiles = track_on_terminal(subject.predictions(), "predicting", messages, len(subject.tiles))
    result = summarise(subject.findings(list(tiles)))
    write_files(folder, [result_file(RESULT, result)])
    results.print(table(result))
    return folder / RESULT
