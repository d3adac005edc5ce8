"""The result of activation-pattern-only prediction, `apop.json`: rates with intervals."""

from collections import Counter
from typing import Any, Literal

from pipeline.experiments.apop_results import TITLES, ApopFindings, Classes
from reports.result import Estimate, ResultModel
from reports.statistics import SHARE, rate


class ReplacementRates(ResultModel):
    """Rates of the predictions from each image's activation pattern, while the network reads a replacement."""

    replacement: str
    title: str
    accuracy: Estimate
    """Share of the images whose predicted class is the label."""
    agreement: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class ApopResult(ResultModel):
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
    replaced: tuple[ReplacementRates, ...]


def summarise(found: ApopFindings) -> ApopResult:
    """Return the rates of the predictions."""
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
            _replacement_rates(name, predicted, found.labels, clean)
            for name, predicted in found.predictions.replaced.items()
        ),
    )


def _replacement_rates(name: str, predicted: Classes, labels: Classes, clean: Classes) -> ReplacementRates:
    return ReplacementRates(
        replacement=name,
        title=TITLES[name],
        accuracy=_share(predicted, labels),
        agreement=_share(predicted, clean),
    )


def _share(predicted: Classes, expected: Classes) -> Estimate:
    return rate(predicted == expected, SHARE, {})
