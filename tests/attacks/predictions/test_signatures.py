"""The parameters read from the text of torchattacks equal those that Python reports."""

import inspect

import pytest
import torchattacks

from attacks.predictions.signatures import parameters

BUILT_FROM_ATTACKS = {"MultiAttack", "LGV"}


@pytest.mark.parametrize("attack", sorted({*torchattacks.__all__} - BUILT_FROM_ATTACKS))
def test_the_text_says_what_the_constructor_takes(attack: str) -> None:
    _, *taken = inspect.signature(getattr(torchattacks, attack)).parameters.values()
    assert dict(parameters(attack)) == {parameter.name: parameter.default for parameter in taken}
