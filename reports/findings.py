"""What the numbers say, in sentences made from them: summary, notes, what was not measured, limits."""

from collections.abc import Iterator

from reports.result import Accuracy, AuditResult, Cell, Estimate, Quality, Transfer
from reports.transfer import CONTROL, EXPLANATION, outdone
from reports.wording import full, listed, number, percent, plural
from srd.registry import ATTRIBUTORS, METRICS

MEASURE = "pearson"
CLASS_BLIND = 0.8  # a reading aid, not a pass mark: the note names the number, readers judge
SMALL_N = 30


def summary(result: AuditResult) -> tuple[str, ...]:
    """A handful of plain sentences, the least complete things first."""
    sentences = (_unfinished(result), _predictions(result), _manipulated(result), _control(result), _outdone(result),
                 _blind(result), _located(result))  # fmt: skip
    return tuple(sentence for sentence in sentences if sentence)


def notes(result: AuditResult) -> dict[str, str]:
    """What to know of a method before its stability is read."""
    known = ((method.name, _note(result, method.name)) for method in result.methods)
    return {name: note for name, note in known if note}


def not_measured(result: AuditResult) -> tuple[str, ...]:
    """What this audit says nothing about, and why."""
    return tuple(_not_measured(result))


def limits(result: AuditResult) -> tuple[str, ...]:
    """How far the numbers carry."""
    n = result.identity.sizes["image"]
    small = (
        f"{plural(n, 'image')} are few: below about {SMALL_N} images bootstrap intervals tend to be too narrow."
        if n < SMALL_N
        else ""
    )
    sentences = (
        "All results are empirical: no formal guarantee holds between or beyond the strengths that were tried.",
        small,
        "Intervals speak of images drawn as these were; they do not carry over to other data or other networks.",
        "Each interval stands alone: with this many numbers some intervals miss their value; none was corrected for "
        "the number of comparisons.",
        "An attack that failed shows only that this attack, with these options, failed. A stronger or differently "
        "aimed attack may succeed; a high similarity says what was found, it is not a property of the method.",
        "Similarity of maps is not correctness: a map may be stable and wrong, or move because the evidence moved.",
        "Means hide the tail: the worst images are shown with the maps, and every score is in the store.",
    )
    return tuple(sentence for sentence in sentences if sentence)


def undefined(result: AuditResult) -> Iterator[str]:
    """How many scores have no value, by reason, and whose they are unless it concerns all methods."""
    missing = result.completeness.undefined
    for reason in dict.fromkeys(each.reason for each in missing):
        alike = [each for each in missing if each.reason == reason]
        whose = listed(f"{title(each.method)} {each.scores:,}" for each in alike)
        of = f" ({whose})" if len(alike) < len(result.methods) else ""
        count = sum(each.scores for each in alike)
        yield f"{count:,} of {result.completeness.scores:,} scores have no value: {reason}{of}."


def title(method: str) -> str:
    """A method as it is printed."""
    return ATTRIBUTORS[method].title


def headline(result: AuditResult) -> Transfer | None:
    """The transfer table that the summary speaks of: the largest strength, by correlation, all images."""
    tables = [table for table in result.transfer if table.similarity == MEASURE and table.images == "all"]
    return max(tables, key=lambda table: table.strength, default=None)


def white_box(table: Transfer) -> list[Cell]:
    """The cells of a table where the attacked method itself is evaluated."""
    return [cell for row in table.rows for cell in row.cells if cell.white_box]


def _unfinished(result: AuditResult) -> str:
    if result.completeness.is_complete:
        return ""
    stages = listed(f"{s.planned - s.done} of {s.planned} in {s.stage}" for s in result.completeness.stages)
    return f"This run is incomplete: tasks are missing ({stages}); what they would have measured is left out."


def _predictions(result: AuditResult) -> str:
    clean, *others = result.accuracy
    sentence = f"The network names the right class on {full(clean.accuracy)} of the clean images"
    measured = [row for row in others if row.accuracy.value is not None]
    if clean.accuracy.value is None or not measured:
        return sentence + "." if clean.accuracy.value is not None else ""
    worst = min(measured, key=_accuracy)
    if _accuracy(worst) >= _accuracy(clean):
        return f"{sentence}; no perturbation of this run lowers that."
    return f"{sentence}, and on {full(worst.accuracy)} under the perturbation that hurts it most, {worst.condition}."


def _manipulated(result: AuditResult) -> str:
    table = headline(result)
    cells = [cell for cell in white_box(table) if cell.similarity.value is not None] if table else []
    if not table or not cells:
        return ""
    least, most = max(cells, key=_similarity), min(cells, key=_similarity)
    sentence = (
        f"Aimed at the method itself, changing no pixel by more than {table.strength_text} and not the predicted "
        f"class, the attack moves the maps of {title(most.evaluating)} the furthest: their correlation with the clean "
        "maps is "
        f"{full(most.similarity)}{_doubt(most)}{_under_noise(table, most)}"
    )
    if least is most:
        return f"{sentence}."
    return f"{sentence}; those of {title(least.evaluating)} the least: {full(least.similarity)}{_doubt(least)}."


def _under_noise(table: Transfer, attacked: Cell) -> str:
    """What the control of equal size does to the same method."""
    controls = (cell for row in table.rows if row.role == "control" for cell in row.cells)
    noise = next((cell.similarity for cell in controls if cell.evaluating == attacked.evaluating), None)
    if noise is None or noise.value is None:
        return ""
    return f", and {full(noise)} under random signs of the same size"


def _doubt(cell: Cell) -> str:
    return f" ({cell.verdict})" if cell.verdict else ""


def _control(result: AuditResult) -> str:
    table = headline(result)
    cells = white_box(table) if table else []
    if not table or not cells:
        return ""
    if all(cell.beyond_control is None for cell in cells):
        return "The run has no random signs of the same size, so whether the attacks do more than noise is not known."
    judged = [cell for cell in cells if cell.verdict != "attack unchecked"]
    beaten = [title(cell.evaluating) for cell in judged if not cell.verdict]
    doubtful = [title(cell.evaluating) for cell in judged if cell.verdict]
    if not judged:
        return ""
    sentence = f"Against {listed(beaten)} the attack moves the maps further than random signs of the same size do"
    if not beaten:
        sentence = "Against no method does the attack move the maps further than random signs of the same size do"
    if not doubtful:
        return f"{sentence}."
    return f"{sentence}; against {listed(doubtful)} that is not shown, so how far their maps can be moved is not known."


def _outdone(result: AuditResult) -> str:
    table = headline(result)
    found = outdone(table) if table else []
    cases = [f"{title(cell.evaluating)} {full(cell.similarity)} under the attack on {row.title}" for row, cell in found]
    if not cases:
        return ""
    return (
        "Attacks aimed at another method move some maps further than the attack on the method itself: "
        f"{listed(cases)}. The attack on the method is then not its worst case."
    )


def _blind(result: AuditResult) -> str:
    blind = {name: _other_class(result, name) for name in _networked(result)}
    told = [f"{title(name)} {full(e)}" for name, e in blind.items() if e and (e.value or 0) >= CLASS_BLIND]
    if not told:
        return ""
    return (
        f"The maps of {listed(told)} change little when another class is explained on the same image (correlation of "
        "the two maps): their stability must not be taken for reliability."
    )


def _located(result: AuditResult) -> str:
    rows = {row.method: row for row in result.quality if row.metric == "attribution_localisation"}
    measured = {name: row for name, row in rows.items() if row.estimate.value is not None}
    real = [name for name in _networked(result) if name in measured]
    if not real:
        return ""
    best = max(real, key=lambda name: _value(measured[name]))
    controls = [f"{title(name)} {full(row.estimate)}" for name, row in measured.items() if name not in real]
    sentence = (
        f"On clean images {title(best)} puts the largest share of its positive attribution inside the object mask: "
        f"{full(measured[best].estimate)}"
    )
    return f"{sentence}; for comparison, {listed(controls)}." if controls else f"{sentence}."


def _note(result: AuditResult, method: str) -> str:
    if not ATTRIBUTORS[method].uses_network:
        return "Control: does not look at the network, so it explains nothing, however stable it is."
    other = _other_class(result, method)
    if other is None or other.value is None or other.value < CLASS_BLIND:
        return ""
    return (
        f"Maps of two classes of one image correlate by {number(other.value)} (at least {CLASS_BLIND}): the map "
        "depends little on the class, so that it stays the same explains little."
    )


def _not_measured(result: AuditResult) -> Iterator[str]:
    if not result.identity.has_masks:
        yield "Localisation: the data set has no masks, so pointing game and attribution localisation are undefined."
    yield from undefined(result)
    fixed = [method.title for method in result.methods if not method.attackable]
    if fixed:
        yield f"Attacks on {listed(fixed)}: they have no gradient to attack; they appear only as evaluating methods."
    yield from _not_attacked(result)
    yield "Black-box and universal attacks, other norms than those in the threat model, and geometric changes."
    yield "Manipulated models: the network is taken as given; only its inputs are perturbed."
    yield "Faithfulness by deletion or insertion, and randomisation of the network's weights."
    yield "Other networks, other trainings of this network, other data: one network on one set of images."
    yield "Formal guarantees: nothing was proved."


def _not_attacked(result: AuditResult) -> Iterator[str]:
    attacks = [p for p in result.perturbations if p.family == EXPLANATION]
    if not attacks:
        yield "Attacks on explanations: the run has none, so nothing is known of maps under an attack aimed at them."
        return
    if CONTROL not in {p.name for p in result.perturbations}:
        yield "The control of equal size (random signs) is not in the run: no attack was checked against noise."
    attacked = {name for p in attacks for name in p.against}
    spared = [method.title for method in result.methods if method.attackable and method.name not in attacked]
    if spared:
        yield f"Attacks on {listed(spared)}: they could be attacked, but the spec does not ask for it."


def _networked(result: AuditResult) -> list[str]:
    return [method.name for method in result.methods if method.uses_network]


def _other_class(result: AuditResult, method: str) -> Estimate | None:
    wanted = (method, "other_class", MEASURE)
    rows = (row.estimate for row in result.references if (row.method, row.reference, row.similarity) == wanted)
    return next(rows, None)


def _accuracy(row: Accuracy) -> float:
    return row.accuracy.value or 0.0


def _similarity(cell: Cell) -> float:
    return cell.similarity.value or 0.0


def _value(row: Quality) -> float:
    return row.estimate.value or 0.0


def chance(result: AuditResult) -> str:
    """What localisation is to be compared with."""
    if result.mask_share is None or result.mask_share.value is None:
        return ""
    metrics = listed(entry.title.lower() for entry in METRICS.values() if entry.of == "map and mask")
    return (
        f"The masks cover {percent(result.mask_share.value)} of the image on average (n = {result.mask_share.n}): "
        f"a map without knowledge scores about that in {metrics}."
    )
