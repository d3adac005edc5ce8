"""The sections on what an audit does not measure, and on how far its numbers carry."""

from collections.abc import Iterator

from attacks.registry import PERTURBATIONS
from reports.audit.facts import EXPLANATION, PerturbationFacts, RunFacts
from reports.audit.localisation import metrics_of_masks
from reports.audit.reliability import CONTROLS
from reports.audit.section import Section
from reports.audit.undefined_scores import undefined_scores_in_words
from reports.formatting import condition_in_words, enumeration, plural

SMALL_N = 30
UNCORRECTED = (
    "Each interval stands alone: with this many numbers some intervals miss their value; none was corrected for the "
    "number of comparisons."
)
NOT_CORRECTNESS = (
    "Similarity of maps is not correctness: a map may be stable and wrong, or move because the evidence moved."
)

ASKED_AGAIN = {
    "remove": ("faithfulness", "whether the answer depends on what the maps show"),
    "randomise": ("randomisation", "whether the maps depend on what the network has learnt"),
}
"""Stage that asks the network again -> the category of metrics, and its question."""


class LimitFields(RunFacts):
    """Fields that these sections add to the result."""

    not_measured: tuple[str, ...]
    limits: tuple[str, ...]


def unmeasured_aspects(result: RunFacts) -> tuple[str, ...]:
    """Return sentences on what this audit does not measure, and why."""
    return tuple(_unmeasured_aspects(result))


def scope(result: RunFacts) -> str:
    """Return a sentence on what was audited, and under which conditions."""
    made, real = result.identity, [method.title for method in result.methods if not method.is_control]
    beside = [method.title for method in result.methods if method.is_control]
    controls = f", and as controls {enumeration(beside)}" if beside else ""
    under = "; ".join(dict.fromkeys(each.heading for each in result.conditions)) or "no perturbation"
    return (
        f"Audited: {made.model} on {plural(made.sizes['image'], 'image')} of {made.data}, explained by "
        f"{enumeration(real)}{controls}. Conditions beside clean images: {under}. What follows was not measured, or "
        "only in part."
    )


def limits(result: RunFacts) -> tuple[str, ...]:
    """Return sentences on how far the numbers carry."""
    n = result.identity.sizes["image"]
    small = f"Few images ({n}): below about {SMALL_N} bootstrap intervals tend to be too narrow." if n < SMALL_N else ""
    sentences = (
        _unchanged_images(result),
        *_limits_by_kind(result),
        "All results are empirical: no formal guarantee holds between or beyond the strengths that were tried.",
        small,
        "Intervals speak of images drawn as these were; they do not carry over to other data or other networks.",
        UNCORRECTED,
        "An attack that failed shows only that this attack, with these options, failed. A stronger or differently "
        "aimed attack may succeed; a high similarity says what was found, it is not a property of the method.",
        NOT_CORRECTNESS,
        "Means hide the tail: the worst images are shown with the maps, and every score is in the store.",
    )
    return tuple(sentence for sentence in sentences if sentence)


def _limits_by_kind(result: RunFacts) -> Iterator[str]:
    tried = [PERTURBATIONS[each.name] for each in result.perturbations]
    if any(entry.is_universal for entry in tried):
        yield (
            "A universal displacement is fitted to at most 32 of the audited images, drawn at random, and measured on "
            "all of them: on other images it may do less."
        )
    if any(entry.inverse for entry in tried):
        yield (
            "Under geometric changes the correlation is that of what stayed in view; SSIM and top-5 % intersection see "
            "what left it as alike, and come out too high the more of the picture is moved out."
        )


def _unchanged_images(result: RunFacts) -> str:
    """Name the attacks that return images unchanged where they do not succeed."""
    left = [each for each in result.conditions if each.unchanged and PERTURBATIONS[each.name].clean_where_it_fails]
    if not left:
        return ""
    counts = enumeration(f"{condition_in_words(each.id)} {each.unchanged} of {each.n}" for each in left)
    return (
        f"Some attacks return an image as it was where they do not succeed ({counts}): its maps are the same, and "
        "stability over all images, and over those whose prediction was kept, is as much higher."
    )


def _unmeasured_aspects(result: RunFacts) -> Iterator[str]:
    if not result.identity.has_masks:
        yield f"Localisation: the data set has no masks, so {metrics_of_masks()} were not measured."
    yield from undefined_scores_in_words(result)
    fixed = [method.title for method in result.methods if not method.attackable]
    if fixed:
        names = enumeration(fixed)
        yield f"Attacks on {names}: they have no gradient to attack; they appear only as evaluating methods."
    yield from _untried_attacks(result)
    yield from _untried_kinds(result)
    yield "Manipulated models: the network is taken as given; only its inputs are perturbed."
    yield from _questions_left_out(result)
    yield "Other networks, other trainings of this network, other data: one network on one set of images."
    yield "Formal guarantees: nothing was proved."


def _questions_left_out(result: RunFacts) -> Iterator[str]:
    """Name what the spec does not ask the network again."""
    planned = {stage.stage for stage in result.completeness.stages if stage.planned}
    for stage, (category, what) in ASKED_AGAIN.items():
        if stage not in planned:
            yield f"{category.capitalize()}, that is, {what}: the spec leaves it out of measure.categories."


def _untried_attacks(result: RunFacts) -> Iterator[str]:
    attacks = [p for p in result.perturbations if p.family == EXPLANATION]
    if not attacks:
        yield "Attacks on explanations: the run has none, so nothing is known of maps under an attack aimed at them."
        return
    norms = dict.fromkeys(PERTURBATIONS[attack.name].norm for attack in attacks)
    for norm, control in CONTROLS.items():
        if norm in norms and control not in {p.name for p in result.perturbations}:
            title = PERTURBATIONS[control].title.lower()
            yield f"The control of equal size for {norm} attacks ({title}) is not in the run: nothing to check against."
    yield from _spared_methods(result, attacks)


def _untried_kinds(result: RunFacts) -> Iterator[str]:
    """Name the kinds of perturbation that the spec does not ask for."""
    tried = [PERTURBATIONS[each.name] for each in result.perturbations]
    kinds = {
        "attacks without gradients": any(entry.access == "scores only" for entry in tried),
        "universal attacks": any(entry.is_universal for entry in tried),
        "attacks in the L2 norm": any(entry.norm == "L2" for entry in tried),
        "corruptions": any(entry.family == "corruption" for entry in tried),
        "geometric changes": any(entry.inverse for entry in tried),
    }
    missing = [kind for kind, is_tried in kinds.items() if not is_tried]
    if missing:
        yield f"Not tried: {enumeration(missing)}, and norms other than those in the threat model."


def _spared_methods(result: RunFacts, attacks: list[PerturbationFacts]) -> Iterator[str]:
    attacked = {name for p in attacks for name in p.against}
    spared = [method.title for method in result.methods if method.attackable and method.name not in attacked]
    if spared:
        yield f"Attacks on {enumeration(spared)}: they could be attacked, but the spec does not ask for it."


UNMEASURED: Section[LimitFields] = Section(
    id="unmeasured",
    title="Not measured",
    heading="Scope, and what was not measured",
    body=lambda result, _: {"paragraphs": (scope(result),), "exhibits": (), "items": result.not_measured},
    sentences=lambda result: {"not_measured": unmeasured_aspects(result)},
)
LIMITS: Section[RunFacts] = Section(
    id="limits",
    title="Limits",
    heading="Limits",
    template="limits",
    sentences=lambda result: {"limits": limits(result)},
)
