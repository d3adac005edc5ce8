"""The images that the viewer holds: chosen by rule, and read from the store one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.machine.writing import File
from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REASONS, Reason
from reports.audit.facts import ConditionFacts
from reports.audit.maps import MapFields
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.formatting import method_title, plural
from reports.pixels import Mask, Pixels
from reports.result import shown_metrics
from reports.viewer.contents import Holdings, Prediction, Shown, ShownCondition, ShownImage, ShownMap, ShownMethod
from reports.viewer.files import viewer_files
from reports.viewer.sizes import viewer_size
from srd.registry import METRICS

FOLDER = "viewer"
RANKS = ("worst", "median", "best")


@dataclass(frozen=True)
class _Numbers:
    """Numbers that are small enough to be read at once for all images."""

    columns: list[int]
    """Position of each condition on the perturbation axis: that of its first draw."""
    logits: NDArray[np.float64]
    """(image, condition, class)."""
    scales: NDArray[np.float64]
    """(image, condition, method)."""
    scores: NDArray[np.float64]
    """Similarities to the clean map (image, condition, method, measure)."""


def viewer(readings: Readings, result: MapFields) -> Iterator[File]:
    """Yield the files of the viewer, in its own folder."""
    computed = np.flatnonzero(readings.is_predicted(CLEAN))
    size = viewer_size(_shape(readings), len(computed), len(readings.conditions), len(readings.methods))
    rows = chosen_rows(computed, size.images, _rows_of_gallery(readings, result))
    numbers = _numbers(readings)
    images = (_image(readings, row, numbers) for row in rows)
    for name, content in viewer_files(_holdings(readings, result, len(rows)), images, size):
        yield f"{FOLDER}/{name}", content


def chosen_rows(computed: NDArray[np.intp], count: int, first: Sequence[int]) -> list[int]:
    """Return the rows of `count` images, in the order of the store: those of `first`, and others evenly spaced."""
    taken = [row for row in dict.fromkeys(first) if row in computed][:count]
    others = np.setdiff1d(computed, taken)
    spaced = np.linspace(0, len(others) - 1, count - len(taken)).round().astype(int)
    return sorted([*taken, *(int(row) for row in others[spaced])])


def _rows_of_gallery(readings: Readings, result: MapFields) -> list[int]:
    """Return the images that the page shows: the worst under each attack, the medians, the best, the overview."""
    ranked = [case.image for rank in RANKS for case in result.cases if case.rank == rank]
    positions = {name: row for row, name in enumerate(readings.image_ids)}
    return [positions[name] for name in (*ranked, *(row.image for row in result.overview))]


def _holdings(readings: Readings, result: MapFields, count: int) -> Holdings:
    doubts = {each.condition: each.verdict for each in result.verdicts}
    facts = {each.id: each for each in result.conditions}
    return Holdings(
        model=result.identity.model,
        data=result.identity.data,
        fingerprint=result.identity.fingerprint,
        n_images=len(readings.image_ids),
        selection=_selection_in_words(readings, count),
        shape=_shape(readings),
        methods=tuple(
            ShownMethod(each.name, each.title, each.family, each.signed, each.caveat) for each in result.methods
        ),
        conditions=tuple(
            _condition(facts[name], doubts.get(name, "")) if name in facts else ShownCondition(name, "clean", "clean")
            for name in readings.conditions
        ),
        measures=tuple(METRICS[name].title for name in shown_metrics(readings.similarities)),
    )


def _selection_in_words(readings: Readings, count: int) -> str:
    total = len(readings.image_ids)
    if count == total:
        return f"All {plural(total, 'image')} of the audit are here."
    missing = total - int(readings.is_predicted(CLEAN).sum())
    undone = f" Of {plural(missing, 'image')} nothing was computed." if missing else ""
    return (
        f"{count} of the {plural(total, 'image')} of the audit are here, as many as fit: those that the report shows "
        "(under each attack on an explanation the one whose map changed most, then the median, then the one that "
        f"changed least), and others evenly spaced in the order of the data. The rest is in the store.{undone}"
    )


def _condition(facts: ConditionFacts, doubt: str) -> ShownCondition:
    words = [facts.title, f"of {method_title(facts.against)}" if facts.against else "", facts.strength_text]
    return ShownCondition(facts.id, " ".join(filter(None, words)), facts.family, facts.against, doubt, facts.draws)


def _numbers(readings: Readings) -> _Numbers:
    columns = [readings.columns(name)[0] for name in readings.conditions]
    dataset = readings.dataset.isel(perturbation=columns)
    measures = shown_metrics(readings.similarities)
    scores = [
        [[readings.scores(condition, method, name) for name in measures] for method in readings.methods]
        for condition in readings.conditions
    ]
    return _Numbers(
        columns=columns,
        logits=dataset["prediction"].transpose("image", "perturbation", "class").values.astype(np.float64),
        scales=dataset["scale"].transpose("image", "perturbation", "method").values.astype(np.float64),
        scores=np.moveaxis(np.array(scores), -1, 0),
    )


def _image(readings: Readings, row: int, numbers: _Numbers) -> ShownImage:
    chosen = readings.dataset[["input", "attribution"]].isel(image=row, perturbation=numbers.columns)
    photos = chosen["input"].transpose("perturbation", "channel", "y", "x").values
    maps = chosen["attribution"].transpose("perturbation", "method", "y", "x").values.astype(np.float32)
    target = int(readings.dataset["target"].values[row])

    def under(condition: int) -> Shown:
        photo = photos[condition]
        return Shown(
            photo=photo if np.isfinite(photo).all() else None,
            prediction=_prediction(readings, numbers.logits[row, condition], target),
            maps=tuple(map(_map, maps[condition], numbers.scales[row, condition], numbers.scores[row, condition])),
        )

    return ShownImage(
        id=readings.image_ids[row],
        label=readings.classes[readings.label[row]],
        explained=readings.classes[target],
        mask=_mask(readings, row),
        under=tuple(map(under, range(len(readings.conditions)))),
    )


def _prediction(readings: Readings, logits: NDArray[np.float64], target: int) -> Prediction | None:
    if not np.isfinite(logits).all():
        return None
    return Prediction(readings.classes[int(logits.argmax())], float(softmax(logits)[target]))


def _map(stored: Pixels, scale: float, scores: NDArray[np.float64]) -> ShownMap:
    """Return a map with its similarities, or why there is none. Only a map that was computed has a scale."""
    if np.isnan(scale):
        return ShownMap(None, NOT_COMPUTED)
    pixels = stored * np.float32(scale)
    if not np.isfinite(pixels).all():
        return ShownMap(None, REASONS[Reason.NOT_FINITE])
    return ShownMap(pixels, scores=tuple(None if np.isnan(score) else float(score) for score in scores))


def _mask(readings: Readings, row: int) -> Mask | None:
    if not readings.has_masks:
        return None
    mask: Mask = np.asarray(readings.dataset["mask"].isel(image=row).values)
    return mask if mask.any() else None


def _shape(readings: Readings) -> tuple[int, int]:
    return readings.dataset.sizes["y"], readings.dataset.sizes["x"]
