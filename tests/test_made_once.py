"""Folders that tests share."""

from pathlib import Path

import pytest
from made_once import made_once


def test_a_folder_is_made_once_and_again_only_if_that_failed(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    name, made = tmp_path.name, list[Path]()

    def fail(home: Path) -> None:
        (home / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        made_once(tmp_path_factory, f"once {name}", fail)
    first, second = (made_once(tmp_path_factory, f"once {name}", made.append) for _ in range(2))
    assert made == [first]
    assert second == first
    assert not list(first.iterdir())
