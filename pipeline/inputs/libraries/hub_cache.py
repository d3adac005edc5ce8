"""The cache of the Hugging Face hub on this machine; nothing is fetched, as workers may have no network."""

from importlib import import_module
from pathlib import Path

from pipeline.spec.model import ModelSpec
from srd.errors import ModelError


def cached_folder(spec: ModelSpec, repository: str) -> Path:
    """Return the folder of a repository's newest snapshot in the cache.

    Raises
    ------
    ModelError
        If there is none.
    """
    file = cached_file(repository, "config.json")
    if file is None:
        raise ModelError(
            f"model.spec = {spec.spec!r}: the cache of the hub holds no {repository}, and audits fetch nothing; "
            f"`hf download {repository}` on a machine that may, then name its folder, or bring the cache (HF_HOME) here"
        )
    return file.parent


def cached_file(repository: str, name: str) -> Path | None:
    """Return a file of a repository in the cache, or None."""
    found = import_module("huggingface_hub").try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None
