"""Names become names of files that are safe, and different for different names."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.formatting import condition_in_words, slug

AS_THEY_ARE = ["srd", "srd@layer2", "grad_cam", "layer3.0.conv1", "features.3", "0", "0.1", "pearson"]
HYPHENATED = {
    "pgd@8/255": "pgd-8-255",
    "gaussian_noise@0.1": "gaussian_noise-0.1",
    "pgd@1e-05": "pgd-1e-05",
    "manipulate:srd@8/255": "manipulate-srd-8-255",
    "manipulate:srd@layer2@8/255": "manipulate-srd-layer2-8-255",
    "8/255": "8-255",
}
HOSTILE = [
    "",
    ".",
    "..",
    "../../x",
    "srd@/../../x",
    "/etc/passwd",
    "a\0b",
    "\x1b[31m",
    "\ud800",
    "é",
    "x" * 1000,
    "~",
    "a b",
]
SAFE = set(string.ascii_letters + string.digits + "_.-@~")


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_names_of_methods_and_layers_stay_as_they_are(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(("name", "expected"), HYPHENATED.items())
def test_names_of_conditions_get_hyphens(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.sampled_from(HOSTILE) | st.text(st.characters(codec=None, categories=None)))
def test_every_slug_is_a_safe_part_of_a_name(name: str) -> None:
    assert set(slug(name)) <= SAFE
    assert slug(name) not in {"", ".", ".."}
    assert len(slug(name)) <= 100


PARTS = ["a", "b2", "_", "8", "255", "0.1", "1e-5", "@", "/", ":", "-", ".", " ", "~"]


@given(
    st.lists(st.sampled_from(PARTS), max_size=7).map("".join), st.lists(st.sampled_from(PARTS), max_size=7).map("".join)
)
def test_two_names_never_give_one_slug(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@pytest.mark.parametrize("other", ["pgd-8-255", "pgd@8@255", "pgd/8/255", "pgd:8/255", "pgd 8 255"])
def test_what_looks_like_a_condition_gets_a_name_of_its_own(other: str) -> None:
    assert slug(other) != slug("pgd@8/255")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("clean", "clean"),
        ("pgd@8/255", "PGD, 8/255"),
        ("manipulate:srd@8/255", "Manipulation of SRD, 8/255"),
        ("manipulate:srd@layer2@8/255", "Manipulation of SRD at layer2, 8/255"),
        ("manipulate:srd@layer2", "Manipulation of SRD at layer2"),
        ("gaussian_noise@0.1", "Gaussian noise, 0.1"),
        ("gaussian_noise@0.1#2", "Gaussian noise, 0.1 (draw 2)"),
        ("deep_fool", "DeepFool"),
        ("", ""),
    ],
)
def test_conditions_are_named_as_people_say_them(condition: str, words: str) -> None:
    assert condition_in_words(condition) == words
