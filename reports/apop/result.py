"""Activation-pattern-only prediction as a result, `apop.json`: rates with intervals."""

from collections import Counter
from typing import Any, Literal

from pipeline.experiments.apop_results import TITLES, ApopFindings, Classes
from reports.result import Estimate, Part
from reports.statistics import SHARE, rate


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


def summarise(found: ApopFindings) -> ApopResult:
    """Return the rates of what was predicted."""
    spec, clean = found.spec, found.predictions.clean
    return ApopResult(
        model=spec.model.model_dump(mode="json", exclude_none=True),
        data=spec.data.model_dump(mode="json", exclude_none=True),
        tile=spec.run.tile,
        seed=spec.run.seed,
        weights=found.weights,
        network=found.network,
        data_digest=found.data,
        sources=found.sources,
        versions=dict(found.versions),
        hardware=found.hardware,
        chance=1 / found.n_classes,
        most_frequent=max(Counter(found.labels.tolist()).values()) / len(found.labels),
        clean=_share(clean, found.labels),
        replaced=tuple(
            _replaced(name, predicted, found.labels, clean) for name, predicted in found.predictions.replaced.items()
        ),
    )


def _replaced(name: str, predicted: Classes, labels: Classes, clean: Classes) -> Replaced:
    return Replaced(
        replacement=name,
        title=TITLES[name],
        accuracy=_share(predicted, labels),
        agreement=_share(predicted, clean),
    )


def _share(predicted: Classes, expected: Classes) -> Estimate:
    return rate(predicted == expected, SHARE, {})
