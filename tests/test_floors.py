"""No pinned package is older than the repair of a fault that its advisory describes."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
REPAIRED = {
    "aiohttp": ("3.13.3", "CVE-2025-69223"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("44.0.1", "CVE-2024-12797"),
    "distributed": ("2021.10.0", "CVE-2021-42343"),
    "filelock": ("3.20.1", "CVE-2025-68146"),
    "flask-cors": ("6.0.0", "CVE-2024-6844"),
    "fonttools": ("4.60.2", "CVE-2025-66034"),
    "gitpython": ("3.1.41", "CVE-2024-22190"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "opencv-python-headless": ("4.8.1.78", "CVE-2023-4863"),
    "pillow": ("11.3.0", "CVE-2025-48379"),
    "pydantic": ("2.4.0", "CVE-2024-3772"),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "scikit-learn": ("1.5.0", "CVE-2024-5206"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "torch": ("2.6.0", "CVE-2025-32434"),
    "tornado": ("6.5", "CVE-2025-47287"),
    "tqdm": ("4.66.3", "CVE-2024-34062"),
    "urllib3": ("2.6.0", "CVE-2025-66418"),
    "werkzeug": ("3.0.6", "CVE-2024-49767"),
    "zipp": ("3.19.1", "CVE-2024-5569"),
}
"""The first version without the fault, and the fault."""
READS_FILES_OF_OTHERS = {"numcodecs": "0.16.6", "pillow": "13", "safetensors": "0.7", "torch": "2.13", "zarr": "3.1.6"}


def pinned() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {name: Version(version) for name, version in (line.split("==") for line in lines)}


def required() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {each.name: each for each in map(Requirement, project["dependencies"])}


@pytest.mark.parametrize("name", REPAIRED)
def test_the_pinned_version_has_the_repair(name: str) -> None:
    version, advisory = REPAIRED[name]
    assert pinned()[name] >= Version(version), advisory


@pytest.mark.parametrize("name", READS_FILES_OF_OTHERS)
def test_what_decodes_files_of_others_has_a_floor_of_its_own(name: str) -> None:
    floor = [each.version for each in required()[name].specifier if each.operator == ">="]
    assert floor == [READS_FILES_OF_OTHERS[name]]


def test_the_pinned_set_is_one_of_those_that_the_project_allows() -> None:
    versions = pinned()
    wrong = [str(each) for name, each in required().items() if versions[name] not in each.specifier]
    assert wrong == []
