"""Images that a spec cannot be carried out on are refused before any task: all that is wrong of them, at once."""

from dataclasses import dataclass, field

import pytest
import torch

from attacks.types import Images
from pipeline.execution.image_checks import refuse_unfit_images
from pipeline.spec.audit import AuditSpec, parse_spec
from srd.errors import DataError


@dataclass
class ShapedData:
    """Blank images of a shape, and classes."""

    shape: tuple[int, int, int]
    classes: list[str] = field(default_factory=lambda: list("abcde"))
    has_masks: bool = False

    def images(self, rows: range) -> Images:
        return torch.zeros(len(rows), *self.shape)


def spec_of(*perturbations: str) -> AuditSpec:
    return parse_spec(
        {
            "model": {"spec": "demo:vgg"},
            "data": {"path": "demo:shapes"},
            "explain": {"methods": ["saliency"]},
            "perturbation": [{"name": name, "strengths": [1]} for name in perturbations],
        },
        "spec",
    )


@pytest.mark.parametrize(
    ("shape", "names", "said"),
    [
        ((4, 32, 32), ["imagenet_c_snow"], r"imagenet_c_snow takes images of 1 or 3 channels, these have 4: remove it"),
        ((1, 32, 32), ["ti_fgsm"], r"ti_fgsm takes images of 3 channels, these have 1: remove it"),
        (
            (2, 32, 32),
            ["gaussian_noise", "imagenet_c_frost", "pi_fgsm"],
            r"imagenet_c_frost takes .* have 2; pi_fgsm takes .* have 2: remove them from \[\[perturbation\]\]",
        ),
        ((3, 12, 12), ["square_l2"], "square_l2 has stripes that do not fit into 12 x 12 pixels: remove it"),
    ],
)
def test_perturbations_that_cannot_take_the_images_are_refused(
    shape: tuple[int, int, int], names: list[str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        refuse_unfit_images(spec_of(*names), ShapedData(shape))  # type: ignore[arg-type]


def test_too_few_classes_for_an_attack_are_refused() -> None:
    with pytest.raises(DataError, match="apgd_dlr takes 3 classes or more, not 2: remove it"):
        refuse_unfit_images(spec_of("apgd_dlr"), ShapedData((3, 32, 32), list("ab")))  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_takes_any_images_is_not_refused(channels: int) -> None:
    spec = spec_of("gaussian_noise", "imagenet_c_fog", "shift", "pgd", "manipulate")
    refuse_unfit_images(spec, ShapedData((channels, 32, 32)))  # type: ignore[arg-type]
