"""One look per method."""

from itertools import pairwise

from matplotlib.colors import to_rgb

from reports.style import COLOURS, GREYS, Look, look, look_at
from srd.registry import ATTRIBUTORS


def pair(one: Look) -> tuple[str, str]:
    return one["color"], one["marker"]


def test_forty_methods_have_forty_looks_and_neighbours_share_neither_colour_nor_marker() -> None:
    looks = [pair(look_at(position, is_control=False)) for position in range(40)]
    assert len(set(looks)) == 40
    for one, following in pairwise(looks):
        assert one[0] != following[0]
        assert one[1] != following[1]


def test_no_two_registered_methods_look_alike() -> None:
    looks = [pair(look(name)) for name in ATTRIBUTORS]
    assert len(set(looks)) == len(ATTRIBUTORS)


def test_controls_are_grey_and_no_other_method_is() -> None:
    greys = {name for name in ATTRIBUTORS if look(name)["color"] in GREYS}
    assert greys == {name for name, entry in ATTRIBUTORS.items() if entry.family == "control"}


def test_every_colour_stands_out_from_white() -> None:
    """Contrast of at least 3:1, by the definition of WCAG 2."""
    for colour in (*COLOURS, *GREYS):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 3, colour


def test_layers_have_the_colour_of_their_method_and_markers_of_their_own() -> None:
    looks = [pair(look(f"srd@layer{number}")) for number in range(1, 5)] + [pair(look("srd@stem"))]
    assert {colour for colour, _ in looks} == {look("srd")["color"]}
    assert len(set(looks)) == 5
    assert not set(looks) & {pair(look(name)) for name in ATTRIBUTORS}
