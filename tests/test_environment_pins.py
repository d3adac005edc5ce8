"""What the installed set must hold, whatever its packages ask for."""

from importlib.metadata import PackageNotFoundError, version


def installed(name: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(part) for part in version(name).split(".")[:2])
    except PackageNotFoundError:
        return None


def test_the_stale_pin_of_torchattacks_has_not_brought_an_old_requests() -> None:
    found = installed("requests")
    assert found is None or found >= (2, 32)


def test_torchattacks_can_be_imported() -> None:
    import torchattacks

    assert callable(torchattacks.PGD)
