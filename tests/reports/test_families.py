"""The order of methods, and what stands together."""

from reports.families import by_family, family_of, is_control, registry_position
from srd.registry import ATTRIBUTORS


def test_the_order_is_that_of_the_registry_and_a_layer_stands_where_its_method_does() -> None:
    assert sorted(sorted(ATTRIBUTORS), key=registry_position) == list(ATTRIBUTORS)
    assert registry_position("srd@layer3") == registry_position("srd")
    assert family_of("srd@layer3") == "decomposition"


def test_controls_are_the_methods_that_do_not_look_at_the_network() -> None:
    assert all(is_control(name) is not entry.uses_network for name, entry in ATTRIBUTORS.items())


def test_neighbours_of_one_family_stand_together() -> None:
    methods = ["srd", "srd@layer1", "saliency", "smooth_grad", "random"]
    assert by_family(enumerate(methods), lambda item: item[1]) == [
        ("decomposition", [(0, "srd"), (1, "srd@layer1")]),
        ("gradient", [(2, "saliency"), (3, "smooth_grad")]),
        ("control", [(4, "random")]),
    ]
    assert by_family([], str) == []


def test_each_family_of_the_registry_stands_once() -> None:
    families = [family for family, _ in by_family(ATTRIBUTORS, str)]
    assert len(families) == len(set(families))
