"""The explained class may be given in any form that names one class for each row."""

from typing import Any

import numpy as np
import pytest
import torch
from toys import generators, normal, small, tiny_transformer

import srd
from srd.entries import AttributorEntry
from srd.errors import InputError
from srd.registry import ATTRIBUTORS
from srd.targets import target_of_each_row

X = normal(3, 3, 8, 8)
FORMS: dict[str, Any] = {
    "int": 2,
    "list": [2, 2, 2],
    "tuple of one": (2,),
    "tensor": torch.tensor([2, 2, 2]),
    "number": torch.tensor(2),
    "short integers": torch.tensor([2, 2, 2], dtype=torch.int16),
    "NumPy": np.array([2, 2, 2]),
}


@pytest.mark.parametrize("entry", ATTRIBUTORS.values(), ids=ATTRIBUTORS)
def test_every_method_takes_every_form(entry: AttributorEntry) -> None:
    network = tiny_transformer() if entry.networks == "transformers" else small()
    options = {"masks": 10} if entry.name == "rise" else {}
    expected = entry(network, X, FORMS["tensor"], generators(3), **options)
    for target in FORMS.values():
        assert torch.equal(entry(network, X, target, generators(3), **options), expected)


@pytest.mark.parametrize("form", FORMS)
def test_so_do_the_functions_of_srd(form: str) -> None:
    network, target = small(), FORMS[form]
    maps = srd.decompose(network, X, FORMS["tensor"])
    assert torch.equal(srd.decompose(network, X, target), maps)
    assert torch.equal(srd.account(network, X, target).maps, maps)
    at = srd.relevance(network, X, target, ["stem", "branch"])
    (name, alone), *others = srd.relevance(network, X, target, "stem").items()
    assert torch.equal(alone, at["stem"])
    assert (name, others) == ("stem", [])


UNFIT: dict[str, tuple[Any, str]] = {
    "too few": ([1, 2], r"shape \(2,\) does not fit 3 rows; give the number of one class, or one number for each row"),
    "a table": (torch.ones(3, 1, dtype=torch.int64), r"shape \(3, 1\)"),
    "none": ([], "type torch.float32|shape"),
    "fractions": (1.5, "type torch.float"),
    "logits": (torch.zeros(3), "type torch.float32, not integers"),
    "truths": ([True, False, True], "type torch.bool"),
    "a name": ("cat", "'cat'"),
    "ragged": ([[1], [1, 2]], "give the number"),
    "above": (4, "target 4: the network has 4 classes; give numbers from 0 to 3"),
    "below": ([0, -1, 0], "target -1: the network has 4 classes"),
}


@pytest.mark.parametrize("form", UNFIT)
@pytest.mark.parametrize("name", ["srd", "saliency", "deep_lift", "grad_cam", "lrp_z_plus", "full_grad"])
def test_what_does_not_name_a_class_for_each_row_is_refused(name: str, form: str) -> None:
    target, named = UNFIT[form]
    with pytest.raises(InputError, match=named):
        ATTRIBUTORS[name](small(), X, target)


def test_a_target_has_one_class_for_each_row_on_the_device_of_the_inputs() -> None:
    assert target_of_each_row(1, X).tolist() == [1, 1, 1]
    given = torch.tensor([0, 1, 2])
    assert torch.equal(target_of_each_row(given, X), given)
    assert target_of_each_row(torch.tensor(1), X.to("meta")).device.type == "meta"
