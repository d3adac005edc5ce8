"""The tables `[cluster]` and `[store]`: refused with place and way out, and no part of what is audited."""

from pathlib import Path

import pytest

from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import (
    Deployment,
    GpuSpec,
    KubernetesSpec,
    LocalSpec,
    SchedulerSpec,
    SlurmSpec,
    StoreSpec,
    load_deployment,
    walltime_seconds,
)
from pipeline.spec.settings import DEPLOYMENT
from reports.cli.cluster_options import cluster_of
from srd.errors import InputError, SpecError


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "deployed.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        ("kind = 'local'\nworkers = 3", LocalSpec(workers=3)),
        ("kind = 'gpu'\ntask_limit = 600", GpuSpec(task_limit=600.0)),
        ("kind = 'scheduler'\naddress = 'tcp://h:8786'", SchedulerSpec(address="tcp://h:8786")),
        (
            "kind = 'slurm'\nworkers = 9\nmemory = '16GiB'\nprologue = ['module load x']",
            SlurmSpec(workers=9, memory="16GiB", prologue=("module load x",)),
        ),
        (
            "kind = 'kubernetes'\nworkers = 9\nimage = 'a/b:1'\nenv.A = 'b'",
            KubernetesSpec(workers=9, image="a/b:1", env={"A": "b"}),
        ),
    ],
)
def test_a_table_is_read_as_its_kind(tmp_path: Path, text: str, cluster: object) -> None:
    assert load_deployment(spec_file(tmp_path, f"[cluster]\n{text}")) == Deployment(cluster)  # type: ignore[arg-type]


def test_without_tables_an_audit_runs_in_this_process_and_its_folder(spec: Path) -> None:
    assert load_deployment(spec) == Deployment(None, None)


def test_a_store_has_a_url_and_options(tmp_path: Path) -> None:
    path = spec_file(tmp_path, "[store]\nurl = 's3://bucket/run'\noptions.region = 'eu'")
    assert load_deployment(path).store == StoreSpec(url="s3://bucket/run", options={"region": "eu"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cluster = 3", "[cluster]: expected a table, got 3"),
        ("[cluster]\nworkers = 3", "[cluster]: kind: no cluster is called None; known: local, gpu, scheduler"),
        ("[cluster]\nkind = 'slum'", "[cluster]: kind: no cluster is called 'slum'; did you mean 'slurm'?"),
        ("[cluster]\nkind = 'local'\nworker = 3", "[cluster]: worker: unknown key; did you mean 'workers'?"),
        ("[cluster]\nkind = 'local'", "[cluster]: workers: is missing"),
        ("[cluster]\nkind = 'local'\nworkers = 0", "[cluster]: workers: Input should be greater than or equal to 1"),
        ("[cluster]\nkind = 'gpu'\ntask_limit = 0", "[cluster]: task_limit: Input should be greater than 0, got 0"),
        ("[cluster]\nkind = 'scheduler'\naddress = 'host'", "[cluster]: address: String should match pattern"),
        (
            "[cluster]\nkind = 'slurm'\nworkers = 1\nmemory = '1GB'\nwalltime = '1h'",
            "[cluster]: walltime: String should match pattern",
        ),
        ("[store]\noptions.region = 'eu'", "[store]: url: is missing"),
        ("[store]\nurl = 's3://a'\nregion = 'eu'", "[store]: region: unknown key; known: url, options"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = spec_file(tmp_path, text)
    with pytest.raises(SpecError) as refused:
        load_deployment(path)
    assert str(refused.value).startswith(f"{path}: {message}")


def test_the_tables_are_no_part_of_the_spec(spec: Path) -> None:
    before = load_spec(spec)
    spec.write_text(
        spec.read_text(encoding="utf-8")
        + "\n[cluster]\nkind = 'local'\nworkers = 2\n\n[store]\nurl = 's3://bucket/run'\n",
        encoding="utf-8",
    )
    assert load_spec(spec) == before
    assert load_deployment(spec).cluster == LocalSpec(workers=2)


def test_the_tables_that_specs_ignore_are_those_that_a_deployment_has() -> None:
    assert set(Deployment.__dataclass_fields__) == DEPLOYMENT


@pytest.mark.parametrize(
    ("walltime", "expected"), [("00:00:59", 59), ("02:30:00", 9000), ("9:00:01", 32401), ("2-01:00:00", 176400)]
)
def test_a_walltime_is_read_as_slurm_does(walltime: str, expected: int) -> None:
    assert walltime_seconds(walltime) == expected


def test_options_go_before_the_table(spec: Path) -> None:
    spec.write_text(spec.read_text(encoding="utf-8") + "\n[cluster]\nkind = 'local'\nworkers = 2\n", encoding="utf-8")
    assert cluster_of(spec, None, None, None, None) == LocalSpec(workers=2)
    assert cluster_of(spec, 5, None, None, None) == LocalSpec(workers=5)
    assert cluster_of(spec, 0, None, None, None) is None
    assert cluster_of(spec, None, 1, None, None) == GpuSpec(gpus=1)
    assert cluster_of(spec, None, None, "tcp://h:1", None) == SchedulerSpec(address="tcp://h:1")
    assert cluster_of(spec, None, None, None, 60.0) == LocalSpec(workers=2, task_limit=60.0)


def test_two_options_that_say_where_are_refused(spec: Path) -> None:
    with pytest.raises(InputError, match="--workers and --gpus: each says where the audit runs; name one of them"):
        cluster_of(spec, 2, 1, None, None)


def test_a_limit_without_a_process_to_end_is_refused(spec: Path) -> None:
    with pytest.raises(InputError, match="--task-limit: this process cannot end itself and go on; add --workers 1"):
        cluster_of(spec, None, None, None, 60.0)


@pytest.mark.parametrize("limit", [1.1e8, float("inf"), float("nan")])
def test_a_limit_that_no_clock_measures_is_refused(spec: Path, limit: float) -> None:
    with pytest.raises(InputError, match=r"--task-limit .*: clocks end before; write at most 100000000 seconds"):
        cluster_of(spec, 1, None, None, limit)
