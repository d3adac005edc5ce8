"""No breach of shape, numbers, range or ball comes through; rounding does."""

import pytest
import torch
from torch import Tensor
from toys import uniform

from attacks.entries import Norm
from attacks.predictions.verification import verify
from srd.errors import PerturbationError

RADIUS = 8 / 255
CLEAN = (0.1 + 0.8 * uniform(3, 3, 5, 6)).float()


def broken(value: float) -> Tensor:
    images = CLEAN.clone()
    images[1, 2, 3, 4] = value
    return images


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (broken(torch.nan), "image 1 of its tile has values that are not finite"),
        (broken(torch.inf), "image 1 of its tile has values that are not finite"),
        (broken(1.001), r"image 1 of its tile left \[0, 1\]: .* to 1.00"),
        (broken(-0.001), r"image 1 of its tile left \[0, 1\]: -0.00"),
        (broken(float(CLEAN[1, 2, 3, 4]) + 0.05), "image 1 of its tile moved by 0.05.* in L-inf, more than 0.03"),
        (CLEAN[:2], "shape"),
    ],
)
def test_a_breach_is_an_error_that_names_attack_image_and_size(images: Tensor, said: str) -> None:
    with pytest.raises(PerturbationError, match=f"broken.*{said}"):
        verify(images, CLEAN, "L-inf", RADIUS, "broken")


@pytest.mark.parametrize(("norm", "exponent"), [("L-inf", 0.0), ("L2", 0.5)])
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_the_ball_ends_at_its_radius(norm: Norm, exponent: float, factor: float) -> None:
    signs = torch.where(uniform(*CLEAN.shape, seed=1) > 0.5, 1.0, -1.0).float()
    images = CLEAN + factor * RADIUS * signs / CLEAN[0].numel() ** exponent
    if factor == 1:
        verify(images, CLEAN, norm, RADIUS, "at the edge")
        return
    with pytest.raises(PerturbationError, match=f"moved by .* in {norm}"):
        verify(images, CLEAN, norm, RADIUS, "beyond")


def test_without_a_norm_any_image_will_do() -> None:
    verify(1 - CLEAN, CLEAN, None, 0.0, "unbounded")
