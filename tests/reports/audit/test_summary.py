"""Sentences of the summary and notes, from results whose numbers are known: 0.2 is 0.2 +- 0.05 over 9 images."""

from collections.abc import Callable

import pytest

from attacks.registry import PERTURBATIONS
from reports.audit import scale
from reports.audit import summary as findings
from reports.audit.facts import Completeness, StageProgress
from reports.audit.searches import NOT_FOUND, SearchQuality
from reports.audit.sections import AuditResult
from reports.result import Estimate

Made = Callable[..., AuditResult]
NOISE = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
ON_SRD = {"srd": 0.2, "saliency": 0.7, "random": 0.0}
ON_SALIENCY = {"srd": 0.6, "saliency": 0.4, "random": 0.0}
AT_8 = {"manipulate:srd@8/255": ON_SRD, "manipulate:saliency@8/255": ON_SALIENCY, "random_sign@8/255": NOISE}
ACCURATE = "The network names the right class on 90.0 % (85.0 to 95.0, n = 9) of the clean images"


def summary(result: AuditResult) -> list[str]:
    return [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in findings.summary(result)]


def test_an_attack_that_beats_noise(made: Made) -> None:
    assert summary(made(AT_8)) == [
        f"{ACCURATE}.",
        "Manipulation aimed at the method itself, changing no pixel by more than 8/255 and not changing the predicted "
        "class, moves the maps of SRD the furthest: their correlation with the clean maps is 0.200 (0.150 to 0.250, "
        "n = 9), and 0.900 (0.850 to 0.950, n = 9) under a random change of the same size; those of Saliency the "
        "least: 0.400 (0.350 to 0.450, n = 9).",
        "Against SRD and Saliency, manipulation at 8/255 moves the maps further than a random change of the same size "
        "does.",
    ]


def test_an_attack_that_beats_noise_on_one_method_only(made: Made) -> None:
    _, moved, compared = summary(made(AT_8, verdicts={"manipulate:saliency@8/255": "attack unreliable"}))
    assert moved.endswith("the least: 0.400 (0.350 to 0.450, n = 9) (attack unreliable).")
    assert compared == (
        "Against SRD, manipulation at 8/255 moves the maps further than a random change of the same size does; against "
        "Saliency that is not shown, so how far their maps can be moved is not known."
    )


def test_an_attack_that_beats_noise_on_no_method(made: Made) -> None:
    attacks = [name for name in AT_8 if name.startswith("manipulate")]
    *_, compared = summary(made(AT_8, verdicts=dict.fromkeys(attacks, "attack unreliable")))
    assert compared == (
        "Against no method does manipulation at 8/255 move the maps further than a random change of the same size "
        "does; against SRD and Saliency that is not shown, so how far their maps can be moved is not known."
    )


def test_an_attack_without_noise_of_its_size(made: Made) -> None:
    alone = made({"manipulate:srd@8/255": ON_SRD}, verdicts={"manipulate:srd@8/255": "attack unchecked"})
    _, moved, compared = summary(alone)
    assert (
        "moves the maps of SRD: their correlation with the clean maps is 0.200 (0.150 to 0.250, n = 9) (attack" in moved
    )
    assert "random change" not in moved
    assert compared == (
        "The run has no random change of the same size, so whether manipulation at 8/255 does more than noise is not "
        "known."
    )


def test_methods_attacked_at_different_strengths_are_all_spoken_of(made: Made) -> None:
    correlations = {
        "manipulate:srd@8/255": ON_SRD | {"srd": 0.5},
        "manipulate:srd@16/255": ON_SRD,
        "manipulate:saliency@8/255": ON_SALIENCY,
        "random_sign@8/255": NOISE,
        "random_sign@16/255": NOISE | {"srd": 0.7},
    }
    _, srd, srd_control, saliency, saliency_control = summary(made(correlations))
    assert "16/255 and not changing the predicted class, moves the maps of SRD: their" in srd
    assert "is 0.200 (0.150 to 0.250, n = 9), and 0.700 (0.650 to 0.750, n = 9) under a random change" in srd
    assert srd_control.startswith("Against SRD, manipulation at 16/255 moves")
    assert "8/255 and not changing the predicted class, moves the maps of Saliency: their correlation" in saliency
    assert "is 0.400 (0.350 to 0.450, n = 9), and 0.800 (0.750 to 0.850, n = 9) under a random change" in saliency
    assert saliency_control.startswith("Against Saliency, manipulation at 8/255 moves")


def test_an_attack_on_another_method_that_does_more_is_named(made: Made) -> None:
    outdoing = AT_8 | {"manipulate:srd@8/255": ON_SRD | {"saliency": 0.1}}
    *_, last = summary(made(outdoing))
    assert last == (
        "Aimed at another method, manipulation at 8/255 moves some maps further than aimed at the method itself: "
        "Saliency 0.100 (0.050 to 0.150, n = 9) under the attack on SRD. The attack on the method is then not its "
        "worst case."
    )


def test_only_the_strongest_attack_on_a_method_is_compared_with_those_on_others(made: Made) -> None:
    correlations = AT_8 | {
        "manipulate:saliency@8/255": ON_SALIENCY | {"srd": 0.0},
        "manipulate:srd@16/255": ON_SRD,
        "random_sign@16/255": NOISE,
    }
    assert not any("Aimed at another" in sentence for sentence in summary(made(correlations)))


def test_an_attack_of_which_nothing_is_measured_is_not_spoken_of(made: Made) -> None:
    nothing = dict.fromkeys(NOISE)
    result = made({"manipulate:srd@8/255": nothing}, verdicts={"manipulate:srd@8/255": "attack unchecked"})
    assert not any("moves the maps" in sentence for sentence in summary(result))


def renamed(result: AuditResult, attack: str) -> AuditResult:
    """The same tables of another attack."""
    names = {"attack": attack, "title": PERTURBATIONS[attack].title}
    return result.model_copy(update={"transfer": tuple(table.model_copy(update=names) for table in result.transfer)})


@pytest.mark.parametrize(
    ("flipped", "told"),
    [(3, "SRD 3 of 9 images, correlation 0.400 (fewer than 5 images, n = 3, 6 left out)"), (0, "SRD 0 of 9 images")],
)
def test_of_a_flip_only_the_maps_of_flipped_images_are_spoken_of(made: Made, flipped: int, told: str) -> None:
    value, reason = (0.4, "no interval: fewer than 5 images") if flipped else (None, NOT_FOUND)
    left = Estimate.model_construct(
        value=value, low=None, high=None, n=flipped, unit="", reason=reason, excluded={NOT_FOUND: 9 - flipped}
    )
    condition = "flip_and_keep:srd@8/255"
    searches = (SearchQuality.model_construct(condition=condition, values={"full": left}),)
    result = renamed(made({condition: {"srd": 1.0}}, methods=("srd",), searches=searches), "flip_and_keep")
    _, stayed, *_ = summary(result)
    assert stayed.endswith(f"in place, where it succeeds: {told}.")


def test_one_displacement_for_all_images_is_not_said_to_spare_predictions(made: Made) -> None:
    _, moved, *_ = summary(renamed(made({"universal:srd@8/255": ON_SRD}), "universal"))
    assert "changing no pixel by more than 8/255, moves the maps of SRD: their" in moved


def test_many_attacks_without_doubts(made: Made) -> None:
    correlations = {f"manipulate:srd@{strength}/255": ON_SRD for strength in (4, 8, 16)}
    result = made(correlations)
    strengths = {table.strength_text: table for table in result.transfer}
    others = dict(zip(strengths, ("manipulate", "top_k", "hide"), strict=True))
    tables = tuple(table.model_copy(update={"attack": others[text]}) for text, table in strengths.items())
    conditions = tuple(facts.model_copy(update={"name": others[facts.strength_text]}) for facts in result.conditions)
    *_, last = summary(result.model_copy(update={"transfer": tables, "conditions": conditions}))
    assert last == (
        "All 3 attacks pass their checks, and those that aim to move maps move them further than random changes of the "
        "same size do."
    )


def test_a_run_without_attack(made: Made) -> None:
    accuracy = {"clean": 0.9, "random_sign@8/255": 0.9}
    assert summary(made({"random_sign@8/255": NOISE}, accuracy=accuracy)) == [
        f"{ACCURATE}; no perturbation of this run lowers that."
    ]


def test_the_perturbation_that_hurts_most_is_named(made: Made) -> None:
    accuracy = {"clean": 0.9, "pgd@4/255": 0.5, "pgd@8/255": 0.25}
    assert summary(made({}, accuracy=accuracy)) == [
        f"{ACCURATE}, and on 25.0 % (20.0 to 30.0, n = 9) under the perturbation that hurts it most, pgd@8/255."
    ]


def test_an_incomplete_run_says_so_first(made: Made) -> None:
    done = {"perturb": 4, "attribute": 1, "score": 0}
    stages = tuple(StageProgress(stage=name, done=count, planned=4) for name, count in done.items())
    first, *_ = summary(made({}, completeness=Completeness(stages=stages, scores=9, undefined=())))
    assert first == (
        "This run is incomplete: tasks are missing (0 of 4 in perturb, 3 of 4 in attribute and 4 of 4 in score); what "
        "they would have measured is left out."
    )


def test_maps_that_do_not_depend_on_the_class_are_called_out_from_the_bound_on(made: Made) -> None:
    result = made({}, other_class={"srd": 0.8, "saliency": 0.79, "random": 0.95})
    *_, blind = summary(result)
    assert blind == (
        "The maps of SRD 0.800 (0.750 to 0.850, n = 9) change little when another class is explained on the same image "
        "(correlation of the two maps): their stability must not be taken for reliability."
    )
    notes = scale.notes(result)
    assert list(notes) == ["srd", "random"]
    assert notes["srd"].startswith("Maps of two classes of one image correlate by 0.8 or more: ")
    assert notes["random"].startswith("Control: does not look at the network")


def test_the_best_localisation_is_named_beside_the_controls(made: Made) -> None:
    *_, located = summary(made({}, localisation={"srd": 0.4, "saliency": 0.6, "random": 0.3}))
    assert located == (
        "On clean images Saliency puts the largest share of its positive attribution inside the object mask: 0.600 "
        "(0.550 to 0.650, n = 9); for comparison, Random (control) 0.300 (0.250 to 0.350, n = 9)."
    )
