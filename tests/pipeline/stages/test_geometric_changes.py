"""Maps under geometric changes are compared in the frame of the clean image, where something was in view."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_audits import edit, finish, needs_mask, write_audit
from torch import Tensor

from pipeline.plan.tasks import Task
from pipeline.stages import score as scoring
from pipeline.stages.context import Context
from pipeline.stages.score import score
from pipeline.stages.stored_maps import read_maps
from pipeline.stages.views import in_clean_frame, level
from srd.registry import MAP_METRICS, METRICS

GEOMETRIC = """[[perturbation]]
name = "horizontal_flip"

[[perturbation]]
name = "shift"
strengths = [0.25]

[[perturbation]]
name = "rotation"
strengths = [20]

[[perturbation]]
name = "zoom"
strengths = [0.25]
"""


@pytest.fixture(scope="module")
def geometric(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Return the context of an audit whose images were mirrored, shifted, turned and enlarged."""
    folder = tmp_path_factory.mktemp("geometric")
    spec = write_audit(folder / "audit")
    old = "".join(spec.read_text(encoding="utf-8").partition("[[perturbation]]")[1:]).partition("[measure]")[0]
    return finish(edit(spec, old, GEOMETRIC + "\n"), folder / "run").context


def brightness(context: Context, task: Task) -> Tensor:
    """Maps that go wherever the picture goes: a function of each pixel alone."""
    rows = context.rows(task)
    return torch.from_numpy(context.store.read("input", slice(rows.start, rows.stop))).sum(2) - 1


def still(context: Context, task: Task) -> Tensor:
    """Maps that stay where they are, whatever the picture does."""
    return brightness(context, task)[:, :1].expand(-1, len(context.conditions), -1, -1)


def scored(context: Context, monkeypatch: pytest.MonkeyPatch, maps: object) -> dict[str, NDArray[np.float32]]:
    """Scores of the maps under each geometric change, by its name: (image, metric)."""
    monkeypatch.setattr(scoring, "read_maps", maps)
    scores = np.concatenate([score(context, Task("score", tile, 0))["score"] for tile in range(context.plan.n_tiles)])
    return {condition.name: scores[:, column, 0] for column, condition in enumerate(context.conditions)}


def test_maps_are_moved_back_from_geometric_changes_before_they_are_compared(
    geometric: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    similarity = [entry.of == "two maps" for entry in MAP_METRICS.values()]
    best = [float(entry.better == "higher") for entry in MAP_METRICS.values() if entry.of == "two maps"]
    moving = scored(geometric, monkeypatch, brightness)
    for name in ("horizontal_flip", "shift"):
        np.testing.assert_allclose(moving[name][:, similarity], np.tile(best, (len(moving[name]), 1)), atol=1e-6)
    pearson = list(MAP_METRICS).index("pearson")
    resting = scored(geometric, monkeypatch, still)
    for name in ("horizontal_flip", "shift", "rotation", "zoom"):
        assert (moving[name][:, pearson] > 0.85).all()  # reading between pixels blurs the pictures' noise
        assert (resting[name][:, pearson] < moving[name][:, pearson] - 0.1).all()


def test_where_an_object_was_found_is_told_in_the_frame_of_the_clean_image(
    geometric: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = scored(geometric, monkeypatch, brightness)
    np.testing.assert_array_equal(scores["horizontal_flip"][:, needs_mask()], scores["clean"][:, needs_mask()])


def test_what_was_out_of_view_is_compared_with_nothing(geometric: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def unrelated(context: Context, task: Task) -> Tensor:
        shape = len(context.rows(task)), len(context.conditions), 16, 16
        return torch.rand(shape, generator=torch.Generator().manual_seed(0))

    task, pearson = Task("score", 0, 0), list(MAP_METRICS).index("pearson")
    maps = unrelated(geometric, task)
    moved, seen = in_clean_frame(geometric, task, maps)
    shift = [condition.name for condition in geometric.conditions].index("shift")
    assert (seen[:, shift].flatten(1).sum(1) == 16 * 12).all()
    pairs = zip(moved[:, shift], maps[:, 0], seen[:, shift], strict=True)
    in_view = [np.corrcoef(one[shown], other[shown])[0, 1] for one, other, shown in pairs]
    scores = scored(geometric, monkeypatch, unrelated)["shift"][:, pearson]
    np.testing.assert_allclose(scores[: len(in_view)], in_view, atol=1e-5)


def test_maps_that_say_nothing_in_view_correlate_with_nothing() -> None:
    maps = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    seen = torch.ones(3, 16, 16, dtype=torch.bool)
    seen[0, :4], seen[1] = False, False
    maps[0, 4:] = 0.3
    levelled = level(maps, seen)
    assert METRICS["pearson"](levelled, levelled).isnan().tolist() == [True, True, False]
    assert torch.equal(levelled[2], maps[2])


def test_without_geometric_changes_the_maps_are_compared_as_they_are(context: Context) -> None:
    task = Task("score", 0, 0)
    maps = read_maps(context, task)
    moved, seen = in_clean_frame(context, task, maps)
    assert torch.equal(moved, maps)
    assert seen.all()
