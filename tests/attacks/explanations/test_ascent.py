"""The search loop, on objectives whose maximum is known."""

from contextlib import nullcontext

import torch
from torch import Tensor
from toys import uniform

from attacks.balls import Linf
from attacks.explanations.ascent import Ascent
from attacks.types import Images, Objective


def ascent(objective: Objective, judge: Objective, steps: int = 60) -> Ascent:
    return Ascent(Linf(0.1), objective, judge, lambda progress: nullcontext(), steps, 0.025)


def test_it_finds_the_corner_of_the_ball() -> None:
    centre = 0.3 + 0.4 * uniform(3, 2, 4, 4)
    signs = (uniform(3, 2, 4, 4, seed=1) - 0.5).sign()

    def along(images: Images) -> Tensor:
        return (images * signs).sum((1, 2, 3))

    torch.testing.assert_close(ascent(along, along)(centre, centre), centre + 0.1 * signs)


def test_it_finds_a_point_inside_the_ball() -> None:
    centre = 0.3 + 0.4 * uniform(2, 1, 3, 3)
    goal = centre + 0.05

    def near(images: Images) -> Tensor:
        return -(images - goal).square().sum((1, 2, 3))

    found = ascent(near, near, steps=200)(centre, centre)
    assert float((found - goal).abs().max()) < 0.005


def test_each_row_keeps_its_own_best_iterate_and_never_less_than_its_centre() -> None:
    centre = torch.full((2, 1, 2, 2), 0.5)

    def brightness(images: Images) -> Tensor:
        return images.sum((1, 2, 3))

    def judge(images: Images) -> Tensor:
        brighter = images.mean((1, 2, 3))
        return torch.stack([-(brighter[0] - 0.53).abs(), -brighter[1]])

    found = ascent(brightness, judge)(centre, centre).mean((1, 2, 3))
    assert abs(float(found[0]) - 0.53) < abs(0.5 - 0.53)
    assert float(found[1]) == 0.5


def test_the_objective_is_differentiated_inside_the_surrogate_and_judged_outside() -> None:
    inside: list[bool] = []
    progresses: list[float] = []

    class Surrogate:
        def __init__(self, progress: float) -> None:
            progresses.append(progress)

        def __enter__(self) -> None:
            inside.append(True)

        def __exit__(self, *_: object) -> None:
            inside.pop()

    def objective(images: Images) -> Tensor:
        assert inside
        return images.sum((1, 2, 3))

    def judge(images: Images) -> Tensor:
        assert not inside
        return images.sum((1, 2, 3))

    centre = uniform(1, 1, 2, 2)
    Ascent(Linf(0.1), objective, judge, Surrogate, 5, 0.025)(centre, centre)
    assert progresses == [0, 0.25, 0.5, 0.75, 1]


def test_an_infinite_gradient_stops_nothing() -> None:
    centre = torch.tensor([[[[0.0, 0.5]]]])

    def root(images: Images) -> Tensor:
        return images.sqrt().sum((1, 2, 3))

    found = ascent(root, root)(centre, centre)
    assert bool(torch.isfinite(found).all())
    assert float(found[0, 0, 0, 1]) > 0.5
