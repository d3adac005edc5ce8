"""The section on maps: pictures of images that are chosen by rule, drawn from the store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.machine.writing import File
from pipeline.plan.conditions import CLEAN
from reports.audit.facts import EXPLANATION, ConditionFacts, RunFacts, strongest_conditions
from reports.audit.panels import (
    MapPanel,
    Sheet,
    image_of,
    longest_side,
    mask_of,
    native_side,
    panel_of,
    panel_on_own_scale,
    sheet_of,
    stored_map,
)
from reports.audit.readings import Readings
from reports.audit.reliability import ReliabilityFields
from reports.audit.section import Fields, Pictures, Section
from reports.families import by_family
from reports.formatting import condition_in_words, plural, slug
from reports.pixels import (
    Colours,
    change_panel,
    colour_limit,
    draw_sheet,
    map_panel,
    panel_side,
    photo_panel,
)
from reports.result import ResultModel, shown_metrics
from srd.registry import METRICS

RANKED_BY = "pearson"
OVERVIEWS = 4
CASE_PANELS = 6


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
    sheet: Sheet
    """Clean image, perturbed image, ten times their difference, then the three maps."""
    clean: MapPanel
    perturbed: MapPanel
    difference: MapPanel
    limit_rule: str


class Overview(ResultModel):
    """The clean maps of all methods on one image."""

    image: str
    label: str
    explained: str
    sheet: Sheet
    """The image, then the maps."""
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


@dataclass(frozen=True)
class Choice:
    """The images that are shown, and the longest side of their panels in pixels."""

    cases: tuple[tuple[ConditionFacts, RankedImage], ...]
    overview: tuple[int, ...]
    longest: int


def choose(readings: Readings, conditions: Iterable[ConditionFacts]) -> Choice:
    """Choose the images: worst, median and best under each attack on a method's explanation, at its largest strength.

    The rank is by the similarity RANKED_BY of the attacked method's maps. Ties are ordered by position, and an even
    number of images has the lower median. For the overview a few images are evenly spaced in the store.
    """
    attacks = strongest_conditions(facts for facts in conditions if facts.family == EXPLANATION)
    ranked = tuple((facts, each) for facts in attacks for each in _ranked_images(readings, facts))
    rows = _spaced_rows(readings)
    panels = CASE_PANELS * len(ranked) + (1 + len(readings.methods)) * len(rows)
    return Choice(ranked, rows, panel_side(native_side(readings), panels))


def cases(readings: Readings, choice: Choice) -> tuple[Case, ...]:
    """Return the chosen images under attack."""
    return tuple(_case(readings, facts, ranked, choice.longest) for facts, ranked in choice.cases)


def overview(readings: Readings, choice: Choice) -> tuple[Overview, ...]:
    """Return the clean maps of all methods on the chosen images."""
    return tuple(_overview(readings, number, row, choice.longest) for number, row in enumerate(choice.overview, 1))


def _spaced_rows(readings: Readings) -> tuple[int, ...]:
    computed = np.flatnonzero(readings.is_predicted(CLEAN))
    if not len(computed):
        return ()
    positions = np.unique(np.linspace(0, len(computed) - 1, OVERVIEWS).round().astype(int))
    return tuple(int(row) for row in computed[positions])


def selection_in_words(readings: Readings, choice: Choice) -> str:
    """Return a text on how the shown images were chosen and drawn."""
    drawn, native = choice.longest, native_side(readings)
    size = f"reduced from {native} to {drawn} pixels by area means" if drawn < native else "in full size"
    extremes = (
        "for each attack on a method's explanation, at its largest strength, the images whose maps of that method are "
        f"least, median and most alike by {METRICS[RANKED_BY].title}; "
    )
    return (
        f"Images are chosen by rule, not by eye: {extremes if choice.cases else ''}the overview takes "
        f"{plural(len(choice.overview), 'image')} evenly spaced in the order of the data. All other images and "
        f"strengths are left out here and are in the store. Panels are {size}; small ones are enlarged by repeating "
        "pixels."
    )


def drawings(readings: Readings, cases: Iterable[Case], overview: Iterable[Overview]) -> Iterator[File]:
    """Draw every sheet. Yield its path and its PNG."""
    for case in cases:
        yield case.sheet.file, draw_sheet(dict(enumerate(_draw_case(readings, case))), case.sheet.columns)
    for row in overview:
        yield row.sheet.file, draw_sheet(dict(_draw_overview(readings, row)), row.sheet.columns)


def _ranked_images(readings: Readings, facts: ConditionFacts) -> list[RankedImage]:
    values = readings.scores(facts.id, facts.against, RANKED_BY)
    order = [int(row) for row in np.argsort(values, kind="stable") if not np.isnan(values[row])]
    if not order:
        return []
    ranks = {order[(len(order) - 1) // 2]: "median", order[-1]: "best", order[0]: "worst"}
    return [RankedImage(ranks[row], row) for row in order if row in ranks]


def _case(readings: Readings, facts: ConditionFacts, ranked: RankedImage, longest: int) -> Case:
    row, method = ranked.row, facts.against
    clean, perturbed = (stored_map(readings, row, name, method) for name in (CLEAN, facts.id))
    end, rule = colour_limit(clean, perturbed)
    names = [
        readings.classes[max(0, readings.predicted_classes(readings.draws[each][0])[row])] for each in (CLEAN, facts.id)
    ]
    return Case(
        condition=facts.id,
        title=condition_in_words(facts.id),
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
        sheet=sheet_of(readings, f"{slug(facts.id)}-{ranked.rank}", CASE_PANELS, 1, longest),
        clean=panel_of(method, 3, clean, end),
        perturbed=panel_of(method, 4, perturbed, end),
        difference=panel_of(method, 5, perturbed - clean, end),
        limit_rule=rule,
    )


def _overview(readings: Readings, number: int, row: int, longest: int) -> Overview:
    mask, methods = mask_of(readings, row), readings.methods
    return Overview(
        image=readings.image_ids[row],
        label=readings.classes[readings.label[row]],
        explained=readings.classes[_target(readings, row)],
        sheet=sheet_of(readings, f"overview-{number}", 1 + len(methods), 1, longest),
        has_outline=mask is not None,
        maps=tuple(panel_on_own_scale(readings, row, method, place) for place, method in enumerate(methods, 1)),
    )


def _draw_case(readings: Readings, case: Case) -> Iterator[Colours]:
    longest, row = longest_side(case.sheet), readings.image_ids.index(case.image)
    image, other = (image_of(readings, row, name) for name in (CLEAN, case.condition))
    clean, moved = (stored_map(readings, row, name, case.clean.method) for name in (CLEAN, case.condition))
    yield photo_panel(image, longest)
    yield photo_panel(other, longest)
    yield change_panel(image, other, longest)
    for shown, pixels in ((case.clean, clean), (case.perturbed, moved), (case.difference, moved - clean)):
        yield map_panel(pixels, shown.limit or 1.0, longest)


def _draw_overview(readings: Readings, overview: Overview) -> Iterator[tuple[int, Colours]]:
    longest, row = longest_side(overview.sheet), readings.image_ids.index(overview.image)
    mask = mask_of(readings, row)
    yield 0, photo_panel(image_of(readings, row, CLEAN), longest, mask)
    for shown in overview.maps:
        if shown.place is not None and shown.limit is not None:
            pixels = stored_map(readings, row, CLEAN, shown.method)
            yield shown.place, map_panel(pixels, shown.limit, longest, mask)


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
    choice = choose(readings, result.conditions)
    return {
        "cases": cases(readings, choice),
        "overview": overview(readings, choice),
        "gallery": selection_in_words(readings, choice),
    }


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
