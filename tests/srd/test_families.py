"""SRD on every family of torchvision's classifiers, unmodified."""

import pytest
from families import FAMILIES, marked, slow
from families_page import NAMED, more, page
from measured_families import measured, reference_error
from measured_table import DOCS, frame
from more_networks import NETWORKS, can_be_measured
from more_networks import measured as measured_besides

every_family = pytest.mark.parametrize("name", [marked(each) for each in FAMILIES])
every_whole_network = pytest.mark.parametrize("name", [slow(each) for each in FAMILIES])


# The whole networks, in float32.


@every_whole_network
def test_relevance_is_conserved(name: str) -> None:
    assert measured(name).unexplained <= 1e-4


@every_whole_network
def test_maps_of_two_classes_are_no_copies_or_negatives(name: str) -> None:
    assert abs(measured(name).correlation) < 0.999


@every_whole_network
def test_rounded_relevance_moves_a_map_by_little(name: str) -> None:
    assert 0 < measured(name).rounding["mixed"] <= 0.1


@every_whole_network
def test_nothing_is_left_behind(name: str) -> None:
    assert measured(name).changed == []


# The shrunken networks, in float64.


@every_family
def test_shrunken_network_equals_the_forward_built_definition(name: str) -> None:
    assert reference_error(name) <= 1e-9


def test_the_page_in_docs_has_a_row_for_each_network_besides() -> None:
    rows = more((DOCS / "families.md").read_text(encoding="utf-8")).partition("|---")[2].splitlines()[1:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in rows] == list(NETWORKS)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS])
def test_relevance_is_conserved_in_networks_besides(name: str) -> None:
    if not can_be_measured(name):
        pytest.skip(f"{name}: SRD_AUDIT_REAL names no folder with it, or timm is not installed")
    shown = measured_besides(name)
    assert shown.unexplained <= 1e-4
    assert shown.as_found
    assert abs(shown.correlation) < 0.999


def test_the_page_in_docs_has_a_row_for_each_family_and_says_where_it_was_measured() -> None:
    written = page(lambda _: ["figure"] * 10)
    assert frame((DOCS / "families.md").read_text(encoding="utf-8"), NAMED) == frame(written, NAMED)
