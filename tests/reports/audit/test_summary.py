"""Sentences of the summary and notes, from results whose numbers are known: 0.2 is 0.2 +- 0.05 over 9 images."""

from collections.abc import Callable

import pytest

from reports.audit import scale
from reports.audit import summary as findings
from reports.audit.facts import Completeness, StageProgress
from reports.audit.searches import NOT_FOUND, SearchQuality
from reports.audit.sections import AuditResult
from reports.audit.verdicts.section import verdict_sentences
from reports.result import Estimate

Made = Callable[..., AuditResult]
NOISE = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
ON_SRD = {"srd": 0.2, "saliency": 0.7, "random": 0.0}
ON_SALIENCY = {"srd": 0.6, "saliency": 0.4, "random": 0.0}
AT_8 = {"manipulate:srd@8/255": ON_SRD, "manipulate:saliency@8/255": ON_SALIENCY, "random_sign@8/255": NOISE}
ACCURATE = "The network names the right class on 90.0 % (85.0 to 95.0, n = 9) of the clean images"


def summary(result: AuditResult) -> list[str]:
    """The sentences without that on the verdict, of which these results have none."""
    verdict = verdict_sentences(result)
    told = [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in findings.summary(result)]
    assert [each for each in told if each in verdict] == list(verdict)
    return [each for each in told if each not in verdict]


FROM_NOISE = (
    "Without any attack, Random signs, 8/255 moves the maps of Saliency the furthest, to a calibrated stability of "
    "0.800 (0.750 to 0.850, n = 9)."
)
CHECKS = "passes its checks, of which one is that it moves the maps further than a random change of the same size does"


def test_what_no_attack_does_is_told_before_what_attacks_do(made: Made) -> None:
    assert summary(made(AT_8))[1] == FROM_NOISE
    accuracy = {"clean": 0.9, "random_sign@8/255": 0.9}
    alone = summary(made({"random_sign@8/255": NOISE}, accuracy=accuracy))
    assert alone == [f"{ACCURATE}; no perturbation of this run lowers that.", FROM_NOISE]


def test_an_attack_that_beats_noise(made: Made) -> None:
    assert summary(made(AT_8)) == [
        f"{ACCURATE}.",
        FROM_NOISE,
        "Manipulation aimed at the method itself, changing no pixel by more than 8/255 and not changing the predicted "
        "class, moves the maps of SRD the furthest, to a calibrated stability of 0.200 (0.150 to 0.250, n = 9) (under "
        "a random change of the same size: 0.900 (0.850 to 0.950, n = 9)); the least moved are the maps of Saliency, "
        "at a calibrated stability of 0.400 (0.350 to 0.450, n = 9).",
        f"Against SRD and Saliency manipulation at 8/255 {CHECKS}.",
    ]


def test_methods_that_cannot_be_told_apart_get_no_superlative(made: Made) -> None:
    close = {"srd": 0.37, "saliency": 0.4, "random": 0.0}
    attacked = {name: close for name in AT_8 if name.startswith("manipulate")}
    noise = {"random_sign@8/255": {"srd": 0.81, "saliency": 0.8, "random": 0.0}}
    _, unaimed, moved, _ = summary(made(attacked | noise))
    assert "0.400" not in moved
    assert moved.endswith(
        "n = 9)), from which that of Saliency cannot be told apart, so no method is called the most or the least moved."
    )
    assert unaimed.endswith("n = 9), from which that of SRD under Random signs, 8/255 cannot be told apart.")
    assert not any(word in moved + unaimed for word in ("furthest", "among", "least moved are"))


THREE = ("srd", "saliency", "grad_cam", "random")


@pytest.mark.parametrize(
    ("srd", "saliency", "grad_cam", "lowest", "highest"),
    [
        (
            0.2,
            0.4,
            0.6,
            "moves the maps of SRD the furthest, to a calibrated stability of 0.200",
            "; the least moved are the maps of Grad-CAM, at a calibrated stability of 0.600 (0.550 to 0.650, n = 9).",
        ),
        (
            0.2,
            0.57,
            0.6,
            "moves the maps of SRD the furthest, to a calibrated stability of 0.200",
            "; among the least moved are the maps of Grad-CAM, at a calibrated stability of 0.600 (0.550 to 0.650, "
            "n = 9), from which that of Saliency cannot be told apart.",
        ),
        (
            0.2,
            0.23,
            0.6,
            "moves the maps of SRD among the furthest, to a calibrated stability of 0.200",
            ", from which that of Saliency cannot be told apart; the least moved are the maps of Grad-CAM, at a "
            "calibrated stability of 0.600 (0.550 to 0.650, n = 9).",
        ),
        (
            0.58,
            0.59,
            0.6,
            "moves the maps of SRD to a calibrated stability of 0.580",
            ", from which those of Saliency and Grad-CAM cannot be told apart, so no method is called the most or the "
            "least moved.",
        ),
    ],
    ids=["clear", "tie of the highest", "tie of the lowest", "all tied"],
)
def test_a_superlative_says_who_is_told_apart_from_whom(
    made: Made, srd: float, saliency: float, grad_cam: float, lowest: str, highest: str
) -> None:
    values = {"srd": srd, "saliency": saliency, "grad_cam": grad_cam, "random": 0.0}
    _, moved, _ = summary(made({f"manipulate:{name}@8/255": values for name in THREE[:3]}, THREE))
    assert lowest in moved
    assert moved.endswith(highest)


@pytest.mark.parametrize(
    ("second", "third", "share"),
    [(0.5, 0.4, "the largest share"), (0.57, 0.4, "one of the largest shares"), (0.57, 0.56, "a share")],
)
def test_a_share_is_called_the_largest_as_far_as_it_is_told_apart(
    made: Made, second: float, third: float, share: str
) -> None:
    localisation = {"srd": 0.6, "saliency": second, "grad_cam": third}
    assert f"SRD puts {share} of its positive" in summary(made({}, THREE, localisation=localisation))[-1]


def test_maps_that_left_their_scale_are_named_and_no_other_is_called_furthest(made: Made) -> None:
    lost = AT_8 | {"manipulate:srd@8/255": ON_SRD | {"srd": -0.1}, "random_sign@8/255": NOISE | {"srd": -0.2}}
    result = made(lost)
    cells = [cell for cell in result.calibrated if cell.is_at_floor and cell.method == "srd"]
    assert len(cells) == 2
    _, unaimed, moved, _ = summary(result)
    assert unaimed.startswith(
        "Without any attack, Random signs, 8/255 leaves the maps of SRD (-0.200 against 0.000, n = 9) no more like the "
        "clean maps than those of another image are; Random signs, 8/255 moves the maps of Saliency to"
    )
    assert "class, leaves the maps of SRD (-0.100 against 0.000, n = 9) no more like" in moved
    assert "furthest" not in moved + unaimed


@pytest.mark.parametrize("verdict", ["attack unreliable", "attack unchecked"])
def test_an_attack_in_doubt_is_not_ranked(made: Made, verdict: str) -> None:
    _, _, moved, compared = summary(made(AT_8, verdicts={"manipulate:saliency@8/255": verdict}))
    assert moved.endswith(f"; not ranked: Saliency ({verdict}).")
    assert "furthest" not in moved
    assert "least" not in moved
    assert compared == (
        f"Against SRD manipulation at 8/255 {CHECKS}; against Saliency ({verdict}) it is in doubt, so how far these "
        "maps can be moved is not known."
    )


def test_an_attack_that_is_reliable_against_no_method(made: Made) -> None:
    attacks = [name for name in AT_8 if name.startswith("manipulate")]
    told = summary(made(AT_8, verdicts=dict.fromkeys(attacks, "attack unreliable")))
    *others, compared = told
    assert not any("ranked" in each or "anipulation" in each for each in others), "it is said once"
    assert compared.startswith("Against no method does manipulation at 8/255 pass its checks")


def test_an_attack_without_noise_of_its_size(made: Made) -> None:
    *others, compared = summary(
        made({"manipulate:srd@8/255": ON_SRD}, verdicts={"manipulate:srd@8/255": "attack unchecked"})
    )
    assert not any("ranked" in each or "anipulation" in each for each in others), "it is said once"
    assert compared == "Whether manipulation at 8/255 does more than noise is not known: why attack unchecked."


def test_methods_attacked_at_different_strengths_are_all_spoken_of(made: Made) -> None:
    correlations = {
        "manipulate:srd@8/255": ON_SRD | {"srd": 0.5},
        "manipulate:srd@16/255": ON_SRD,
        "manipulate:saliency@8/255": ON_SALIENCY,
        "random_sign@8/255": NOISE,
        "random_sign@16/255": NOISE | {"srd": 0.7},
    }
    _, _, srd, srd_control, saliency, saliency_control = summary(made(correlations))
    assert "16/255 and not changing the predicted class, moves the maps of SRD to" in srd
    assert (
        "0.200 (0.150 to 0.250, n = 9) (under a random change of the same size: 0.700 (0.650 to 0.750, n = 9))" in srd
    )
    assert srd_control.startswith("Against SRD manipulation at 16/255 passes")
    assert "8/255 and not changing the predicted class, moves the maps of Saliency to" in saliency
    assert "0.400 (0.350 to 0.450, n = 9) (under a random change of the same size: 0.800" in saliency
    assert saliency_control.startswith("Against Saliency manipulation at 8/255 passes")


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
    result = made({condition: {"srd": 1.0}}, methods=("srd",), searches=searches)
    (stayed,) = (sentence for sentence in summary(result) if "in place" in sentence)
    assert stayed.endswith(f"in place, where it succeeds: {told}.")


def test_one_displacement_for_all_images_is_not_said_to_spare_predictions(made: Made) -> None:
    _, moved, *_ = summary(made({"universal:srd@8/255": ON_SRD}))
    assert "changing no pixel by more than 8/255, moves the maps of SRD to" in moved


def test_many_attacks_without_doubts(made: Made) -> None:
    *_, last = summary(made({f"{attack}:srd@8/255": ON_SRD for attack in ("manipulate", "top_k", "hide")}))
    assert last == (
        "All 3 attacks pass their checks, and those that aim to move maps move them further than random changes of the "
        "same size do."
    )


def test_the_perturbations_with_the_lowest_share_are_all_named(made: Made) -> None:
    accuracy = {"clean": 0.9, "fgsm@8/255": 0.25, "pgd@4/255": 0.5, "pgd@8/255": 0.25}
    assert summary(made({}, accuracy=accuracy)) == [
        f"{ACCURATE}, and on 25.0 % (20.0 to 30.0, n = 9) under FGSM, 8/255 and PGD, 8/255, the lowest share here."
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
    assert notes["random"].startswith("Does not look at the network")


def test_the_best_localisation_is_named_beside_the_controls(made: Made) -> None:
    *_, located = summary(made({}, localisation={"srd": 0.4, "saliency": 0.6, "random": 0.3}))
    assert located == (
        "On clean images Saliency puts the largest share of its positive attribution inside the object mask: 0.600 "
        "(0.550 to 0.650, n = 9); for comparison, Random (control) 0.300 (0.250 to 0.350, n = 9)."
    )


def test_two_methods_that_localise_alike_get_no_superlative(made: Made) -> None:
    *_, located = summary(made({}, localisation={"srd": 0.57, "saliency": 0.6}))
    assert located == (
        "On clean images Saliency puts a share of its positive attribution inside the object mask: 0.600 (0.550 to "
        "0.650, n = 9), from which that of SRD cannot be told apart."
    )
