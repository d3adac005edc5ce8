"""Scores and predictions of a store, as arrays by name."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REFERENCES, Reason
from pipeline.store.attributes import read_attributes
from reports.families import registry_position
from reports.result import ImageSet

NOT_COMPUTED = "not computed: its task is missing"
OTHER_MAPS = {
    "other_class": "the map of the other class",
    "other_image": "the map of the other image",
    "edges": "the edge map of the image",
    "repeat": "the repeated map",
}
"""Reference -> its map in the reasons why it could not be compared."""
MISSING = -1  # predicted class of an image that was not computed


@dataclass(frozen=True)
class DefinedScores:
    """The defined scores of a set of images, in the order of the store, and why others of the set are left out."""

    values: NDArray[np.float64]
    excluded: dict[str, int]


class Readings:
    """Scores and predictions of a finished or unfinished store. Methods, and attacks on them, are ordered by family."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.attributes = read_attributes(dataset.attrs, "the dataset")
        self.dataset = dataset = _sort_by_family(dataset)
        self.conditions = tuple(str(name) for name in dataset["perturbation"].values)
        self.methods = tuple(str(name) for name in dataset["method"].values)
        self.metrics = tuple(str(name) for name in dataset["metric"].values)
        self.similarities = tuple(str(name) for name in dataset["similarity"].values)
        self.references = tuple(str(name) for name in dataset["reference"].values)
        self.image_ids = tuple(str(name) for name in dataset["image"].values)
        self.classes = tuple(str(name) for name in dataset["class"].values)
        self.has_masks = "mask" in dataset

    @property
    def perturbed_conditions(self) -> tuple[str, ...]:
        """Return all conditions but `clean`."""
        return tuple(name for name in self.conditions if name != CLEAN)

    @cached_property
    def predicted_classes(self) -> NDArray[np.int64]:
        """Return the predicted classes (image, perturbation), MISSING where nothing was computed."""
        columns = [self._classes_of_logits(column) for column in range(len(self.conditions))]
        return np.stack(columns, 1)

    @cached_property
    def label(self) -> NDArray[np.int64]:
        return np.asarray(self.dataset["label"].values)

    def is_predicted(self, condition: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose prediction under this condition was computed."""
        return np.asarray(self.predicted_classes[:, self.conditions.index(condition)] != MISSING)

    def is_kept(self, condition: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose predicted class equals that of the clean image, both computed."""
        clean, column = self.predicted_classes[:, 0], self.predicted_classes[:, self.conditions.index(condition)]
        return np.asarray((clean == column) & (clean != MISSING))

    def images(self, condition: str, images: ImageSet) -> NDArray[np.bool_]:
        """Return a mask of the images of a set, under a condition."""
        return self.is_kept(condition) if images == "prediction kept" else np.ones(len(self.image_ids), bool)

    def scores(self, condition: str, method: str, metric: str) -> NDArray[np.float64]:
        """Return the scores of all images by a metric, NaN where undefined."""
        return np.asarray(self._score[self._index(condition, method, metric)])

    def reasons(self, condition: str, method: str, metric: str) -> NDArray[np.uint8]:
        """Return the codes of the reasons why scores are NaN; 0 where a score is defined or was not computed."""
        return np.asarray(self._reason[self._index(condition, method, metric)])

    def reason_text(self, code: int) -> str:
        """Return the reason why a score is NaN."""
        return str(self.attributes.reasons[code]) if code else NOT_COMPUTED

    def comparison_scores(self, variable: str, condition: str, method: str, similarity: str) -> NDArray[np.float64]:
        """Return the similarities of the perturbed maps of all images to other clean maps, NaN where undefined.

        Parameters
        ----------
        variable
            `target_similarity`: to the map of the target image. `other_class_similarity`: to that of the other class.
        """
        columns = self.conditions.index(condition), self.methods.index(method), self.similarities.index(similarity)
        return np.asarray(self._comparisons[variable][(slice(None), *columns)])

    def changes(self, condition: str, measure: str) -> NDArray[np.float64]:
        """Return how far a condition moved inputs or answers of all images by a measure, NaN where unknown."""
        measures = self.dataset["measure"].values.tolist()
        return np.asarray(self._change[:, self.conditions.index(condition), measures.index(measure)])

    def target_probabilities(self, condition: str) -> NDArray[np.float64]:
        """Return the softmax probabilities of the explained classes, NaN where nothing was computed."""
        logits = np.asarray(self.dataset["prediction"].sel(perturbation=condition).values, np.float64)
        targets = np.asarray(self.dataset["target"].values)[:, None]
        return np.asarray(np.take_along_axis(softmax(logits, axis=1), targets, 1)[:, 0])

    def defined_scores(self, condition: str, method: str, metric: str, images: ImageSet) -> DefinedScores:
        """Return the defined scores of a set of images."""
        chosen = self.images(condition, images)
        values = self.scores(condition, method, metric)[chosen]
        reasons = self._reason[self._index(condition, method, metric)][chosen]
        return _defined_scores(values, [self.reason_text(code) for code in reasons])

    def reference_similarities(self, method: str, reference: str, similarity: str) -> DefinedScores:
        """Return the similarities of the clean maps to those of a reference."""
        values = self.reference_scores(method, reference, similarity)
        own = self._reason[self._index(CLEAN, method, similarity)]
        reasons = [self.reason_text(code) for code in own]
        blameless = np.isnan(values) & ~np.isnan(self.scores(CLEAN, method, similarity))
        for row in np.flatnonzero(blameless):
            reasons[row] = self.comparison_failure(int(row), method, reference)
        return _defined_scores(values, reasons)

    def reference_scores(self, method: str, reference: str, similarity: str) -> NDArray[np.float64]:
        """Return the similarities of the clean maps of all images to those of a reference, NaN where undefined."""
        values = self._reference[:, self.methods.index(method), self.references.index(reference)]
        return np.asarray(values[:, self.similarities.index(similarity)])

    def is_attributed(self, method: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose clean map was computed. Only such a map has a scale."""
        where = {"perturbation": self.conditions.index(CLEAN), "method": self.methods.index(method)}
        return np.asarray(~np.isnan(self.dataset["scale"].isel(where).values))

    def evidence(self, condition: str) -> dict[str, NDArray[np.float64]]:
        """Return the evidence on the search of an attack on explanations, for every image, NaN where there is none."""
        column = self.dataset["attack_evidence"].isel(perturbation=self.conditions.index(condition)).values
        names = (str(name) for name in self.dataset["evidence"].values)
        return {name: np.asarray(column[:, number], np.float64) for number, name in enumerate(names)}

    def undefined_counts(self, method: str) -> dict[str, int]:
        """Return how many scores of a method have no value, by reason."""
        column = self.methods.index(method)
        codes = self._reason[:, :, column][np.isnan(self._score[:, :, column])]
        return {self.reason_text(int(code)): int((codes == code).sum()) for code in np.unique(codes)}

    def comparison_failure(self, row: int, method: str, reference: str) -> str:
        """Return why a sound map of an image could not be compared with the map of a reference."""
        is_finite = self.is_comparison_finite(row, method, reference)
        reason = self.reason_text(Reason.NO_CONTRAST if is_finite else Reason.NOT_FINITE)
        return f"{OTHER_MAPS[reference]}{reason.removeprefix('the map')}"

    def is_comparison_finite(self, row: int, method: str, reference: str) -> bool:
        """Return whether the map of a reference is finite. One that cannot be compared is then constant."""
        return bool(np.isfinite(self._reference_pixels(row, method, reference)).all())

    @cached_property
    def _score(self) -> NDArray[np.float64]:
        return np.asarray(self.dataset["score"].values, np.float64)

    @cached_property
    def _reason(self) -> NDArray[np.uint8]:
        return np.asarray(self.dataset["reason"].values)

    @cached_property
    def _reference(self) -> NDArray[np.float64]:
        return np.asarray(self.dataset["reference_similarity"].values, np.float64)

    @cached_property
    def _comparisons(self) -> dict[str, NDArray[np.float64]]:
        names = ("target_similarity", "other_class_similarity")
        return {name: np.asarray(self.dataset[name].values, np.float64) for name in names}

    @cached_property
    def _change(self) -> NDArray[np.float64]:
        return np.asarray(self.dataset["change"].values, np.float64)

    def _index(self, condition: str, method: str, metric: str) -> tuple[slice, int, int, int]:
        columns = self.conditions.index(condition), self.methods.index(method), self.metrics.index(metric)
        return (slice(None), *columns)

    def _classes_of_logits(self, column: int) -> NDArray[np.int64]:
        logits = self.dataset["prediction"].isel(perturbation=column).values
        missing = np.isnan(logits).any(1)
        return np.where(missing, MISSING, np.where(np.isnan(logits), 0, logits).argmax(1))

    def _reference_pixels(self, row: int, method: str, reference: str) -> NDArray[np.floating[Any]]:
        """Return the data of a reference: an unscaled map, or the image."""
        clean, column = self.conditions.index(CLEAN), self.methods.index(method)
        source = REFERENCES[reference]
        image = int(self.dataset["target_image"].values[row]) if source.of_target_image else row
        values = self.dataset[source.variable]
        places = {"image": image, "perturbation": clean, "method": column}
        return np.asarray(values.isel({dim: at for dim, at in places.items() if dim in values.dims}).values)


def _sort_by_family(dataset: xr.Dataset) -> xr.Dataset:
    methods = dataset["method"].values.tolist()
    names, against = dataset["perturbation_name"].values.tolist(), dataset["perturbation_against"].values.tolist()
    attacked = [registry_position(method) if method else 0 for method in against]
    return dataset.isel(
        method=sorted(range(len(methods)), key=lambda row: registry_position(methods[row])),
        perturbation=sorted(range(len(names)), key=lambda column: (names.index(names[column]), attacked[column])),
    )


def _defined_scores(values: NDArray[np.float64], reasons: list[str]) -> DefinedScores:
    absent = np.isnan(values)
    excluded = Counter(reason for reason, is_absent in zip(reasons, absent, strict=True) if is_absent)
    return DefinedScores(values[~absent], dict(sorted(excluded.items())))
