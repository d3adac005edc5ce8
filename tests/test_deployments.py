"""The deployments that are there to be copied name what exists, and agree with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from pipeline.execution.on_dask.kubernetes import manifest
from pipeline.spec.deployment import CLUSTERS, KubernetesSpec, parse_cluster

ROOT = Path(__file__).parents[1]
HOME = ROOT / "docs" / "deployment"
PAGE = ROOT / "docs" / "cluster.md"


def instructions() -> list[list[str]]:
    """Return the words of each instruction of the Dockerfile."""
    text = re.sub(r"\\\n", " ", (HOME / "Dockerfile").read_text(encoding="utf-8"))
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def words_of(name: str) -> list[str]:
    return [word for line in instructions() if line[0] == name for word in line[1:]]


def test_the_image_holds_what_the_project_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    copied = {source for line in instructions() if line[0] == "COPY" for source in line[1:-1]}
    assert packages <= copied
    for source in copied:
        assert (ROOT / source).exists()
    assert {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"} <= copied


def test_the_image_is_made_of_the_pinned_set() -> None:
    run = " ".join(words_of("RUN"))
    pinned = re.search(r"^UV := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned
    assert f"pip install --no-cache-dir {pinned[1]} " in run
    assert "--constraints constraints.txt --overrides overrides.txt" in run
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = [word.partition("=")[2] for word in words_of("ARG") if word.startswith("EXTRAS=")]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    (base,) = words_of("FROM")
    lowest = project["requires-python"].removeprefix(">=")
    assert base.startswith(f"python:{lowest}")


def test_the_image_is_for_any_user_and_swallows_no_arguments() -> None:
    names = [line[0] for line in instructions()]
    assert "ENTRYPOINT" not in names
    assert words_of("USER") != ["root"]
    assert {"PYTHONUTF8=1", "HOME=/tmp"} <= set(words_of("ENV"))


def test_both_builds_are_told() -> None:
    text = (HOME / "Dockerfile").read_text(encoding="utf-8")
    assert "TORCH_BACKEND=cpu" in words_of("ARG")
    assert "--build-arg TORCH_BACKEND=cu" in text
    assert "--gpus all" in text


def tables() -> dict[str, Any]:
    """Return the tables [cluster] of the page, by kind."""
    blocks = re.findall(r"(?:^    .*\n|^\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found: dict[str, Any] = {}
    for block in blocks:
        for table in re.findall(r"\[cluster\]\n(?:(?!\[).+\n)+", re.sub(r"^    ", "", block, flags=re.MULTILINE)):
            cluster = tomllib.loads(table)["cluster"]
            found.setdefault(cluster["kind"], cluster)
    return found


@pytest.mark.parametrize("kind", CLUSTERS)
def test_the_page_has_a_table_of_each_kind_which_is_read(kind: str) -> None:
    assert parse_cluster(tables()[kind], "page").advice


def resources() -> dict[tuple[str, str], Any]:
    made = yaml.safe_load_all((HOME / "kubernetes.yaml").read_text(encoding="utf-8"))
    return {(each["kind"], each["metadata"]["name"]): each for each in made}


def test_what_the_table_names_is_made_by_the_resources() -> None:
    spec = KubernetesSpec.model_validate(tables()["kubernetes"])
    for name in (*spec.env_from, *spec.secrets, *spec.pull_secrets):
        assert ("Secret", name) in resources()
    for name in spec.volumes:
        assert ("PersistentVolumeClaim", name) in resources()
    assert ("ServiceAccount", spec.service_account) in resources()
    pods = manifest(spec)["spec"]["worker"]["spec"]
    assert {each["mountPath"] for each in pods["containers"][0]["volumeMounts"]} == {"/inputs", "/secrets"}
    (policy,) = [each for (kind, _), each in resources().items() if kind == "NetworkPolicy"]
    assert policy["spec"]["podSelector"]["matchLabels"] == {"dask.org/cluster-name": spec.name}


def test_the_script_of_parts_runs_a_part_of_each_job() -> None:
    text = (HOME / "parts.sh").read_text(encoding="utf-8")
    (first, last) = re.findall(r"#SBATCH --array=(\d+)-(\d+)", text)[0]
    assert first == "1"
    assert f'--part "$SLURM_ARRAY_TASK_ID/{last}"' in text
    (command,) = [line for line in text.splitlines() if line.startswith("exec ")]
    assert f"    {command}\n" in PAGE.read_text(encoding="utf-8")


def test_a_build_sends_nothing_but_what_the_image_copies() -> None:
    first, *rest = (HOME / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {source for line in instructions() if line[0] == "COPY" for source in line[1:-1]}
    assert first == "*"
    assert {word.removeprefix("!") for word in rest if word.startswith("!")} == copied


def test_the_claim_is_filled_by_a_pod_that_may_write() -> None:
    spec = KubernetesSpec.model_validate(tables()["kubernetes"])
    pod = resources()["Pod", "fill"]["spec"]
    claims = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]}
    mounts = {claims[each["name"]]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert mounts == spec.volumes
    for name in spec.volumes:
        assert resources()["PersistentVolumeClaim", name]["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("kind", CLUSTERS)
def test_the_page_says_for_each_kind_what_must_lie_where(kind: str) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## What must lie where")[2].partition("\n## ")[0]
    assert f"`{kind}`" in section
