"""Facts that are read from the text of the sources are those that importing them gives."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import srd
from attacks.registry import PERTURBATIONS
from srd.entries import AttributorEntry, Registry, read_entries
from srd.registry import ABLATIONS, ATTRIBUTORS, BASELINES, METRICS, SRD

FILE = """
import a_module_that_does_not_exist
ENTRY = AttributorEntry(
    name="mine", title="Mine", source="srd.mine:mine", family="gradient", signed=False, cost="none", needs=("encoder",)
)
"""


@pytest.mark.parametrize("entry", BASELINES, ids=lambda entry: entry.name)
def test_a_stated_entry_is_the_modules_own(entry: AttributorEntry) -> None:
    assert entry == import_module(entry.source.partition(":")[0]).ENTRY


def test_one_file_adds_a_method(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "mine.py").write_text(FILE, encoding="utf-8")
    (entry,) = read_entries(tmp_path, AttributorEntry)
    assert (entry.name, entry.family, entry.needs, entry.signed) == ("mine", "gradient", ("encoder",), False)


def test_a_file_that_states_no_entry_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "forgotten.py").write_text("x = 1", encoding="utf-8")
    with pytest.raises(ValueError, match="states no ENTRY"):
        list(read_entries(tmp_path, AttributorEntry))


def test_methods_are_grouped_by_family_and_controls_come_last() -> None:
    families = [entry.family for entry in ATTRIBUTORS.values()]
    assert families == sorted(families, key=list(dict.fromkeys(families)).index)
    assert families[-1] == "control"


def test_what_makes_an_entry_what_it_is_is_no_option_of_it() -> None:
    entry = next(entry for entry in ABLATIONS if entry.fixed == {"bias": "ratio"})
    assert "bias" in SRD.options
    assert "bias" not in entry.options
    assert entry.native().keywords == {"bias": "ratio"}  # type: ignore[attr-defined]


def test_a_method_may_be_asked_for_at_a_layer() -> None:
    entry = ATTRIBUTORS["srd@layer2.0"]
    assert (entry.name, entry.title, entry.low_resolution) == ("srd@layer2.0", "SRD at layer2.0", True)
    assert entry.native().keywords == {"layer": "layer2.0"}  # type: ignore[attr-defined]
    assert "layer" not in entry.options
    assert "srd@layer2.0" in ATTRIBUTORS
    assert "srd@layer2.0" not in list(ATTRIBUTORS)
    assert len(list(ATTRIBUTORS)) == len(ATTRIBUTORS)


@pytest.mark.parametrize("name", ["srd@", "saliency@layer2", "nobody@layer2", "nobody"])
def test_no_other_method_is_known(name: str) -> None:
    assert name not in ATTRIBUTORS


@pytest.mark.parametrize(
    ("registry", "name", "meant"),
    [
        (ATTRIBUTORS, "gradcam", "grad_cam"),
        (ATTRIBUTORS, "SRD", "srd"),
        (ATTRIBUTORS, "deeplift@layer2", "deep_lift"),
        (METRICS, "pearsons", "pearson"),
        (PERTURBATIONS, "gausian_noise", "gaussian_noise"),
    ],
)
def test_a_name_that_is_not_there_is_answered_by_one_that_is_close(
    registry: Registry[Any], name: str, meant: str
) -> None:
    assert meant in registry
    with pytest.raises(KeyError, match=f"did you mean '{meant}'"):
        registry[name]
    assert registry.get(name) is None


@pytest.mark.parametrize("registry", [ATTRIBUTORS, METRICS, PERTURBATIONS])
def test_a_name_that_is_close_to_none_is_answered_by_all(registry: Registry[Any]) -> None:
    for name in ("zzzzzzzzzz", "", 7):
        with pytest.raises(KeyError, match=f"there are {', '.join(registry)}"):
            registry[name]  # type: ignore[index]
    assert ", ".join(registry) in repr(registry)


def test_a_layer_of_a_method_without_layers_is_answered_by_those_that_have_them() -> None:
    with pytest.raises(KeyError, match="relevance at a layer has srd@LAYER"):
        ATTRIBUTORS["saliency@layer2"]


def test_the_package_lists_what_it_has() -> None:
    assert set(dir(srd)) == set(srd.__all__)
    for name in srd.__all__:
        assert getattr(srd, name).__doc__
