"""Laws of the schema: each variable stands once, is written by one stage, and is described."""

from collections import Counter
from math import prod

import numpy as np
import pytest

from pipeline.plan.schema import PREPARED, REASONS, REFERENCES, Variable
from pipeline.plan.stages import STAGES, VARIABLES

SIZES = {
    "image": 7, "perturbation": 3, "method": 2, "metric": 4, "reference": 3, "similarity": 2, "evidence": 5,
    "measure": 4, "class": 5, "channel": 3, "y": 6, "x": 8, "quality": 3, "subset": 9, "answer": 3, "control": 2,
    "fill": 4, "order": 2, "step": 5, "ranking": 2, "depth": 6,
}  # fmt: skip

every_variable = pytest.mark.parametrize("variable", VARIABLES.values(), ids=list(VARIABLES))


def test_every_variable_has_exactly_one_writer() -> None:
    writers = Counter([*PREPARED, *(variable.name for stage in STAGES.values() for variable in stage.writes)])
    assert writers == Counter(dict.fromkeys(VARIABLES, 1))


def test_the_stages_are_those_of_the_data() -> None:
    assert tuple(STAGES) == ("fit", "perturb", "attribute", "occlude", "remove", "randomise", "score")


@every_variable
def test_a_variable_is_described_and_its_dimensions_are_known(variable: Variable) -> None:
    assert VARIABLES[variable.name] == variable
    assert variable.meaning
    assert set(variable.dims) <= set(SIZES)
    assert set(variable.whole) <= set(variable.dims)


@every_variable
def test_a_shard_holds_a_tile_and_what_one_task_makes(variable: Variable) -> None:
    shard = dict(zip(variable.dims, variable.shard(SIZES, tile=4), strict=True))
    if variable.name not in PREPARED:
        assert shard.pop("image", 4) == 4
    assert prod(shard.values()) == prod(SIZES[dim] for dim in variable.whole)


def test_only_what_is_found_for_all_images_at_once_has_no_image_axis() -> None:
    assert [name for name, variable in VARIABLES.items() if "image" not in variable.dims] == ["displacement"]


@every_variable
def test_only_large_variables_are_read_image_by_image(variable: Variable) -> None:
    shard, chunk = variable.shard(SIZES, tile=4), variable.chunk(SIZES, tile=4)
    assert chunk == ((1, *shard[1:]) if variable.is_large else shard)


def test_the_first_reason_is_none() -> None:
    assert REASONS[0] == "defined"
    assert len(set(REASONS)) == len(REASONS) <= np.iinfo(VARIABLES["reason"].dtype).max


def test_references_are_described() -> None:
    assert all(reference.meaning for reference in REFERENCES.values())
    assert {reference.variable for reference in REFERENCES.values()} <= set(VARIABLES)
