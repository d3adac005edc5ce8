"""The tables `[cluster]` and `[store]`: they say where an audit runs, and change no bit of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.spec.toml import parse_table, read_toml
from pipeline.spec.values import Names, SpecTable, Text, closest, shorten_value
from srd.errors import SpecError

HOUR = 3600.0
Count = Annotated[int, Field(ge=1, le=100_000)]
LONGEST_WAIT = 1e8
"""Seconds; three years: the clocks of workers end somewhere."""
Seconds = Annotated[float, Field(gt=0, le=LONGEST_WAIT, allow_inf_nan=False)]
WALLTIME = re.compile(r"(?:([0-9]{1,4})-)?([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])")
Mount = Annotated[str, Field(pattern="^/[^:]*$", max_length=4096)]
"""An absolute path in a pod."""
Walltime = Annotated[str, Field(pattern=f"^{WALLTIME.pattern}$")]

TLS = ("tls_ca", "tls_certificate", "tls_key")
"""The keys of the files of TLS."""


class ClusterSpec(SpecTable):
    """Processes that run tasks, with one thread each."""

    is_on_this_machine: ClassVar[bool] = False
    start: ClassVar[str]
    """`module:function`; the function takes the spec and returns a context manager of a Dask cluster or its address."""

    task_limit: Seconds | None = None
    """The process of a task is ended after this number of seconds."""
    worker_timeout: Seconds = 300.0
    """The run stops after this number of seconds without any worker, and can be continued."""

    @property
    def advice(self) -> str:
        """Return what an operator does if no worker comes."""
        return (
            "its processes end as they start, or are paused: see whether memory, files and threads are left "
            "(`free -h`, `ulimit -a`), or use fewer of them"
        )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yield what logs say of the fields: of a table only the names, of lines of shell only how many."""
        for name, value in super().__repr_args__():
            yield name, _in_words(value)


class EncryptedSpec(ClusterSpec):
    """Processes on several machines, whose connections TLS can encrypt: files of PEM, all three or none."""

    tls_ca: Text | None = None
    """The certificate of the authority that has signed those of scheduler, workers and this command."""
    tls_certificate: Text | None = None
    tls_key: Text | None = None
    """The private key of the certificate, without a passphrase."""

    @model_validator(mode="after")
    def _check_files(self) -> "EncryptedSpec":
        files = {name: getattr(self, name) for name in TLS}
        missing = [name for name, file in files.items() if file is None]
        if missing and len(missing) < len(files):
            raise ValueError(f"{missing[0]}: is missing; give all of {', '.join(TLS)}, or none")
        for name, file in files.items():
            if file is not None and not Path(file).is_absolute():
                raise ValueError(f"{name}: {shorten_value(file)} is a relative path; write an absolute one")
        return self


class LocalSpec(ClusterSpec):
    """Worker processes on this machine."""

    is_on_this_machine: ClassVar[bool] = True
    start: ClassVar[str] = "pipeline.execution.on_dask.local:local_cluster"
    kind: Literal["local"] = "local"
    workers: Count


class GpuSpec(ClusterSpec):
    """One worker process for each GPU of this machine."""

    is_on_this_machine: ClassVar[bool] = True
    start: ClassVar[str] = "pipeline.execution.on_dask.local:gpu_cluster"
    kind: Literal["gpu"] = "gpu"
    gpus: Count | None = None
    """The number of GPUs; all visible ones by default."""


class SchedulerSpec(EncryptedSpec):
    """Workers of a Dask scheduler that somebody else has started."""

    start: ClassVar[str] = "pipeline.execution.on_dask.remote:remote_scheduler"
    kind: Literal["scheduler"] = "scheduler"
    address: Annotated[str, Field(pattern=r"^[a-z]+://.+")]
    """For example `tcp://10.0.0.1:8786`, or with TLS `tls://10.0.0.1:8786`."""

    @property
    def advice(self) -> str:
        return "start some with `dask worker ADDRESS --nthreads 1`"

    @model_validator(mode="after")
    def _check_protocol(self) -> "SchedulerSpec":
        address, is_encrypted = shorten_value(self.address), self.address.startswith(("tls://", "wss://"))
        if self.tls_ca is not None and not is_encrypted:
            raise ValueError(f"address: {address} is not encrypted; write tls://, or remove the keys {', '.join(TLS)}")
        if self.tls_ca is None and is_encrypted:
            raise ValueError(f"address: {address} is encrypted; add {', '.join(TLS)} to [cluster]")
        return self


class SlurmSpec(EncryptedSpec):
    """One SLURM job for each worker; a job that ends is submitted again."""

    start: ClassVar[str] = "pipeline.execution.on_dask.slurm:slurm_cluster"
    kind: Literal["slurm"] = "slurm"
    worker_timeout: Seconds = 24 * HOUR
    workers: Count
    memory: Text
    """The memory of a job, such as `16GB`."""
    walltime: Walltime = "01:00:00"
    queue: Text | None = None
    account: Text | None = None
    gpu: bool = False
    """Whether each job asks for a GPU."""
    python: Text | None = None
    """The interpreter on the nodes; by default the one that runs this process."""
    interface: Text | None = None
    """The network interface that the nodes reach, such as `ib0`."""
    prologue: Names = ()
    """Lines of shell that run before the worker starts."""
    directives: Names = ()
    """More options of `#SBATCH`."""
    logs: Text | None = None
    """The folder of the jobs' output; by default the folder in which the command runs."""

    @property
    def advice(self) -> str:
        output = Path(self.logs or ".") / ("srd-audit-*.out" if self.logs else "slurm-*.out")
        return f"`squeue --me` tells why jobs wait, {output} what those said that have ended"


class KubernetesSpec(ClusterSpec):
    """One pod for each worker, made by the Dask operator of a Kubernetes cluster."""

    start: ClassVar[str] = "pipeline.execution.on_dask.kubernetes:kubernetes_cluster"
    kind: Literal["kubernetes"] = "kubernetes"
    worker_timeout: Seconds = HOUR
    workers: Count
    image: Text
    """A container image that holds this project, in the versions that run here."""
    namespace: Text = "default"
    name: Text = "srd-audit"
    """The name of the cluster."""
    memory: Text = "8Gi"
    """The memory of a pod."""
    gpu: bool = False
    """Whether each worker asks for a GPU."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables of the pods, none of them secret."""
    env_from: Names = ()
    """Names of Kubernetes secrets, each entry of which becomes a variable of the pods."""
    volumes: dict[str, Mount] = Field(default_factory=dict)
    """The paths at which the pods see persistent volumes, by the names of the claims."""
    secrets: dict[str, Mount] = Field(default_factory=dict)
    """The paths at which the pods see Kubernetes secrets as folders of files, by the names of the secrets."""
    service_account: Text | None = None
    """The account of the pods, to which a cloud may give a role; by default that of the namespace."""
    pull_secrets: Names = ()
    """Names of Kubernetes secrets with which the image is fetched."""

    @property
    def advice(self) -> str:
        place = f"--namespace {self.namespace}"
        return f"`kubectl get pods {place}` tells why pods wait, `kubectl logs {place} POD` what they said"


class StoreSpec(SpecTable):
    """The place of the store."""

    url: Text
    """For example `s3://bucket/audits/first`."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the library that opens the URL, such as `region`."""

    @field_validator("url")
    @classmethod
    def _check_absolute(cls, url: str) -> str:
        """Refuse a relative place: it would depend on where a command or a worker is started."""
        if url.startswith("file:") or not ("://" in url or Path(url).is_absolute()):
            raise ValueError(f"{shorten_value(url)}: write scheme://..., or an absolute path")
        return url


_KINDS: tuple[type[ClusterSpec], ...] = (LocalSpec, GpuSpec, SchedulerSpec, SlurmSpec, KubernetesSpec)
CLUSTERS: Mapping[str, type[ClusterSpec]] = MappingProxyType(
    {each.model_fields["kind"].default: each for each in _KINDS}
)
"""The specs of clusters, by the word that `[cluster] kind` says."""


@dataclass(frozen=True)
class Deployment:
    """The two tables; None stands for a missing table: this process, the run's folder."""

    cluster: ClusterSpec | None = None
    store: StoreSpec | None = None


def load_deployment(path: Path) -> Deployment:
    """Return both tables of a spec file.

    Raises
    ------
    SpecError
        With the file, the place, the value and the way out.
    """
    table = read_toml(path)
    cluster, store = table.get("cluster"), table.get("store")
    return Deployment(
        None if cluster is None else parse_cluster(cluster, f"{path}: [cluster]"),
        None if store is None else parse_table(StoreSpec, store, f"{path}: [store]"),
    )


def parse_cluster(table: Any, place: str) -> ClusterSpec:
    """Return the spec of a parsed `[cluster]`; `place` begins the message of a refusal.

    Raises
    ------
    SpecError
        If the table is not the spec of any kind of cluster.
    """
    if not isinstance(table, dict):
        raise SpecError(f"{place}: expected a table, got {shorten_value(table)}")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in CLUSTERS:
        way_out = closest(kind if isinstance(kind, str) else "", CLUSTERS)
        raise SpecError(f"{place}: kind: no cluster is called {shorten_value(kind)}; {way_out}")
    return parse_table(CLUSTERS[kind], table, place)


def walltime_seconds(walltime: str) -> int:
    """Return the seconds of `days-hours:minutes:seconds`, as SLURM writes a time."""
    matched = WALLTIME.fullmatch(walltime)
    if matched is None:
        raise ValueError(f"{walltime!r} is no time; write hours:minutes:seconds")
    days, hours, minutes, rest = (int(part or 0) for part in matched.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _in_words(value: Any) -> Any:
    match value:
        case Mapping():
            return list(value)
        case tuple():
            return f"{len(value)} lines"
    return value
