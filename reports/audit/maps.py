"""The section on maps: pictures of images that are chosen by rule, drawn from the store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.machine.writing import File
from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REASONS, Reason
from reports.audit.facts import EXPLANATION, ConditionFacts, RunFacts, strongest_conditions
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.reliability import ReliabilityFields
from reports.audit.section import Fields, Pictures, Section
from reports.families import by_family
from reports.formatting import method_title, plural, slug
from reports.pixels import Mask, Pixels, clipped_share, colour_limit, heat_map, magnified_change, panel_side, photo
from reports.result import ResultModel, shown_metrics
from srd.registry import METRICS

RANKED_BY = "pearson"
OVERVIEWS = 4
FOLDER = "maps"


class MapPanel(ResultModel):
    """A panel that shows a map: its file and the scale of its colours."""

    method: str
    file: str
    limit: float | None
    """White is 0, and the colours end at -limit and +limit; None if there is no map."""
    clipped: float | None
    """Share of the pixels beyond the limits."""
    reason: str = ""
    """The reason why there is no map."""


class Case(ResultModel):
    """One image before and after an attack on an explanation."""

    condition: str
    title: str
    rank: str
    """Rank by the Pearson correlation of the attacked method's maps: worst, median or best."""
    image: str
    label: str
    clean_prediction: str
    clean_probability: float
    """Softmax probability of the explained class."""
    perturbed_prediction: str
    perturbed_probability: float
    explained: str
    similarities: dict[str, float | None]
    image_file: str
    perturbed_file: str
    change_file: str
    clean: MapPanel
    perturbed: MapPanel
    difference: MapPanel
    limit_rule: str


class Overview(ResultModel):
    """The clean maps of all methods on one image."""

    image: str
    label: str
    explained: str
    image_file: str
    has_outline: bool
    maps: tuple[MapPanel, ...]


class MapFields(ReliabilityFields):
    """Fields that this section adds to the result."""

    cases: tuple[Case, ...]
    overview: tuple[Overview, ...]
    gallery: str
    """Text on how the shown images were chosen and drawn."""


@dataclass(frozen=True)
class RankedImage:
    """An image and its rank among the images under one attack."""

    rank: str
    row: int


def cases(readings: Readings, conditions: Iterable[ConditionFacts]) -> tuple[Case, ...]:
    """Return worst, median and best image under each attack on a method's explanation, at its largest strength.

    The rank is by the similarity RANKED_BY of the attacked method's maps. Ties are ordered by position, and an even
    number of images has the lower median.
    """
    attacks = strongest_conditions(facts for facts in conditions if facts.family == EXPLANATION)
    return tuple(_case(readings, facts, ranked) for facts in attacks for ranked in _ranked_images(readings, facts))


def overview(readings: Readings) -> tuple[Overview, ...]:
    """Return the clean maps of all methods on a few images, which are evenly spaced in the store."""
    computed = np.flatnonzero(readings.is_predicted(CLEAN))
    if not len(computed):
        return ()
    positions = np.unique(np.linspace(0, len(computed) - 1, OVERVIEWS).round().astype(int))
    return tuple(_overview(readings, number, int(row)) for number, row in enumerate(computed[positions], 1))


def selection_in_words(readings: Readings, cases: tuple[Case, ...], overview: tuple[Overview, ...]) -> str:
    """Return a text on how the shown images were chosen and drawn."""
    drawn, native = _panel_side(readings, cases, overview), _native_side(readings)
    size = f"reduced from {native} to {drawn} pixels by area means" if drawn < native else "in full size"
    extremes = (
        "for each attack on a method's explanation, at its largest strength, the images whose maps of that method are "
        f"least, median and most alike by {METRICS[RANKED_BY].title}; "
    )
    return (
        f"Images are chosen by rule, not by eye: {extremes if cases else ''}the overview takes "
        f"{plural(len(overview), 'image')} evenly spaced in the order of the data. All other images and strengths are "
        f"left out here and are in the store. Panels are {size}; small ones are enlarged by repeating pixels."
    )


def drawings(readings: Readings, cases: tuple[Case, ...], overview: tuple[Overview, ...]) -> Iterator[File]:
    """Draw every panel. Yield its path and its PNG."""
    longest = _panel_side(readings, cases, overview)
    for case in cases:
        yield from _draw_case(readings, case, longest)
    for row in overview:
        yield from _draw_overview(readings, row, longest)


def _ranked_images(readings: Readings, facts: ConditionFacts) -> list[RankedImage]:
    values = readings.scores(facts.id, facts.against, RANKED_BY)
    order = [int(row) for row in np.argsort(values, kind="stable") if not np.isnan(values[row])]
    if not order:
        return []
    ranks = {order[(len(order) - 1) // 2]: "median", order[-1]: "best", order[0]: "worst"}
    return [RankedImage(ranks[row], row) for row in order if row in ranks]


def _case(readings: Readings, facts: ConditionFacts, ranked: RankedImage) -> Case:
    row, method = ranked.row, facts.against
    clean, perturbed = (stored_map(readings, row, name, method) for name in (CLEAN, facts.id))
    end, rule = colour_limit(clean, perturbed)
    stem = f"{FOLDER}/{slug(facts.id)}-{ranked.rank}"
    names = [
        readings.classes[max(0, readings.predicted_classes(readings.draws[each][0])[row])] for each in (CLEAN, facts.id)
    ]
    return Case(
        condition=facts.id,
        title=f"{facts.title} of {method_title(method)} at {facts.strength_text}",
        rank=ranked.rank,
        image=readings.image_ids[row],
        label=readings.classes[readings.label[row]],
        explained=readings.classes[_target(readings, row)],
        clean_prediction=names[0],
        clean_probability=_probability(readings, row, CLEAN),
        perturbed_prediction=names[1],
        perturbed_probability=_probability(readings, row, facts.id),
        similarities={
            name: _score(readings, row, facts.id, method, name) for name in shown_metrics(readings.similarities)
        },
        image_file=f"{stem}-image.png",
        perturbed_file=f"{stem}-perturbed.png",
        change_file=f"{stem}-change.png",
        clean=_map_panel(method, f"{stem}-map.png", clean, end),
        perturbed=_map_panel(method, f"{stem}-perturbed-map.png", perturbed, end),
        difference=_map_panel(method, f"{stem}-map-change.png", perturbed - clean, end),
        limit_rule=rule,
    )


def _overview(readings: Readings, number: int, row: int) -> Overview:
    mask = _mask(readings, row)
    return Overview(
        image=readings.image_ids[row],
        label=readings.classes[readings.label[row]],
        explained=readings.classes[_target(readings, row)],
        image_file=f"{FOLDER}/overview-{number}-image.png",
        has_outline=mask is not None,
        maps=tuple(
            _panel_on_own_scale(readings, row, method, f"{FOLDER}/overview-{number}-{slug(method)}.png")
            for method in readings.methods
        ),
    )


def _panel_on_own_scale(readings: Readings, row: int, method: str, file: str) -> MapPanel:
    pixels = stored_map(readings, row, CLEAN, method)
    if not np.isfinite(pixels).all():
        reason = REASONS[Reason.NOT_FINITE] if readings.is_attributed(method)[row] else NOT_COMPUTED
        return MapPanel(method=method, file="", limit=None, clipped=None, reason=reason)
    return _map_panel(method, file, pixels, colour_limit(pixels)[0])


def _map_panel(method: str, file: str, pixels: Pixels, end: float) -> MapPanel:
    return MapPanel(method=method, file=file, limit=end, clipped=clipped_share(pixels, end))


def _draw_case(readings: Readings, case: Case, longest: int) -> Iterator[File]:
    row = readings.image_ids.index(case.image)
    image, other = (_image(readings, row, name) for name in (CLEAN, case.condition))
    clean, moved = (stored_map(readings, row, name, case.clean.method) for name in (CLEAN, case.condition))
    yield case.image_file, photo(image, longest)
    yield case.perturbed_file, photo(other, longest)
    yield case.change_file, magnified_change(image, other, longest)
    for shown, pixels in ((case.clean, clean), (case.perturbed, moved), (case.difference, moved - clean)):
        yield shown.file, heat_map(pixels, shown.limit or 1.0, longest)


def _draw_overview(readings: Readings, overview: Overview, longest: int) -> Iterator[File]:
    row = readings.image_ids.index(overview.image)
    mask = _mask(readings, row)
    yield overview.image_file, photo(_image(readings, row, CLEAN), longest, mask)
    for shown in overview.maps:
        if shown.limit is not None:
            yield shown.file, heat_map(stored_map(readings, row, CLEAN, shown.method), shown.limit, longest, mask)


def _panel_side(readings: Readings, cases: tuple[Case, ...], overview: tuple[Overview, ...]) -> int:
    panels = 6 * len(cases) + sum(1 + len(row.maps) for row in overview)
    return panel_side(_native_side(readings), panels)


def _native_side(readings: Readings) -> int:
    return max(readings.dataset.sizes["y"], readings.dataset.sizes["x"])


def _image(readings: Readings, row: int, condition: str) -> Pixels:
    column = readings.columns(condition)[0]
    return np.asarray(readings.dataset["input"].isel(image=row, perturbation=column).values)


def stored_map(readings: Readings, row: int, condition: str, method: str) -> Pixels:
    """Return the map of an image under a condition, in the first of its draws."""
    where = {
        "image": row,
        "perturbation": readings.columns(condition)[0],
        "method": readings.methods.index(method),
    }
    dataset = readings.dataset
    values = dataset["attribution"].isel(where).values.astype(np.float32) * dataset["scale"].isel(where).values
    return np.asarray(values, np.float32)


def _mask(readings: Readings, row: int) -> Mask | None:
    if not readings.has_masks:
        return None
    mask: NDArray[np.bool_] = np.asarray(readings.dataset["mask"].isel(image=row).values)
    return mask if mask.any() else None


def _target(readings: Readings, row: int) -> int:
    return int(readings.dataset["target"].isel(image=row).item())


def _probability(readings: Readings, row: int, condition: str) -> float:
    where = {"image": row, "perturbation": readings.columns(condition)[0]}
    logits = readings.dataset["prediction"].isel(where).values.astype(np.float64)
    weights = np.exp(logits - logits.max())
    return float(weights[_target(readings, row)] / weights.sum())


def _score(readings: Readings, row: int, condition: str, method: str, metric: str) -> float | None:
    value = float(readings.scores(condition, method, metric)[row])
    return None if np.isnan(value) else value


def _numbers(readings: Readings, result: RunFacts) -> Fields:
    shown, clean = cases(readings, result.conditions), overview(readings)
    return {"cases": shown, "overview": clean, "gallery": selection_in_words(readings, shown, clean)}


def _body(result: MapFields, _: Pictures) -> Mapping[str, object]:
    return {
        "overview": [(row, by_family(row.maps, lambda panel: panel.method)) for row in result.overview],
        "cases": _by_attack(result),
    }


def _by_attack(result: MapFields) -> list[tuple[str, list[Case]]]:
    """Return the title of each attack, with the verdict where it is in doubt and the method's caveat, and its cases."""
    doubts = {each.condition: each.verdict for each in result.verdicts}
    caveats = {facts.id: result.caveats.get(facts.against) for facts in result.conditions}
    titles = {case.condition: case.title for case in result.cases}
    for condition in titles:
        remarks = filter(None, (doubts.get(condition), caveats.get(condition)))
        titles[condition] += "".join(f" ({remark})" for remark in remarks)
    return [(title, [case for case in result.cases if case.condition == condition])
            for condition, title in titles.items()]  # fmt: skip


MAPS = Section(id="maps", title="Maps", heading="Maps", template="maps", body=_body, numbers=_numbers)
