"""The credentials of a store elsewhere: where the library that opens it looks for them."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline.store.location import Location

AMAZON = (
    ("AWS_ACCESS_KEY_ID",),
    ("AWS_WEB_IDENTITY_TOKEN_FILE",),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
)
GOOGLE = (("GOOGLE_SERVICE_ACCOUNT",), ("GOOGLE_SERVICE_ACCOUNT_KEY",), ("GOOGLE_APPLICATION_CREDENTIALS",))
AZURE = (
    ("AZURE_STORAGE_ACCOUNT_KEY",),
    ("AZURE_STORAGE_SAS_KEY",),
    ("AZURE_STORAGE_TOKEN",),
    ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    ("AZURE_FEDERATED_TOKEN_FILE",),
)
SOURCES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("s3", "s3a"), AMAZON),
    "gs": GOOGLE,
    **dict.fromkeys(("az", "azure", "adl", "abfs", "abfss"), AZURE),
}
"""For each scheme, the sets of environment variables one of which holds credentials."""
UNSIGNED = frozenset({"skip_signature", "aws_skip_signature", "google_skip_signature", "azure_skip_signature"})
"""The options, or variables, of a store that anybody may read."""
TRUE = frozenset({"1", "true", "on", "yes", "y"})
METADATA_SERVICE = "the metadata service of a cloud's machine (169.254.169.254)"


def credentials_in_words(location: Location, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return where credentials will be looked for, if that is a service that may not answer for long; else None.

    Profiles such as those of `~/.aws` are read by no library that opens stores.
    """
    sources = SOURCES.get(urlsplit(location.url).scheme.lower(), ())
    said = {name.lower(): value.lower() for name, value in {**environment, **location.options}.items()}
    is_open = any(said.get(name) in TRUE for name in UNSIGNED)
    if not sources or is_open or any(all(environment.get(name) for name in names) for names in sources):
        return None
    known = ", ".join(" with ".join(names) for names in sources)
    return (
        f"{location}: none of {known} is set, so {METADATA_SERVICE} is asked for credentials; elsewhere than on such a "
        "machine it does not answer, and the command stops after some minutes (profiles of files are not read)"
    )
