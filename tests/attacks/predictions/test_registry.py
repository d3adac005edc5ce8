"""The facts of the attacks on the prediction agree with the library."""

import inspect
import re

import pytest
import torchattacks

from attacks.predictions.entries import RELATIVE_STEP, LibraryAttack
from attacks.predictions.registry import ATTACKS_ON_PREDICTIONS
from attacks.predictions.signatures import parameters

NO_ATTACK_BY_NAME = {
    "VANILA",  # does nothing
    "GN",  # noise, here `gaussian_noise`
    "MultiAttack",  # takes attacks
    "LGV",  # takes training data
}
every_attack = pytest.mark.parametrize("entry", ATTACKS_ON_PREDICTIONS, ids=lambda entry: entry.name)


def test_every_attack_of_the_library_can_be_named() -> None:
    assert {entry.library_class for entry in ATTACKS_ON_PREDICTIONS} == {*torchattacks.__all__} - NO_ATTACK_BY_NAME


def test_no_two_entries_are_the_same_attack() -> None:
    attacks = [(entry.library_class, *sorted(entry.fixed.items())) for entry in ATTACKS_ON_PREDICTIONS]
    assert len({*attacks}) == len(attacks)


@every_attack
def test_options_are_parameters_of_the_library_or_stated(entry: LibraryAttack) -> None:
    own = {*entry.own_defaults, RELATIVE_STEP}
    taken = parameters(entry.library_class)
    assert entry.options.keys() - own <= taken.keys()
    assert all(entry.options[name] == taken[name] for name in entry.options.keys() - own)
    assert not entry.options.keys() & {entry.radius, entry.step, "seed", "n_classes", "norm", "verbose"}
    assert {*entry.fixed, *entry.not_offered} <= taken.keys()
    assert (entry.strength is not None) is (entry.radius in taken)


@every_attack
def test_words_have_choices_and_the_default_is_one(entry: LibraryAttack) -> None:
    assert entry.choices.keys() == {name for name, value in entry.options.items() if isinstance(value, str)}
    assert all(entry.options[name] in choices for name, choices in entry.choices.items())


@pytest.mark.parametrize("name", ["momentum", "prob"])
@pytest.mark.parametrize("attack", [torchattacks.PIFGSM, torchattacks.PIFGSMPP])
def test_what_is_not_offered_is_never_read(attack: type, name: str) -> None:
    assert re.findall(rf"self\.{name}\b.*", inspect.getsource(attack)) == [f"self.{name} = {name}"]


@pytest.mark.parametrize(
    ("name", "step"), [("pgd", 0.25), ("pgd_l2", 0.2), ("ffgsm", 1.25), ("spsa", 0.25), ("tpgd", 0.25)]
)
def test_a_step_is_relative_to_the_strength(name: str, step: float) -> None:
    (entry,) = (entry for entry in ATTACKS_ON_PREDICTIONS if entry.name == name)
    assert entry.options[RELATIVE_STEP] == step
