"""One look per method, one hue per family."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from reports.style import GREY, HUES, MARKERS, SHADES, Look, colour, look, look_at
from srd.entries import Family
from srd.registry import ATTRIBUTORS

Colours = NDArray[np.float64]
FAMILIES = get_args(Family)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(1)
# What an eye without one kind of cone sees, in linear RGB: Machado, Oliveira, Fernandes, IEEE TVCG 2009, severity 1.
EYES: dict[str, list[list[float]]] = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


def pair(one: Look) -> tuple[str, str]:
    return one["color"], one["marker"]


def linear(*colours: str) -> Colours:
    """Linear RGB, by the definition of sRGB."""
    values = np.array([to_rgb(colour) for colour in colours])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(light: Colours) -> Colours:
    """CIE 1976 L*a*b* of linear RGB."""
    t = light.clip(0, 1) @ TO_XYZ.T / WHITE
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def hue(name: str) -> float:
    """Angle in the chromaticity diagram CIE 1976 u'v', around that of white: of a shade, whatever its lightness."""
    xyz = np.stack([linear(name)[0] @ TO_XYZ.T, WHITE])
    u, v = (factor * xyz[:, row] / (xyz @ [1, 15, 3]) for factor, row in ((4, 0), (9, 1)))
    return float(np.degrees(np.arctan2(v[0] - v[1], u[0] - u[1])))


def shades(family: str) -> list[str]:
    return [colour(family, lightness) for lightness in SHADES]


@pytest.mark.parametrize("family", FAMILIES)
def test_thirty_methods_of_a_family_have_thirty_looks_and_neighbours_share_neither_colour_nor_marker(
    family: str,
) -> None:
    looks = [pair(look_at(family, place)) for place in range(30)]
    assert len(set(looks)) == 30
    for one, following in pairwise(looks):
        assert one[0] != following[0]
        assert one[1] != following[1]


def test_no_two_registered_methods_look_alike() -> None:
    looks = [pair(look(name)) for name in ATTRIBUTORS]
    assert len(set(looks)) == len(ATTRIBUTORS)


def test_controls_are_grey_and_no_other_method_is() -> None:
    greys = {name for name in ATTRIBUTORS if len(set(to_rgb(look(name)["color"]))) == 1}
    assert greys == {name for name, entry in ATTRIBUTORS.items() if entry.family == "control"}


def test_a_family_is_one_hue_and_no_two_families_share_it() -> None:
    hues = {}
    for family in set(FAMILIES) - {"control"}:
        first, *others = (hue(shade) for shade in shades(family))
        assert others == pytest.approx([first] * len(others), abs=3)
        hues[family] = first
    assert all(following - one > 15 for one, following in pairwise(sorted(hues.values())))


@pytest.mark.parametrize("eye", EYES)
def test_the_next_family_is_another_colour_to_every_eye(eye: str) -> None:
    """Ten times what is just noticeable (2.3 in L*a*b*), any shade of the one against any of the other."""
    seen = {family: lab(linear(*shades(family)) @ np.transpose(EYES[eye])) for family in FAMILIES}
    for one, following in pairwise(family for family in FAMILIES if family != "control"):
        distance = np.linalg.norm(seen[one][:, None] - seen[following], axis=2)
        assert distance.min() > 23, (one, following)


def test_srd_is_the_most_colourful() -> None:
    def chroma(name: str) -> float:
        return float(np.hypot(*lab(linear(look(name)["color"]))[0, 1:]))

    same_shade = [n for n, e in ATTRIBUTORS.items() if e.family != "decomposition" and look(n)["marker"] == MARKERS[0]]
    assert len(same_shade) >= 3
    assert all(chroma("srd") > chroma(name) for name in same_shade)


def test_every_colour_stands_out_from_white() -> None:
    """Contrast of at least 3:1, by the definition of WCAG 2; of at least 4.5:1 where the names of families are."""
    for family in FAMILIES:
        assert min(contrast(shade) for shade in shades(family)) >= 3
        assert contrast(colour(family)) >= 4.5
    assert contrast(GREY) >= 3


def contrast(name: str) -> float:
    return float(1.05 / (linear(name)[0] @ TO_XYZ[1] + 0.05))


def test_there_is_a_hue_for_each_family() -> None:
    assert len(FAMILIES) <= len(HUES) + 1


def test_layers_have_the_colour_of_their_method_and_markers_of_their_own() -> None:
    looks = [pair(look(f"srd@layer{number}")) for number in range(1, 5)] + [pair(look("srd@stem"))]
    assert {colour for colour, _ in looks} == {look("srd")["color"]}
    assert len(set(looks)) == 5
    assert not set(looks) & {pair(look(name)) for name in ATTRIBUTORS}
