"""Figures say in words what they show."""

from collections.abc import Callable

from reports.figures import pictures
from reports.marks import Picture
from reports.result import AuditResult

Made = Callable[..., AuditResult]
VALUES = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
CLEAN = {"other_class": {"srd": 0.31, "saliency": 0.62, "random": 0.13}, "localisation": {"srd": 0.5}}


def drawn(result: AuditResult) -> dict[str, Picture]:
    return {picture.name: picture for picture in pictures(result)}


def test_the_scale_of_a_run_without_attack_has_nothing_coloured(made: Made) -> None:
    scale = drawn(made({"random_sign@8/255": VALUES}, **CLEAN))["references"]
    assert scale.caption.endswith("grey, the clean map against other maps.")
    assert scale.alt.endswith("Random (control): other class 0.13.")


def test_the_scale_tells_every_strength_at_which_methods_were_attacked(made: Made) -> None:
    entries = {
        "manipulate:srd@8/255": VALUES | {"srd": 0.55},
        "manipulate:srd@16/255": VALUES | {"srd": 0.21},
        "manipulate:saliency@8/255": VALUES | {"saliency": 0.42},
        "random_sign@8/255": VALUES,
        "random_sign@16/255": VALUES | {"srd": 0.74},
    }
    scale = drawn(made(entries, **CLEAN))["references"]
    assert scale.caption.endswith("coloured, against the map of the same image after perturbation.")
    assert " after manipulation of this method, 16/255: SRD 0.21." in scale.alt
    assert " after manipulation of this method, 8/255: Saliency 0.42." in scale.alt
    assert " after random signs of 16/255: SRD 0.74, Saliency 0.80, Random (control) 0.00." in scale.alt


def test_stability_tells_each_method_at_the_largest_strength_it_met(made: Made) -> None:
    entries = {
        "manipulate:srd@8/255": VALUES | {"srd": 0.55},
        "manipulate:srd@16/255": VALUES | {"srd": 0.21},
        "manipulate:saliency@8/255": VALUES | {"saliency": 0.42},
    }
    alt = drawn(made(entries, **CLEAN))["stability-pearson-all"].alt
    assert alt.endswith("Manipulation at 16/255: SRD 0.21; Manipulation at 8/255: Saliency 0.42.")
