"""The concepts of a layer over a run's images: draws, what becomes of them under perturbation, refusals."""

from pathlib import Path

import numpy as np
import pytest
import torch
from colour_network import COLOURS
from small_audits import Watch, edit, job_of, run, write_audit
from torch import Tensor

import srd
from pipeline.execution.executors import serial_executor
from pipeline.experiments.concepts import Exploration, open_exploration, refuse_unfit
from pipeline.machine import seeds
from pipeline.plan.selection import Selection
from pipeline.store.store import exists
from srd.concepts import draw_positions, feature_vectors
from srd.errors import DataError, ModelError

N_IMAGES, N_VECTORS = 6, 10


def explored(home: Path, layer: str = "relu1", seed: int = 0, tile: int = 4) -> Exploration:
    """A layer of the small audit, its images perturbed."""
    spec = home / "small.toml"
    if not spec.exists():
        edit(write_audit(home), "tile = 4", f"tile = {tile}")
    job = job_of(spec, home / "run")
    run(job, serial_executor, Watch(), Selection("perturb"))
    return open_exploration(job, layer, seed)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("audit")
    return folder


@pytest.fixture(scope="module")
def layer(home: Path) -> Exploration:
    return explored(home)


def inputs(layer: Exploration, row: int) -> Tensor:
    """An image under each condition, as the network reads it."""
    return layer.context.model.normalise(torch.from_numpy(layer.context.store.read("input", row)))


def relevance(layer: Exploration, row: int) -> Tensor:
    read = inputs(layer, row)
    target = torch.tensor([layer.context.targets[row]]).expand(len(read))
    return srd.relevance(layer.context.model.network, read, target, [layer.layer])[layer.layer]


@pytest.mark.parametrize("row", range(N_IMAGES))
def test_what_is_drawn_is_relevant_and_stands_where_it_says(layer: Exploration, row: int) -> None:
    drawn = layer.draw(row, N_VECTORS)
    maps, vectors = relevance(layer, row)[0], feature_vectors(layer.context.model.network, inputs(layer, row), "relu1")
    assert drawn.positions.shape == (N_VECTORS, 2)
    assert (drawn.relevance > 0).all()
    for position, value, vector in zip(drawn.positions.tolist(), drawn.relevance, drawn.vectors, strict=True):
        torch.testing.assert_close(value, maps[tuple(position)])
        torch.testing.assert_close(vector, vectors[(0, *position)])


@pytest.mark.slow
def test_draws_do_not_depend_on_tiles_or_on_what_was_drawn_before(layer: Exploration, tmp_path: Path) -> None:
    other = explored(tmp_path, tile=1)
    backwards = [other.draw(row, N_VECTORS) for row in reversed(range(N_IMAGES))][::-1]
    forwards = [layer.draw(row, N_VECTORS) for row in range(N_IMAGES)]
    for one, two in zip(forwards, backwards, strict=True):
        assert torch.equal(one.positions, two.positions)
        assert torch.equal(one.vectors, two.vectors)
    labels = [each.clusters(forwards, 3).labels(forwards[0].vectors) for each in (layer, other)]
    assert torch.equal(*labels)


def test_every_image_seed_and_layer_has_its_own_stream(layer: Exploration, home: Path) -> None:
    for each in (layer, explored(home, seed=1), explored(home, layer="conv1")):
        for row, image in enumerate(each.context.data.ids):
            stream = seeds.generator(each.seed, "concepts", each.layer, "draw", image)
            expected = draw_positions(relevance(each, row)[0], N_VECTORS, stream)
            assert torch.equal(each.draw(row, N_VECTORS).positions, expected)


def test_clusters_of_a_network_that_sees_colour_are_colours(layer: Exploration) -> None:
    drawn = [layer.draw(row, N_VECTORS) for row in range(N_IMAGES)]
    clusters = layer.clusters(drawn, len(COLOURS))
    served = {(int(layer.context.targets[each.row]), *set(clusters.labels(each.vectors).tolist())) for each in drawn}
    assert len(served) == len(COLOURS)
    assert {cluster for _, cluster in served} == set(range(len(COLOURS)))


def test_vectors_are_followed_to_every_perturbation(layer: Exploration) -> None:
    drawn = [layer.draw(row, N_VECTORS) for row in range(N_IMAGES)]
    clusters = layer.clusters(drawn, 3)
    for each in drawn:
        followed = layer.follow(each, clusters)
        maps = relevance(layer, each.row)
        vectors = feature_vectors(layer.context.model.network, inputs(layer, each.row), "relu1")
        assert followed.labels.shape == followed.relevance.shape == (N_VECTORS, len(layer.context.conditions))
        assert np.array_equal(followed.relevance[:, 0], each.relevance.double().numpy())
        for column in range(len(layer.context.conditions)):
            at = [(column, *position) for position in each.positions.tolist()]
            expected = torch.stack([maps[place] for place in at]).double().numpy()
            assert np.allclose(followed.relevance[:, column], expected, rtol=1e-4, atol=1e-6)
            labels = clusters.labels(torch.stack([vectors[place] for place in at]))
            assert np.array_equal(followed.labels[:, column], labels.numpy())


def test_a_field_is_that_of_the_clean_image(layer: Exploration) -> None:
    expected = srd.receptive_field(layer.context.model.network, inputs(layer, 2)[:1], "relu1", torch.tensor([[3, 5]]))
    assert np.array_equal(layer.field(2, (3, 5)), expected[0, 0].numpy())


def test_a_layer_without_relevance_is_refused_before_any_work(tmp_path: Path) -> None:
    job = job_of(write_audit(tmp_path), tmp_path / "run")
    for name, message in (("relu9", "its top modules: conv1, relu1"), ("fc", "no relevance arrives there")):
        with pytest.raises(ModelError, match=message):
            refuse_unfit(job, name, 2, 2)
    refuse_unfit(job, "relu1", 12, 2)
    with pytest.raises(DataError, match="--clusters 13: 12 vectors are drawn; ask for fewer"):
        refuse_unfit(job, "relu1", 13, 2)
    assert not exists(job.store)


def test_vectors_too_few_or_too_much_alike_are_refused(layer: Exploration) -> None:
    alike = [layer.draw(0, N_VECTORS)] * 3
    with pytest.raises(DataError, match=r"layer 'relu1': 20 clusters of \d+ distinct directions; ask for fewer"):
        layer.clusters(alike, 20)
    with pytest.raises(DataError, match="no image has positive relevance there"):
        layer.clusters([], 2)
