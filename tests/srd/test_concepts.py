"""Concepts: vectors against hooks, draws against their exact law, clusters against planted and best partitions."""

from itertools import product

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn
from toys import classes, generator, left_as_found, normal, relative_error, small, tiny_transformer

import srd
from srd.concepts import NO_CLUSTER, Clusters, cluster_directions, draw_positions, feature_vectors
from srd.errors import ModelError

X = normal(2, 3, 7, 8)
RELEVANCE = torch.tensor([[1.0, -5.0, 3.0], [0.0, 2.0, 4.0]])
N_DRAWS = 20_000


def hooked(network: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """Return the output of a module."""
    outputs: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda *call: outputs.append(call[-1].clone()))
    with torch.no_grad():
        network(inputs)
    handle.remove()
    return outputs[-1]


@pytest.mark.parametrize("layer", ["stem.2", "stem", "relu"])
def test_vectors_are_the_channels_of_what_the_module_returns(layer: str) -> None:
    network = small()
    with left_as_found(network, X):
        vectors = feature_vectors(network, X, layer)
    assert relative_error(vectors, hooked(network, layer, X).permute(0, 2, 3, 1)) <= 1e-12
    assert vectors.shape[:-1] == srd.relevance(network, X, classes(2), [layer])[layer].shape


def test_tokens_keep_their_order() -> None:
    network, layer = tiny_transformer(), "encoder.layers.encoder_layer_1"
    inputs = normal(2, 3, 8, 8)
    assert relative_error(feature_vectors(network, inputs, layer), hooked(network, layer, inputs)) <= 1e-12


def test_a_layer_that_mixes_images_or_is_unknown_is_refused() -> None:
    class Halves(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            n, c, h, w = maps.shape
            return maps.reshape(n, c, 2, h // 2, w).transpose(1, 2).reshape(2 * n, c, h // 2, w)

    network = nn.Sequential(nn.Conv2d(3, 4, 2), nn.ReLU(), Halves()).double().eval()
    with pytest.raises(ModelError, match="first axis does not hold the images"):
        feature_vectors(network, X, "2")
    with pytest.raises(ModelError, match="no module of this name"):
        feature_vectors(network, X, "3")


def counts(seed: int) -> Tensor:
    """How often each position of RELEVANCE is drawn."""
    positions = draw_positions(RELEVANCE, N_DRAWS, generator(seed))
    return (positions[:, 0] * 3 + positions[:, 1]).bincount(minlength=6)


def test_positions_are_drawn_in_proportion_to_positive_relevance() -> None:
    law = torch.tensor([1, 0, 3, 0, 2, 4]) / 10
    drawn = counts(0)
    assert drawn[law == 0].sum() == 0
    expected = (N_DRAWS * law)[law > 0].numpy()
    assert chisquare(drawn[law > 0].numpy(), expected).pvalue > 0.01
    assert chisquare(drawn[law > 0].numpy(), expected[[1, 0, 2, 3]]).pvalue < 1e-9


def test_draws_belong_to_their_stream() -> None:
    one, same, other = (draw_positions(RELEVANCE, 20, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(one, draw_positions(7.5 * RELEVANCE, 20, generator(0)))


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_nothing_is_drawn_where_nothing_is_positive(shape: tuple[int, ...]) -> None:
    assert draw_positions(-torch.ones(shape), 5, generator()).shape == (0, len(shape))
    assert draw_positions(torch.ones(shape), 5, generator()).shape == (5, len(shape))


def planted(sizes: tuple[int, ...], spread: float = 0.1) -> tuple[Tensor, Tensor]:
    """Vectors of all strengths near as many directions as there are sizes, and which direction each is near."""
    draw, n, c = generator(3), sum(sizes), 12
    directions = torch.linalg.qr(torch.randn(c, c, generator=draw))[0][: len(sizes)]
    index = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[torch.randperm(n, generator=draw)]
    strength = torch.rand(n, 1, generator=draw) * 100 + 0.01
    noise = spread * torch.randn(n, c, generator=draw) / c**0.5
    return strength * (directions[index] + noise), index


def test_planted_directions_are_found_and_numbered_by_size() -> None:
    vectors, index = planted((50, 40, 30, 20))
    found = cluster_directions(vectors, 4, generator()).labels(vectors)
    assert torch.equal(found, index)


def test_the_strength_of_a_vector_does_not_matter() -> None:
    vectors, _ = planted((30, 20, 10), spread=1.5)
    clusters = cluster_directions(vectors, 3, generator())
    strength = torch.rand(60, 1, generator=generator(1)) + 0.1
    assert torch.equal(clusters.labels(vectors), clusters.labels(strength * vectors))
    assert torch.equal(clusters.labels(vectors), cluster_directions(strength * vectors, 3, generator()).labels(vectors))


def distance(directions: Tensor, labels: Tensor) -> float:
    """Sum of squared distances to the means."""
    parts = (directions[labels == label] for label in labels.unique())
    return sum(float((part - part.mean(0)).square().sum()) for part in parts)


def test_two_clusters_are_the_best_of_all_partitions() -> None:
    vectors = normal(9, 4, seed=5)
    directions = vectors / vectors.norm(dim=1, keepdim=True)
    best = min(distance(directions, torch.tensor((0, *rest))) for rest in product((0, 1), repeat=8) if any(rest))
    found = cluster_directions(vectors, 2, generator()).labels(vectors)
    assert distance(directions, found) == pytest.approx(best, abs=1e-12)


def test_every_vector_of_the_sample_keeps_its_cluster_and_no_cluster_is_empty() -> None:
    vectors = normal(200, 6)
    clusters = cluster_directions(vectors, 15, generator())
    sizes = clusters.labels(vectors).bincount(minlength=15)
    assert sizes.min() > 0
    assert torch.equal(sizes, sizes.sort(descending=True).values)
    assert torch.equal(clusters.labels(vectors), torch.cat([clusters.labels(vector[None]) for vector in vectors]))


def test_clusters_belong_to_their_seed() -> None:
    vectors = normal(300, 8)

    def labels(seed: int) -> Tensor:
        return cluster_directions(vectors, 12, generator(seed)).labels(vectors)

    assert torch.equal(labels(0), labels(0))
    assert not torch.equal(labels(0), labels(1))


def pair() -> tuple[Tensor, Clusters]:
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 7.0], [0.0, 1.0]])
    return vectors, cluster_directions(vectors, 2, generator())


def test_a_vector_without_direction_has_no_cluster() -> None:
    vectors, clusters = pair()
    assert clusters.labels(vectors).tolist() == [1, 1, 0, 0, 0]
    assert clusters.labels(torch.tensor([[0.0, 0.0], [0.0, 1e-30]])).tolist() == [NO_CLUSTER, 0]


def test_fewer_directions_than_clusters_are_refused() -> None:
    vectors, _ = pair()
    with pytest.raises(ValueError, match="3 clusters of 2 distinct directions"):
        cluster_directions(vectors, 3, generator())
