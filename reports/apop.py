"""Activation-pattern-only prediction as a result: rates with intervals, `apop.json`, a table for the terminal."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline import environment, sources
from pipeline.apop import REPLACEMENTS, Classes, Experiment, Predictions, experiment
from pipeline.spec import load_spec
from reports.facts import Part
from reports.measurements import SHARE
from reports.result import Estimate
from reports.statistics import rate
from reports.wording import NONE, interval, percent, size, value
from srd.errors import InputError

RESULT = "apop.json"


class Replaced(Part):
    """Predictions from the activation pattern of each image, while the network reads something else."""

    replacement: str
    title: str
    accuracy: Estimate
    """Share of the images whose predicted class is the label."""
    agreement: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class ApopResult(Part):
    """Everything that `apop.json` holds."""

    schema_version: Literal[1] = 1
    model: dict[str, Any]
    """The table of the spec."""
    data: dict[str, Any]
    """The table of the spec."""
    tile: int
    seed: int
    weights: str
    """SHA-256 of the weights."""
    network: str
    """SHA-256 of the source of the network."""
    data_digest: str
    """SHA-256 of all that images and labels are made from."""
    sources: str
    """SHA-256 of the auditing code: srd, attacks, pipeline."""
    versions: dict[str, str]
    hardware: str
    chance: float
    """1 / number of classes."""
    most_frequent: float
    """Share of the most frequent label: the accuracy of always answering it."""
    clean: Estimate
    """Accuracy of the network itself."""
    replaced: tuple[Replaced, ...]


def write_apop(spec: Path, folder: Path, results: Console, messages: Console) -> Path:
    """Predicts the images of a spec from their activation patterns; prints the rates, returns the file that has them.

    The same bytes each time for one spec. Raises SpecError, ModelError, DataError, UnsupportedOperation; InputError if
    the folder is a file.
    """
    subject = experiment(load_spec(spec), spec.parent.resolve())
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    is_dumb = not messages.is_terminal
    batches = track(subject.predictions(), "predicting", len(subject.tiles), console=messages, disable=is_dumb)
    result = _result(subject, list(batches))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(result.model_dump_json(indent=1) + "\n")
    results.print(_table(result))
    return folder / RESULT


def _result(subject: Experiment, batches: Sequence[Predictions]) -> ApopResult:
    spec, labels = subject.spec, np.array(subject.data.labels)
    clean = np.concatenate([batch.clean for batch in batches])
    replaced = {name: np.concatenate([batch.replaced[name] for batch in batches]) for name in REPLACEMENTS}
    return ApopResult(
        model=spec.model.model_dump(mode="json", exclude_none=True),
        data=spec.data.model_dump(mode="json", exclude_none=True),
        tile=spec.run.tile,
        seed=spec.run.seed,
        weights=subject.loaded.weights_digest,
        network=subject.loaded.source_digest,
        data_digest=subject.data.digest,
        sources=sources.source_digest(),
        versions=environment.versions(),
        hardware=environment.hardware(),
        chance=1 / len(subject.data.classes),
        most_frequent=max(Counter(subject.data.labels).values()) / len(labels),
        clean=_share(clean, labels),
        replaced=tuple(_replaced(name, predicted, labels, clean) for name, predicted in replaced.items()),
    )


def _replaced(name: str, predicted: Classes, labels: Classes, clean: Classes) -> Replaced:
    return Replaced(
        replacement=name,
        title=REPLACEMENTS[name].title,
        accuracy=_share(predicted, labels),
        agreement=_share(predicted, clean),
    )


def _share(predicted: Classes, expected: Classes) -> Estimate:
    return rate(predicted == expected, SHARE, {})


def _table(result: ApopResult) -> Table:
    caption = (
        f"{size(result.clean)}, 95 % Wilson intervals. Chance {percent(result.chance)}, most frequent label "
        f"{percent(result.most_frequent)}."
    )
    title = "Activation-pattern-only prediction"
    table = Table("the network reads", "right class", "class of the clean image", title=title, caption=caption)
    table.add_row("the image itself", _shown(result.clean), NONE)
    for row in result.replaced:
        table.add_row(row.title, _shown(row.accuracy), _shown(row.agreement))
    return table


def _shown(estimate: Estimate) -> str:
    return f"{value(estimate)} {interval(estimate)}"
