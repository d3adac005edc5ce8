"""The size of a first audit: the largest that is afforded, and never larger for a slower network."""

import itertools

import pytest

from pipeline.estimate.inspected import Method
from reports.cli.first_audit import AFFORDED, FirstAudit, size_first_audit

OF_A_GRADIENT = {"srd": 1.5, "saliency": 1.0, "grad_cam": 1.0, "integrated_gradients": 20.0, "random": 0.0}


def methods(gradient: float) -> tuple[Method, ...]:
    """Return methods whose maps take so many seconds, in units of a gradient that takes `gradient` seconds."""
    return tuple(Method(name, gradient * share, True) for name, share in OF_A_GRADIENT.items())


def sized(gradient: float, most: int = 16, least: int = 8) -> FirstAudit:
    return size_first_audit(methods(gradient), most, least)[0]


def test_a_quick_network_is_audited_in_full() -> None:
    assert sized(1e-4) == FirstAudit(16, 40, ("srd", "saliency", "grad_cam", "integrated_gradients"), asks_less=False)


@pytest.mark.parametrize("gradient", [1e-3, 1e-2, 0.03, 0.1, 0.2])
def test_the_audit_is_afforded(gradient: float) -> None:
    assert sized(gradient).seconds(methods(gradient)) <= AFFORDED


def test_a_slower_network_has_no_larger_audit() -> None:
    tried = [1e-4 * 2**k for k in range(16)]
    for quick, slow in itertools.pairwise(tried):
        assert sized(quick).seconds(methods(1.0)) >= sized(slow).seconds(methods(1.0))


def test_dear_methods_are_the_first_that_no_attack_goes_against() -> None:
    assert sized(0.05).against == ("srd", "saliency", "grad_cam")


@pytest.mark.parametrize("gradient", [1e-4, 10.0])
def test_a_number_of_images_that_was_asked_for_stays(gradient: float) -> None:
    assert sized(gradient, 300, 300).images == 300


def test_a_network_that_is_too_slow_has_the_smallest_audit() -> None:
    assert sized(100.0) == FirstAudit(8, 5, ("srd", "saliency", "grad_cam"), asks_less=True)


def test_the_cost_is_that_of_its_parts() -> None:
    size = FirstAudit(2, 10, ("saliency",), asks_less=False)
    attack, maps = 2 * 10 * (4 * 1.0 + 1.0), 8 * sum(OF_A_GRADIENT.values())
    assert size.seconds(methods(1.0)) == pytest.approx(2 * (attack + maps + (575 + 90 * 5) / 3))
