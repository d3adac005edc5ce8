"""The address of a store: each of its parts says where the store is, or is refused."""

from urllib.parse import SplitResult, unquote, urlsplit

from srd.errors import StoreError

NAMED = frozenset("s3 s3a gs az azure adl abfs abfss".split())
"""The schemes of buckets and containers."""
WEB = frozenset({"http", "https"})
WITH_ACCOUNT = frozenset("adl abfs abfss".split())
"""The schemes whose containers stand before an `@`: abfss://container@account.dfs.core.windows.net/path."""
HERE = frozenset({"", "localhost"})


def check_address(url: str) -> None:
    """Refuse an address with a part that its kind of store does not have, and which would lead to another place.

    Raises
    ------
    StoreError
        With the part, and how to write it.
    """
    scheme = urlsplit(url).scheme.lower()
    if "://" not in url and scheme != "file":
        if scheme in NAMED | WEB:
            raise StoreError(
                f"{url}: is no address without `//`; write {scheme}://bucket/path, or ./{url} for a folder"
            )
        return
    if scheme in NAMED | WEB | {"file"}:
        fault = next((text for text, is_there in _faults(urlsplit(url), url) if is_there), None)
        if fault:
            raise StoreError(f"{url}: {fault}")


def _faults(parts: SplitResult, url: str) -> list[tuple[str, bool]]:
    scheme, path = parts.scheme.lower(), unquote(parts.path).strip("/").split("/")
    return [
        (f"?{parts.query} is no part of a store's address; remove it, or write %3F for a `?` of the path", "?" in url),
        (f"#{parts.fragment} is no part of a store's address; write %23 for a `#` of the path", "#" in url),
        ("names no bucket; write scheme://bucket/path", scheme != "file" and not parts.netloc),
        (
            f"{parts.netloc} is another machine, which a path does not reach; write file:///path",
            scheme == "file" and parts.netloc not in HERE,
        ),
        (
            "`@` and `:` belong to no bucket; write scheme://bucket/path, and the endpoint as options.endpoint",
            scheme in NAMED and (":" in parts.netloc or ("@" in parts.netloc and scheme not in WITH_ACCOUNT)),
        ),
        (
            "an empty part, `.` or `..` leads to another place; write the path without",
            scheme != "file" and path != [""] and not {"", ".", ".."}.isdisjoint(path),
        ),
    ]
