"""Scores and predictions of a store, as arrays by name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.plan.axes import WEIGHTS
from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REFERENCES, Reason
from pipeline.store.attributes import read_attributes
from reports.audit.qualities import Qualities
from reports.families import registry_position
from reports.result import ImageSet
from reports.statistics import means_over_draws
from srd.registry import ATTRIBUTORS

NOT_COMPUTED = "not computed: its task is missing"
OTHER_MAPS = {
    "other_class": "the map of the other class",
    "other_image": "the map of the other image",
    "edges": "the edge map of the image",
    "repeat": "the map drawn again",
}
"""Reference -> its map in the reasons why it could not be compared."""
DRAWS_NOTHING = "the method draws nothing at random, so a repeat is the same map"
MISSING = -1  # predicted class of an image that was not computed
UNLIKE = -2  # predicted class of an image whose draws are predicted as several classes


@dataclass(frozen=True)
class DefinedScores:
    """The defined scores of a set of images, in the order of the store, and why others of the set are left out."""

    values: NDArray[np.float64]
    excluded: dict[str, int]


class Readings:
    """Scores and predictions of a finished or unfinished store. Methods, and attacks on them, are ordered by family.

    The draws of one random change are one condition here. A score is the mean of those that are defined, so that the
    unit stays the image; a prediction counts if all draws have it. A draw may be named in place of its condition.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self.attributes = read_attributes(dataset.attrs, "the dataset")
        self.dataset = dataset = _sort_by_family(dataset)
        self.draws = _draws_of_groups(dataset)
        """Condition -> the ids of its draws, mostly one: its own."""
        self.conditions = tuple(self.draws)
        self.methods = tuple(str(name) for name in dataset["method"].values)
        self.metrics = tuple(str(name) for name in dataset["metric"].values)
        self.similarities = tuple(str(name) for name in dataset["similarity"].values)
        self._references = [str(name) for name in dataset["reference"].values]
        self.references = tuple(name for name in self._references if not name.startswith(WEIGHTS))
        """The references that give stability its scale: all but the maps of re-drawn networks."""
        self.image_ids = tuple(str(name) for name in dataset["image"].values)
        self.classes = tuple(str(name) for name in dataset["class"].values)
        self.has_masks = "mask" in dataset
        self.qualities = Qualities(dataset)
        self._is_finite: dict[tuple[int, str, str], bool] = {}

    @property
    def perturbed_conditions(self) -> tuple[str, ...]:
        """Return all conditions but `clean`."""
        return tuple(name for name in self.conditions if name != CLEAN)

    def columns(self, condition: str) -> tuple[int, ...]:
        """Return the positions of the draws of a condition on the perturbation axis of the dataset, mostly one."""
        return tuple(self._columns[draw] for draw in self.draws.get(condition, (condition,)))

    def predicted_classes(self, condition: str) -> NDArray[np.int64]:
        """Return the predicted class of each image.

        It is MISSING where a draw was not computed, and UNLIKE where draws are predicted as several classes.
        """
        classes = self._drawn_classes[:, self.columns(condition)]
        agreed = np.where((classes == classes[:, :1]).all(1), classes[:, 0], UNLIKE)
        return np.where((classes == MISSING).any(1), MISSING, agreed)

    @cached_property
    def label(self) -> NDArray[np.int64]:
        return np.asarray(self.dataset["label"].values)

    def is_predicted(self, condition: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose prediction under this condition was computed."""
        return np.asarray(self.predicted_classes(condition) != MISSING)

    def is_kept(self, condition: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose predicted class equals that of the clean image, both computed."""
        clean = self.predicted_classes(CLEAN)
        return np.asarray((clean == self.predicted_classes(condition)) & (clean != MISSING))

    def images(self, condition: str, images: ImageSet) -> NDArray[np.bool_]:
        """Return a mask of the images of a set, under a condition."""
        return self.is_kept(condition) if images == "prediction kept" else np.ones(len(self.image_ids), bool)

    def scores(self, condition: str, method: str, metric: str) -> NDArray[np.float64]:
        """Return the scores of all images by a metric, each the mean of its defined draws, NaN where there is none."""
        return means_over_draws(self._drawn_score[self._index(condition, method, metric)])

    def reasons(self, condition: str, method: str, metric: str) -> NDArray[np.uint8]:
        """Return the codes of the reasons why scores are NaN; 0 where a score is defined or was not computed.

        Of several draws it is the reason of the first.
        """
        return self._drawn_reason[self._index(condition, method, metric)][:, 0]

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
        where = self.columns(condition), self.methods.index(method), self.similarities.index(similarity)
        return means_over_draws(self._comparisons[variable][(slice(None), *where)])

    def changes(self, condition: str, measure: str) -> NDArray[np.float64]:
        """Return how far a condition moved inputs or answers of all images by a measure, NaN where unknown."""
        measures = self.dataset["measure"].values.tolist()
        return means_over_draws(self._change[:, self.columns(condition), measures.index(measure)])

    def target_probabilities(self, condition: str) -> NDArray[np.float64]:
        """Return the softmax probabilities of the explained classes, NaN where nothing was computed."""
        chosen = self.dataset["prediction"].isel(perturbation=list(self.columns(condition)))
        logits = np.asarray(chosen.transpose("image", "perturbation", "class").values, np.float64)
        targets = np.asarray(self.dataset["target"].values)[:, None, None]
        return means_over_draws(np.take_along_axis(softmax(logits, axis=2), targets, 2)[:, :, 0])

    def defined_scores(self, condition: str, method: str, metric: str, images: ImageSet) -> DefinedScores:
        """Return the defined scores of a set of images."""
        chosen = self.images(condition, images)
        values = self.scores(condition, method, metric)[chosen]
        reasons = self.reasons(condition, method, metric)[chosen]
        return _defined_scores(values, [self.reason_text(code) for code in reasons])

    def reference_similarities(self, method: str, reference: str, similarity: str) -> DefinedScores:
        """Return the similarities of the clean maps to those of a reference."""
        values = self.reference_scores(method, reference, similarity)
        reasons = [self.reason_text(code) for code in self.reasons(CLEAN, method, similarity)]
        blameless = np.isnan(values) & ~np.isnan(self.scores(CLEAN, method, similarity))
        for row in np.flatnonzero(blameless):
            reasons[row] = self.comparison_failure(int(row), method, reference)
        return _defined_scores(values, reasons)

    def reference_scores(self, method: str, reference: str, similarity: str) -> NDArray[np.float64]:
        """Return the similarities of the clean maps of all images to those of a reference, NaN where undefined."""
        values = self._reference[:, self.methods.index(method), self._references.index(reference)]
        return np.asarray(values[:, self.similarities.index(similarity)])

    def is_attributed(self, method: str) -> NDArray[np.bool_]:
        """Return a mask of the images whose clean map was computed. Only such a map has a scale."""
        where = {"perturbation": self.columns(CLEAN)[0], "method": self.methods.index(method)}
        return np.asarray(~np.isnan(self.dataset["scale"].isel(where).values))

    def redrawn_maps(self, rows: Sequence[int], method: str) -> NDArray[np.floating[Any]]:
        """Return the unscaled maps (image, re-draw, h, w) by the networks of which all weights are drawn anew."""
        where = {"image": list(rows), "method": self.methods.index(method)}
        maps = self.dataset["randomised_attribution"].isel(where).sel(depth=list(self.qualities.redraws))
        return np.asarray(maps.transpose("image", "depth", "y", "x").values)

    def evidence(self, condition: str) -> dict[str, NDArray[np.float64]]:
        """Return the evidence on the search of an attack on explanations, for every image, NaN where there is none."""
        column = self.dataset["attack_evidence"].isel(perturbation=self.columns(condition)[0]).values
        names = (str(name) for name in self.dataset["evidence"].values)
        return {name: np.asarray(column[:, number], np.float64) for number, name in enumerate(names)}

    def undefined_counts(self, method: str) -> dict[str, int]:
        """Return how many scores of a method have no value, by reason."""
        column = self.methods.index(method)
        codes = self._drawn_reason[:, :, column][np.isnan(self._drawn_score[:, :, column])]
        return {self.reason_text(int(code)): int((codes == code).sum()) for code in np.unique(codes)}

    def comparison_failure(self, row: int, method: str, reference: str) -> str:
        """Return why a sound map of an image could not be compared with the map of a reference."""
        if reference == "repeat" and not ATTRIBUTORS[method].stochastic:
            return DRAWS_NOTHING
        is_finite = self.is_comparison_finite(row, method, reference)
        reason = self.reason_text(Reason.NO_CONTRAST if is_finite else Reason.NOT_FINITE)
        return f"{OTHER_MAPS[reference]}{reason.removeprefix('the map')}"

    def is_comparison_finite(self, row: int, method: str, reference: str) -> bool:
        """Return whether the map of a reference is finite. One that cannot be compared is then constant."""
        asked = row, method, reference
        if asked not in self._is_finite:
            self._is_finite[asked] = bool(np.isfinite(self._reference_pixels(*asked)).all())
        return self._is_finite[asked]

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {str(name): column for column, name in enumerate(self.dataset["perturbation"].values)}

    @cached_property
    def _drawn_score(self) -> NDArray[np.float64]:
        return np.asarray(self.dataset["score"].values, np.float64)

    @cached_property
    def _drawn_reason(self) -> NDArray[np.uint8]:
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

    def _index(self, condition: str, method: str, metric: str) -> tuple[slice, tuple[int, ...], int, int]:
        return slice(None), self.columns(condition), self.methods.index(method), self.metrics.index(metric)

    @cached_property
    def _drawn_classes(self) -> NDArray[np.int64]:
        return np.stack([self._classes_of_logits(column) for column in self._columns.values()], 1)

    def _classes_of_logits(self, column: int) -> NDArray[np.int64]:
        logits = self.dataset["prediction"].isel(perturbation=column).values
        missing = np.isnan(logits).any(1)
        return np.where(missing, MISSING, np.where(np.isnan(logits), 0, logits).argmax(1))

    def _reference_pixels(self, row: int, method: str, reference: str) -> NDArray[np.floating[Any]]:
        """Return the data of a reference: an unscaled map, or the image."""
        clean, column = self.columns(CLEAN)[0], self.methods.index(method)
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


def _draws_of_groups(dataset: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Return group -> the ids of its draws, in the order of their numbers."""
    groups = dataset["perturbation_group"].values.astype(str)
    ids = dataset["perturbation"].values.astype(str)
    order = np.argsort(dataset["perturbation_draw"].values, kind="stable")
    return {
        str(name): tuple(str(ids[row]) for row in order if groups[row] == name)
        for name in dict.fromkeys(groups.tolist())
    }


def _defined_scores(values: NDArray[np.float64], reasons: list[str]) -> DefinedScores:
    absent = np.isnan(values)
    excluded = Counter(reason for reason, is_absent in zip(reasons, absent, strict=True) if is_absent)
    return DefinedScores(values[~absent], dict(sorted(excluded.items())))
