"""Parts share out the tiles of a run, each task to one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.selection import ALL, Selection, TileShare, parse_share
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan
from srd.errors import InputError


@given(images=st.integers(1, 40), tile=st.integers(1, 9), n=st.integers(1, 12))
def test_every_task_belongs_to_one_part_and_every_fit_to_all(images: int, tile: int, n: int) -> None:
    plan = Plan({"image": images, "perturbation": 3, "method": 2}, tile, False, (2,), (2,))
    for task in plan.all_tasks():
        owners = [part for part in range(1, n + 1) if TileShare(part, n).holds(task)]
        assert len(owners) == (n if task.stage == "fit" else 1)


def test_an_extent_ends_with_its_stage() -> None:
    assert ALL.stages == tuple(STAGES)
    assert Selection("attribute").stages == ("fit", "perturb", "attribute")


def test_a_part_is_read_as_it_is_written() -> None:
    assert parse_share("3/20") == TileShare(3, 20)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", ""])
def test_what_is_no_part_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(InputError, match="is no part; write 1/20 to 20/20"):
        parse_share(text)
