"""From what was measured to estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pipeline import environment, sources
from pipeline.manipulated_models import COPIES, NETWORKS, Experiment, Measured
from reports import statistics
from reports.manipulated_model.result import Answers, Exhibit, ManipulationResult, Moved, Reached, Role
from reports.measurements import SHARE, unit
from reports.result import Estimate
from srd.registry import ATTRIBUTORS, SIMILARITIES

Numbers = NDArray[np.float64]
UNDEFINED = "undefined: a map is constant"


def joined(parts: Sequence[Measured]) -> Measured:
    """All images as one."""
    return Measured(*(np.concatenate([getattr(p, f.name) for p in parts], -1) for f in fields(Measured)))


def summarise(
    subject: Experiment, measured: Measured, files: Mapping[str, bytes], exhibits: tuple[Exhibit, ...]
) -> ManipulationResult:
    """The result; `files` are the weights of the copies, by network."""
    return ManipulationResult(
        spec=subject.spec.model_dump(mode="json", exclude_none=True),
        goal=subject.aim.title,
        examples=subject.examples.description,
        held_out=subject.held_out.description,
        n_examples=len(subject.examples.ids),
        n_held_out=len(subject.held_out.ids),
        weights=subject.loaded.weights_digest,
        network=subject.loaded.source_digest,
        examples_digest=subject.examples.digest,
        held_out_digest=subject.held_out.digest,
        sources=sources.source_digest(),
        versions=environment.versions(),
        hardware=environment.hardware(),
        answers=tuple(_answers(subject, measured, files)),
        moved=tuple(_moved(subject, measured)),
        reached=tuple(_reached(subject, measured)),
        exhibits=exhibits,
    )


def role(subject: Experiment, method: str) -> Role:
    """What a method is to the manipulation."""
    if method == subject.spec.manipulation.against:
        return "attacked"
    return "transfer" if ATTRIBUTORS[method].uses_network else "ignores the network"


def weights_file(network: str) -> str:
    """Name of the file of a copy's weights."""
    return f"{network}.safetensors"


def _answers(subject: Experiment, measured: Measured, files: Mapping[str, bytes]) -> list[Answers]:
    labels, original = np.array(subject.held_out.labels), measured.predicted[0]
    return [
        Answers(
            network=network,
            weights=sha256(files[network]).hexdigest() if network in files else subject.loaded.weights_digest,
            file=weights_file(network) if network in files else "",
            accuracy=statistics.rate(predicted == labels, SHARE, {}),
            kept=statistics.rate(predicted == original, SHARE, {}),
            lost=_mean((original == labels).astype(float) - (predicted == labels), "share of images, -1 to 1"),
        )
        for network, predicted in zip(NETWORKS, measured.predicted, strict=True)
    ]


def _moved(subject: Experiment, measured: Measured) -> list[Moved]:
    values = dict(zip(COPIES, measured.similarity, strict=True))
    return [
        Moved(
            method=method,
            role=role(subject, method),
            similarity=similarity,
            control=_mean(values["control"][row, column], unit(similarity)),
            manipulated=_mean(values["manipulated"][row, column], unit(similarity)),
            beyond_control=_mean(
                values["control"][row, column] - values["manipulated"][row, column],
                f"difference of {unit(similarity)}",
            ),
        )
        for row, method in enumerate(subject.spec.explain.methods)
        for column, similarity in enumerate(SIMILARITIES)
    ]


def _reached(subject: Experiment, measured: Measured) -> list[Reached]:
    values, of = dict(zip(NETWORKS, measured.reached, strict=True)), subject.aim.unit
    return [
        Reached(
            method=method,
            role=role(subject, method),
            original=_mean(values["original"][row], of),
            control=_mean(values["control"][row], of),
            manipulated=_mean(values["manipulated"][row], of),
            gained=_mean(values["manipulated"][row] - values["original"][row], f"difference of {of}"),
        )
        for row, method in enumerate(subject.spec.explain.methods)
    ]


def _mean(values: Numbers, of: str) -> Estimate:
    absent = int(np.isnan(values).sum())
    return statistics.mean(values[~np.isnan(values)], of, {UNDEFINED: absent} if absent else {})
