"""What a report says that it does not know."""

from collections.abc import Callable

from reports.audit import limits, undefined_scores
from reports.audit.facts import Completeness, Identity, StageProgress, UndefinedScores
from reports.audit.sections import AuditResult

Made = Callable[..., AuditResult]
VALUES = {"srd": 0.5, "saliency": 0.5, "random": 0.0}
NO_ATTACK = "Attacks on explanations: the run has none"
NO_NOISE = "The control of equal size for L-inf attacks (random signs) is not in the run"
NO_MASKS = "Localisation: the data set has no masks"


def text(result: AuditResult) -> str:
    return " ".join(limits.unmeasured_aspects(result))


def test_without_attack_on_explanations(made: Made) -> None:
    found = text(made({"random_sign@8/255": VALUES}))
    assert NO_ATTACK in found


def test_with_attacks_on_explanations(made: Made) -> None:
    found = text(made({"manipulate:srd@8/255": VALUES, "random_sign@8/255": VALUES}))
    assert NO_ATTACK not in found
    assert NO_NOISE not in found
    assert "Attacks on Saliency: they could be attacked, but the spec does not ask for it." in found
    assert "Attacks on Random (control): they have no gradient to attack" in found


def test_methods_attacked_at_any_strength_are_not_called_spared(made: Made) -> None:
    found = text(made({"manipulate:srd@16/255": VALUES, "manipulate:saliency@8/255": VALUES}))
    assert "could be attacked" not in found
    assert NO_NOISE in found


def test_what_the_spec_does_not_ask_the_network_is_named(made: Made) -> None:
    done = [StageProgress(stage=name, done=4, planned=4) for name in ("perturb", "remove", "randomise")]
    for stages, named in ((done, ()), (done[:2], ("Randomisation",)), (done[:1], ("Faithfulness", "Randomisation"))):
        found = limits.unmeasured_aspects(
            made({}, completeness=Completeness(stages=tuple(stages), scores=9, undefined=()))
        )
        told = [sentence for sentence in found if sentence.endswith("leaves it out of measure.categories.")]
        assert [sentence.partition(",")[0] for sentence in told] == list(named)


def test_without_masks(made: Made) -> None:
    assert NO_MASKS in text(made({}, identity=Identity.model_construct(sizes={"image": 9}, has_masks=False)))
    assert NO_MASKS not in text(made({}))


def test_scores_without_value_are_counted_and_their_methods_named_unless_all(made: Made) -> None:
    missing = (
        *(UndefinedScores(method=name, reason="the mask is empty", scores=400) for name in VALUES),
        UndefinedScores(method="srd", reason="the map is not finite", scores=2),
        UndefinedScores(method="saliency", reason="the map is not finite", scores=1),
    )
    result = made({}, completeness=Completeness(stages=(), scores=5000, undefined=missing))
    assert list(undefined_scores.undefined_scores_in_words(result)) == [
        "1,200 of 5,000 scores have no value: the mask is empty.",
        "3 of 5,000 scores have no value: the map is not finite (SRD 2 and Saliency 1).",
    ]


def test_few_images_are_a_limit(made: Made) -> None:
    for n, is_few in ((1, True), (29, True), (30, False)):
        result = made({}, identity=Identity.model_construct(sizes={"image": n}, has_masks=True))
        assert any("Few images" in sentence for sentence in limits.limits(result)) == is_few
