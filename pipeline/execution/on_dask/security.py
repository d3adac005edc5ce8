"""The encryption of connections between machines: mutual TLS, with one certificate for all parts of a cluster."""

import ssl
from pathlib import Path
from typing import Any

from pipeline.machine.files import MIB, UnreadableFile, read_file
from pipeline.spec.deployment import TLS, ClusterSpec, EncryptedSpec
from srd.errors import SpecError


def security_of(spec: ClusterSpec) -> Any:
    """Return the `distributed.Security` of a cluster; None if its spec names no certificate.

    Raises
    ------
    SpecError
        If the files are missing, are no certificate and key, or if the key has a passphrase.
    """
    if not isinstance(spec, EncryptedSpec) or spec.tls_ca is None:
        return None
    files = {name: str(getattr(spec, name)) for name in TLS}
    for name, file in files.items():
        _refuse_unusable(name, Path(file))
    _refuse_unfit(*files.values())
    return _security(*files.values())


def _security(authority: str, certificate: str, key: str) -> Any:
    from distributed.security import Security  # its import costs a second that other commands need not pay

    roles = ("client", "scheduler", "worker")
    certificates = {f"tls_{role}_cert": certificate for role in roles}
    keys = {f"tls_{role}_key": key for role in roles}
    return Security(require_encryption=True, tls_ca_file=authority, **certificates, **keys)


def _refuse_unusable(name: str, file: Path) -> None:
    try:
        content = read_file(file, MIB)
    except UnreadableFile as error:
        raise SpecError(f"[cluster] {name}: {file}: {error}; name a file of PEM") from None
    if name == "tls_key" and b"ENCRYPTED" in content:  # OpenSSL would ask for it on the terminal
        raise SpecError(f"[cluster] {name}: {file}: has a passphrase; write the key without one with `openssl pkey`")


def _refuse_unfit(authority: str, certificate: str, key: str) -> None:
    try:
        ssl.create_default_context(cafile=authority).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        place = f"[cluster] {authority}, {certificate}, {key}"
        raise SpecError(f"{place}: {error}; give certificates and the key of the second as PEM") from error
