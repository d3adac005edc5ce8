"""The step from measured values to estimates."""

import numpy as np

from pipeline.experiments.manipulated_model_results import COPIES, NETWORKS, ManipulationFindings, Numbers
from pipeline.store.attributes import caveats_of
from reports import statistics
from reports.manipulated_model.result import (
    Answers,
    GalleryRow,
    GoalProgress,
    ManipulationResult,
    MethodRole,
    SimilarityToOriginal,
)
from reports.result import Estimate
from reports.statistics import SHARE, unit
from srd.registry import ATTRIBUTORS

UNDEFINED = "undefined: a map is constant"


def summarise(found: ManipulationFindings, exhibits: tuple[GalleryRow, ...]) -> ManipulationResult:
    """Return the estimates of the measured values, with the maps that are shown."""
    return ManipulationResult(
        spec=found.spec.model_dump(mode="json", exclude_none=True),
        goal=found.goal,
        caveats=caveats_of(found.checks),
        examples=found.examples.description,
        held_out=found.held_out.description,
        n_examples=len(found.examples.ids),
        n_held_out=len(found.held_out.ids),
        weights=found.weights["original"],
        network=found.network,
        examples_digest=found.examples.digest,
        held_out_digest=found.held_out.digest,
        sources=found.sources,
        versions=dict(found.versions),
        hardware=found.hardware,
        answers=tuple(_answers(found)),
        moved=tuple(_similarities(found)),
        reached=tuple(_goal_progress(found)),
        exhibits=exhibits,
    )


def method_role(found: ManipulationFindings, method: str) -> MethodRole:
    """Return the role of a method: attacked or not, or without a look at the network."""
    if method == found.spec.manipulation.against:
        return "attacked"
    return "transfer" if ATTRIBUTORS[method].uses_network else "ignores the network"


def weights_file(network: str) -> str:
    """Return the name of the file with a copy's weights."""
    return f"{network}.safetensors"


def _answers(found: ManipulationFindings) -> list[Answers]:
    labels, original = found.held_out.labels, found.measured.predicted[0]
    return [
        Answers(
            network=network,
            weights=found.weights[network],
            file=weights_file(network) if network in COPIES else "",
            accuracy=statistics.rate(predicted == labels, SHARE, {}),
            kept=statistics.rate(predicted == original, SHARE, {}),
            lost=_mean((original == labels).astype(float) - (predicted == labels), "share of images, -1 to 1"),
        )
        for network, predicted in zip(NETWORKS, found.measured.predicted, strict=True)
    ]


def _similarities(found: ManipulationFindings) -> list[SimilarityToOriginal]:
    values = dict(zip(COPIES, found.measured.similarity, strict=True))
    return [
        SimilarityToOriginal(
            method=method,
            role=method_role(found, method),
            similarity=similarity,
            control=_mean(values["control"][row, column], unit(similarity)),
            manipulated=_mean(values["manipulated"][row, column], unit(similarity)),
            beyond_control=_mean(
                values["control"][row, column] - values["manipulated"][row, column],
                f"difference of {unit(similarity)}",
            ),
        )
        for row, method in enumerate(found.spec.explain.methods)
        for column, similarity in enumerate(found.similarities)
    ]


def _goal_progress(found: ManipulationFindings) -> list[GoalProgress]:
    values, of = dict(zip(NETWORKS, found.measured.reached, strict=True)), found.unit
    return [
        GoalProgress(
            method=method,
            role=method_role(found, method),
            original=_mean(values["original"][row], of),
            control=_mean(values["control"][row], of),
            manipulated=_mean(values["manipulated"][row], of),
            gained=_mean(values["manipulated"][row] - values["original"][row], f"difference of {of}"),
        )
        for row, method in enumerate(found.spec.explain.methods)
    ]


def _mean(values: Numbers, of: str) -> Estimate:
    absent = int(np.isnan(values).sum())
    return statistics.mean(values[~np.isnan(values)], of, {UNDEFINED: absent} if absent else {})
