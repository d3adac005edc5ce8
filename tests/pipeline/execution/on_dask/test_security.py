"""TLS between machines: who has no certificate of the authority is not heard, and what cannot work is refused."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster

from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.security import security_of
from pipeline.execution.on_dask.slurm import open_slurm
from pipeline.spec.deployment import LocalSpec, SchedulerSpec, SlurmSpec, parse_cluster
from srd.errors import ClusterError, SpecError

FILES = ("tls_ca", "tls_certificate", "tls_key")
PEM = serialization.Encoding.PEM
PLAIN = serialization.NoEncryption()


def make_certificate(folder: Path, encryption: serialization.KeySerializationEncryption = PLAIN) -> dict[str, str]:
    """Write a certificate that is its own authority, and its key."""
    folder.mkdir(exist_ok=True)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "audit")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    for extension in (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(True, False, False, False, False, True, False, False, False),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
    ):
        builder = builder.add_extension(extension, isinstance(extension, x509.BasicConstraints | x509.KeyUsage))
    signed = builder.sign(key, hashes.SHA256())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption))
    certificate = str(folder / "certificate.pem")
    return {"tls_ca": certificate, "tls_certificate": certificate, "tls_key": str(folder / "key.pem")}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return make_certificate(tmp_path)


@pytest.fixture
def encrypted(files: dict[str, str]) -> Iterator[str]:
    """Address of a scheduler with a worker, which talk by TLS."""
    security = security_of(SchedulerSpec(address="tls://127.0.0.1:1", **files))  # type: ignore[arg-type]
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tls://",
        security=security,
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


def scheduler(address: str, files: dict[str, str]) -> SchedulerSpec:
    return SchedulerSpec(address=address, worker_timeout=30.0, **files)  # type: ignore[arg-type]


def test_tasks_run_over_an_encrypted_connection(encrypted: str, files: dict[str, str]) -> None:
    assert encrypted.startswith("tls://127.0.0.1:")
    with start_cluster(scheduler(encrypted, files), str) as client:
        assert client.submit(sum, (1, 2)).result() == 3
        assert client.scheduler_comm.comm.peer_address.startswith("tls://")


@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")
def test_who_has_no_certificate_of_the_authority_is_not_heard(
    encrypted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.execution.on_dask.clusters.ANSWERS", 1.0)
    foreign = scheduler(encrypted, make_certificate(tmp_path / "other"))
    for spec in (foreign, scheduler(encrypted.replace("tls", "tcp"), {})):
        with pytest.raises(ClusterError, match="no scheduler answers"), start_cluster(spec, str):
            pass


def test_a_slurm_job_and_its_scheduler_talk_by_tls(files: dict[str, str]) -> None:
    with open_slurm(SlurmSpec(workers=1, memory="1GiB", **files)) as cluster:  # type: ignore[arg-type]
        script = cluster.job_script()
        assert cluster.scheduler_address.startswith("tls://")
    for option, name in (("--tls-ca-file", "tls_ca"), ("--tls-cert", "tls_certificate"), ("--tls-key", "tls_key")):
        assert f"{option} {files[name]} " in script.replace("\n", " ")


def test_a_cluster_of_this_machine_has_no_certificates() -> None:
    assert security_of(LocalSpec(workers=1)) is None
    assert security_of(SchedulerSpec(address="tcp://h:1")) is None


@pytest.mark.parametrize("left_out", FILES)
@pytest.mark.parametrize("kind", ["scheduler", "slurm"])
def test_files_belong_together(kind: str, left_out: str) -> None:
    some = {name: "/a.pem" for name in FILES if name != left_out}
    where = {"address": "tls://h:1"} if kind == "scheduler" else {"workers": 1, "memory": "1GB"}
    with pytest.raises(SpecError, match=f"{left_out}: is missing; give all of tls_ca, tls_certificate, tls_key, or no"):
        parse_cluster({"kind": kind, **where, **some}, "[cluster]")


@pytest.mark.parametrize("name", FILES)
def test_a_relative_path_is_refused(name: str) -> None:
    some = dict.fromkeys(FILES, "/a.pem") | {name: "a.pem"}
    with pytest.raises(SpecError, match=f"{name}: 'a.pem' is a relative path; write an absolute one"):
        parse_cluster({"kind": "scheduler", "address": "tls://h:1", **some}, "[cluster]")


def test_an_encrypted_address_needs_certificates() -> None:
    with pytest.raises(SpecError, match="--scheduler: address: 'tls://h:1' is encrypted; add tls_ca, tls_certificate"):
        parse_cluster({"kind": "scheduler", "address": "tls://h:1"}, "--scheduler")


def test_certificates_of_an_address_without_encryption_are_refused() -> None:
    with pytest.raises(SpecError, match="address: 'tcp://h:1' is not encrypted; write tls://, or remove the keys tls"):
        parse_cluster({"kind": "scheduler", "address": "tcp://h:1", **dict.fromkeys(FILES, "/a.pem")}, "[cluster]")


def test_clusters_of_this_machine_take_no_certificates() -> None:
    with pytest.raises(SpecError, match="tls_ca: unknown key"):
        parse_cluster({"kind": "local", "workers": 1, "tls_ca": "/a.pem"}, "[cluster]")


def removed(files: dict[str, str]) -> None:
    Path(files["tls_key"]).unlink()


def emptied(files: dict[str, str]) -> None:
    Path(files["tls_certificate"]).write_text("no certificate", encoding="utf-8")


def exchanged(files: dict[str, str]) -> None:
    other = make_certificate(Path(files["tls_key"]).parent / "other")
    Path(files["tls_key"]).write_bytes(Path(other["tls_key"]).read_bytes())


def locked(files: dict[str, str]) -> None:
    make_certificate(Path(files["tls_key"]).parent, serialization.BestAvailableEncryption(b"word"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (removed, "tls_key: .*key.pem: No such file or directory; name a file of PEM"),
        (emptied, "certificate.pem.*; give certificates and the key of the second as PEM"),
        (exchanged, "certificate.pem.*; give certificates and the key of the second as PEM"),
        (locked, "tls_key: .*key.pem: has a passphrase; write the key without one"),
    ],
)
def test_files_that_cannot_work_are_refused(
    files: dict[str, str], damage: Callable[[dict[str, str]], None], said: str
) -> None:
    damage(files)
    with pytest.raises(SpecError, match=said):
        security_of(scheduler("tls://h:1", files))
