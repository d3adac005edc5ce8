"""Laws that hold for every entry of the registries, so that a new entry is tested by being named."""

import inspect
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_args

import pytest
import torch
from metric_arguments import arguments, truth
from played_device import played_device
from torch import Tensor, nn
from toys import (
    classes,
    demo_model,
    demo_network,
    demo_samples,
    demo_transformer,
    generator,
    generators,
    left_as_found,
    normal,
    relative_error,
    rows,
    small,
    tiny_transformer,
    uniform,
)

from attacks.entries import AMOUNT, DEGREES, EPSILON, L2_EPSILON, SEVERITY, SHIFT, SIGMA, ZOOM, PerturbationEntry, Scale
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Images, Model, Samples
from srd.baselines.saliency import saliency
from srd.entries import AttributorEntry, Entry, Invariance, Measured, MetricEntry
from srd.registry import ATTRIBUTORS, MAP_METRICS, METRICS, QUALITIES, SIMILARITIES
from srd.surrogates import softplus
from srd.types import Attributor, Maps, Scores

N = 3
TRIED: dict[Scale | None, tuple[float, float]] = {
    None: (0.0, 0.0),
    EPSILON: (8 / 255, 64 / 255),
    L2_EPSILON: (0.5, 8.0),
    SIGMA: (0.05, 0.2),
    AMOUNT: (0.05, 0.2),
    SEVERITY: (1, 5),
    DEGREES: (10, 45),
    SHIFT: (0.05, 0.2),
    ZOOM: (0.1, 0.3),
}
"""A smaller and a larger strength."""

every_attributor = pytest.mark.parametrize("entry", ATTRIBUTORS.values(), ids=ATTRIBUTORS)
every_metric = pytest.mark.parametrize("entry", METRICS.values(), ids=METRICS)
every_perturbation = pytest.mark.parametrize("entry", PERTURBATIONS.values(), ids=PERTURBATIONS)
every_entry = pytest.mark.parametrize(
    "entry", [*ATTRIBUTORS.values(), *METRICS.values(), *PERTURBATIONS.values()], ids=lambda entry: entry.name
)


def keyword_only(entry: Entry) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(entry.load()).parameters
    return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


# Facts.


@pytest.mark.parametrize("registry", [ATTRIBUTORS, METRICS, PERTURBATIONS])
def test_a_registry_is_read_only_and_keyed_by_name(registry: Any) -> None:
    assert [entry.name for entry in registry.values()] == list(registry)
    with pytest.raises(TypeError):
        registry["new"] = None


@every_entry
def test_options_are_the_keywords_that_a_spec_may_set(entry: Entry) -> None:
    others = {"create_graph", "attributor", *entry.fixed, *getattr(entry, "needs", ())}
    defaults = {name: parameter.default for name, parameter in keyword_only(entry).items() if name not in others}
    assert entry.options == defaults
    assert all(type(default) in {bool, int, float, str} for default in defaults.values())


@every_attributor
def test_needs_are_keywords(entry: AttributorEntry) -> None:
    assert set(entry.needs) <= keyword_only(entry).keys()


@every_perturbation
def test_an_attack_on_an_explanation_and_no_other_takes_an_attributor(entry: PerturbationEntry) -> None:
    assert ("attributor" in keyword_only(entry)) is entry.attacks_attributor
    assert entry.attacks_attributor is (entry.family == "attack on the explanation")
    assert (entry.norm is not None) is (entry.strength in {EPSILON, L2_EPSILON})
    assert set(entry.budget) <= entry.options.keys()


@every_entry
def test_every_entry_says_what_it_is(entry: Entry) -> None:
    assert entry.load().__doc__
    assert entry.title


@pytest.mark.parametrize("module", ["srd.registry", "attacks.registry", "reports.cli"])
def test_names_are_known_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Attributors.


def subject(entry: AttributorEntry, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor, Tensor]:
    """A small network that the method explains, with inputs and targets."""
    if entry.networks == "transformers":
        return tiny_transformer().to(dtype), normal(N, 3, 8, 8, dtype=dtype), classes(N)
    return small().to(dtype), normal(N, 3, 6, 9, dtype=dtype), classes(N)


def two_networks(entry: AttributorEntry) -> tuple[nn.Module, nn.Module]:
    """That the method explains, for the demo's pictures."""
    if entry.networks == "transformers":
        return demo_transformer(0), demo_transformer(1)
    return demo_network("vgg"), demo_network("resnet")


def of_pictures(entry: AttributorEntry, network: nn.Module, x: Tensor, target: Tensor) -> Maps:
    """With few masks, where there are any."""
    options = {"masks": 200} if "masks" in entry.options else {}
    maps: Maps = entry(network, x, target, generators(N), **options)
    return maps


@every_attributor
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_have_the_size_type_and_device_of_the_inputs(entry: AttributorEntry, dtype: torch.dtype) -> None:
    network, x, target = subject(entry, dtype)
    maps = entry(network, x, target, generators(N))
    assert maps.shape == (N, *x.shape[2:])
    assert maps.dtype == dtype
    assert maps.device == x.device
    assert not maps.requires_grad
    assert bool(maps.isfinite().all())


@every_attributor
def test_an_attributor_stays_on_the_device_of_its_inputs(entry: AttributorEntry) -> None:
    """Played: no run on a GPU."""
    network, x, target = subject(entry)
    expected = entry(network, x, target, generators(N))
    with played_device() as device:
        played = deepcopy(network).to(device)
        maps = entry(played, x.to(device), target.to(device), generators(N))
        assert maps.device == device
        assert relative_error(maps.cpu(), expected) <= 1e-12
        if entry.differentiable:
            leaf = x.to(device).requires_grad_()
            maps = entry(played, leaf, target.to(device), generators(N), create_graph=True)
            (gradient,) = torch.autograd.grad(maps.square().sum(), leaf)
            assert gradient.device == device


@every_attributor
def test_an_attributor_leaves_everything_as_found(entry: AttributorEntry) -> None:
    network, x, target = subject(entry)
    first, *_, last = network.train().children()
    first.eval()
    last.requires_grad_(False)
    with left_as_found(network, x, target):
        entry(network, x, target, generators(N))
        entry(network, x.clone().requires_grad_(), target, generators(N), create_graph=True)


AMBIENT: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": partial(torch.autocast, "cpu", torch.bfloat16),
}


@every_attributor
@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
def test_ambient_state_does_not_change_a_map(
    entry: AttributorEntry, ambient: Callable[[], AbstractContextManager[object]]
) -> None:
    network, x, target = subject(entry, torch.float32)
    expected = entry(network, x, target, generators(N))
    with ambient():
        result = entry(network, x.clone(), target.clone(), generators(N))
    assert torch.equal(result, expected)


@every_attributor
def test_a_row_does_not_depend_on_its_batch(entry: AttributorEntry) -> None:
    network, x, target = subject(entry)
    together = entry(network, x, target, generators(N))
    alone = [entry(network, x[k : k + 1], target[k : k + 1], generators(N)[k : k + 1]) for k in range(N)]
    assert relative_error(torch.cat(alone), together) <= 1e-12


@every_attributor
def test_equal_streams_give_equal_maps_and_others_only_where_it_is_stochastic(entry: AttributorEntry) -> None:
    network, x, target = subject(entry)
    maps = [entry(network, x, target, generators(N, seed)) for seed in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1])
    assert torch.equal(maps[0], maps[2]) is not entry.stochastic
    if not entry.stochastic:
        assert torch.equal(maps[0], entry(network, x, target))


@every_attributor
def test_a_map_is_signed_where_it_is_said_to_be(entry: AttributorEntry) -> None:
    x = demo_model("vgg").normalise(demo_samples(N).images)
    maps = torch.cat([of_pictures(entry, network, x, classes(N)) for network in two_networks(entry)])
    assert bool((maps > 0).any())
    assert bool((maps < 0).any()) is entry.signed


@every_attributor
def test_a_map_depends_on_network_and_class_where_it_uses_them(entry: AttributorEntry) -> None:
    x = demo_model("vgg").normalise(demo_samples(N).images)
    network, other = two_networks(entry)
    maps, other_class = (of_pictures(entry, network, x, target) for target in (classes(N), classes(N) + 1))
    other_network = of_pictures(entry, other, x, classes(N))
    assert torch.equal(maps, other_class) is not entry.uses_target
    assert torch.equal(maps, other_network) is not entry.uses_network


@every_attributor
def test_a_differentiable_method_gives_its_maps_a_graph_to_the_inputs(entry: AttributorEntry) -> None:
    network, x, target = subject(entry)
    x.requires_grad_()
    if not entry.differentiable:
        assert not entry(network, x, target, generators(N)).requires_grad
        return
    with softplus(3.0):
        maps = entry(network, x, target, generators(N), create_graph=True)
    (gradient,) = torch.autograd.grad(maps.square().sum(), x)
    assert bool(gradient.isfinite().all())
    speaks = maps.detach().flatten(1).any(1)
    assert bool(speaks.any())
    assert torch.equal(gradient.flatten(1).any(1), speaks)


@every_attributor
def test_asking_for_a_graph_does_not_change_a_map(entry: AttributorEntry) -> None:
    network, x, target = subject(entry)
    expected = entry(network, x, target, generators(N))
    result = entry(network, x.requires_grad_(), target, generators(N), create_graph=True)
    assert relative_error(result.detach(), expected) <= 1e-12


# Metrics.

MAPS = 0.5 * normal(16, 32, 33) + normal(16, 32, 33, seed=1)
OTHERS = normal(16, 32, 33)
MASKS = normal(16, 32, 33, seed=2) > 1.5
ROUNDING = 1e-9
Change = Callable[[Tensor], Tensor]


def permuted(maps: Tensor) -> Tensor:
    order = torch.randperm(maps[0].numel(), generator=generator(5))
    return maps.flatten(1)[:, order].view_as(maps)


CHANGES: dict[Invariance, tuple[Change, Change]] = {
    "positive scale of both": (lambda maps: 3 * maps, lambda maps: 3 * maps),
    "positive scale of one": (lambda maps: 1e-6 * maps, lambda maps: maps),
    "shift": (lambda maps: maps + 0.7, lambda maps: maps - 0.4),
    "increasing function": (lambda maps: maps.exp(), lambda maps: maps.pow(3)),
    "negation": (torch.neg, torch.neg),
    "permutation": (permuted, permuted),
}
"""What each invariance allows to be done to the first map and to the second."""
two_maps = pytest.mark.parametrize(
    "entry", [entry for entry in METRICS.values() if entry.of == "two maps"], ids=lambda entry: entry.name
)


def given(entry: MetricEntry, maps: Maps = MAPS, others: Maps = OTHERS, masks: Tensor = MASKS) -> tuple[Tensor, ...]:
    """The metric's arguments."""
    return arguments(entry, maps, others, masks)


def scores(entry: MetricEntry, maps: Maps = MAPS, others: Maps = OTHERS, masks: Tensor = MASKS) -> Scores:
    result: Scores = entry(*given(entry, maps, others, masks))
    return result


@every_metric
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_metric_gives_one_score_a_row_within_its_bounds(entry: MetricEntry, dtype: torch.dtype) -> None:
    result = scores(entry, MAPS.to(dtype), OTHERS.to(dtype))
    low, high = entry.bounds
    assert result.shape == (16,)
    assert result.dtype == dtype
    assert low <= float(result.min()) <= float(result.max()) <= high


@every_metric
def test_a_metric_stays_on_the_device_of_its_maps(entry: MetricEntry) -> None:
    """Played: no run on a GPU."""
    with played_device() as device:
        result = entry(*(tensor.to(device) for tensor in given(entry)))
        assert result.device == device
        assert torch.equal(result.cpu(), entry(*given(entry)))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As in a task: with more, torch shares out a sum over a batch of one large map."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@every_metric
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("size", "dtype"), [((33, 35), torch.float32), ((14, 15), torch.float64)])
def test_a_metric_scores_every_row_alone_to_the_bit_and_leaves_the_maps(
    entry: MetricEntry, size: tuple[int, int], dtype: torch.dtype
) -> None:
    maps, others = (normal(7, *size, seed=seed, dtype=dtype) for seed in (3, 4))
    taken = given(entry, maps, others, others > 0.5)
    kept = [each.clone() for each in taken]
    together = entry(*taken)
    for length in (1, 3):
        alone = torch.cat([entry(*(each[k : k + length] for each in taken)) for k in range(0, 7, length)])
        assert torch.equal(alone, together)
    assert all(torch.equal(*pair) for pair in zip(taken, kept, strict=True))


@pytest.mark.parametrize("change", CHANGES)
@every_metric
def test_a_metric_has_the_invariances_that_it_states_and_no_others(entry: MetricEntry, change: Invariance) -> None:
    if change == "positive scale of both" and entry.of not in {"two maps", "randomised"}:
        assert change not in entry.invariances
        return
    first, second = CHANGES[change]
    masks = permuted(MASKS) if change == "permutation" else MASKS
    moved = (scores(entry, first(MAPS), second(OTHERS), masks) - scores(entry)).abs().max()
    assert (float(moved) < ROUNDING) is (change in entry.invariances)


@two_maps
def test_a_metric_of_two_maps_is_symmetric_if_it_says_so(entry: MetricEntry) -> None:
    exchanged = (entry(MAPS, OTHERS) - entry(OTHERS, MAPS)).abs().max()
    assert (float(exchanged) < ROUNDING) is entry.symmetric


@two_maps
def test_no_two_maps_are_more_alike_than_a_map_and_itself(entry: MetricEntry) -> None:
    best = entry.bounds[entry.better == "higher"]
    torch.testing.assert_close(entry(MAPS, MAPS), torch.full((16,), float(best), dtype=torch.float64))
    assert abs(float(entry(MAPS, OTHERS).mean()) - best) > 0.005
    assert best == (1 if entry.better == "higher" else 0)


@two_maps
def test_more_noise_moves_a_metric_of_two_maps_away_from_its_best(entry: MetricEntry) -> None:
    clean, noise = blobs(), normal(16, 28, 28, seed=7)
    means = [float(entry(clean, clean + size * noise).mean()) for size in (0.02, 0.1, 0.5, 2.5)]
    assert means == sorted(means, reverse=entry.better == "higher")
    assert abs(means[-1] - means[0]) > 0.03


def blobs() -> Maps:
    """A positive and a negative bump for each of 16 maps of 28 x 28 pixels."""
    places = torch.stack(torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")).double()
    centres = 4 + 20 * uniform(16, 2, 2, seed=6)
    bumps = (-(places - centres[..., None, None]).square().sum(2) / 18).exp()
    return bumps[:, 0] - 0.5 * bumps[:, 1]


@pytest.mark.parametrize(
    "entry", [entry for entry in METRICS.values() if entry.of == "map and mask"], ids=lambda entry: entry.name
)
def test_a_map_that_lies_on_the_object_is_localised_best(entry: MetricEntry) -> None:
    on, noise = MASKS.double(), normal(16, 32, 33, seed=8)
    means = [float(entry(on * towards + 0.3 * noise, MASKS).mean()) for towards in (-2, 0, 2)]
    assert entry.better == "higher"
    assert means == sorted(means)
    assert means[0] < means[2]
    assert entry(on, MASKS).tolist() == [1] * 16


@pytest.mark.parametrize(
    "entry", [entry for entry in METRICS.values() if entry.of == "map"], ids=lambda entry: entry.name
)
def test_a_metric_of_one_map_tells_concentrated_maps_from_even_ones(entry: MetricEntry) -> None:
    point = torch.zeros(1, 20, 20, dtype=torch.float64)
    point[0, 3, 4] = -2
    ends = [float(entry(maps)) for maps in (point, normal(1, 20, 20), torch.ones_like(point))]
    assert ends in (sorted(ends), sorted(ends, reverse=True))
    assert len(set(ends)) == 3
    assert entry.better is None


@pytest.mark.parametrize(
    "entry", [entry for entry in QUALITIES.values() if entry.category == "faithfulness"], ids=lambda entry: entry.name
)
def test_the_truth_about_a_network_scores_better_than_noise_and_noise_than_its_opposite(entry: MetricEntry) -> None:
    right = truth(entry, 16, 32, 33)
    noise = right.std() * normal(16, 32, 33, seed=9)
    means = [float(scores(entry, a * right + b * noise).mean()) for a, b in ((1, 0), (1, 2), (0, 1), (-1, 2), (-1, 0))]
    means = {"infidelity": means[:3], "completeness": means[::4]}.get(entry.name, means)
    assert means == sorted(means, reverse=entry.better == "higher")
    assert means[0] != means[-1]
    if entry.of in {"subsets", "sum"}:
        assert means[0] == pytest.approx(entry.bounds[entry.better == "higher"], abs=1e-9)


def test_the_values_of_noise_are_less_orderly_than_those_of_blobs() -> None:
    rise = METRICS["complexity_rise"]
    assert float(rise(blobs(), normal(16, 28, 28)).min()) > 0.3
    assert float(rise(normal(16, 28, 28), blobs()).max()) < -0.2
    assert rise(blobs(), blobs()).tolist() == [0] * 16
    assert rise(blobs(), 0 * blobs()).tolist() == [-1] * 16, "a constant map is in perfect order"


@pytest.mark.parametrize("answer", ["the same", "NaN", "infinite"])
@pytest.mark.parametrize(
    "entry", [entry for entry in QUALITIES.values() if entry.of in {"curves", "subsets"}], ids=lambda entry: entry.name
)
def test_answers_that_do_not_change_or_are_not_finite_leave_no_score(entry: MetricEntry, answer: str) -> None:
    first, second = (each.clone() for each in given(entry))
    for each in (first, second) if entry.of == "curves" else (second,):
        each[:] = each[:, :1]
        each[:, 2] *= {"the same": 1, "NaN": math.nan, "infinite": math.inf}[answer]
    assert bool(entry(first, second).isnan().all())


OF_SUBSETS = {name for name, entry in METRICS.items() if entry.of == "subsets"}
UNDEFINED = {
    "zero": {*MAP_METRICS, *OF_SUBSETS, "complexity_rise"},
    "constant": {*MAP_METRICS, "complexity_rise"}
    - {"ssim", "mass_centre_shift", "relative_change", "sliced_w1"}
    - {"attribution_localisation", "sparseness", "entropy", "share_90"},
    "one pixel": set(),
    "negative": {"sliced_w1", "attribution_localisation"},
    "with NaN": {*MAP_METRICS, *OF_SUBSETS, "complexity_rise", "completeness"},
    "with infinity": {*MAP_METRICS, *OF_SUBSETS, "complexity_rise", "completeness"},
}
"""The metrics that a degenerate first map leaves without a score. Curves take a map's order alone, whatever it is."""


def degenerate(kind: str) -> Maps:
    maps = {"zero": 0 * MAPS, "constant": 0 * MAPS + 0.1, "one pixel": 0 * MAPS, "negative": -MAPS.abs() - 0.1}
    result = maps.get(kind, MAPS.clone())
    result[:, 4, 5] = {"one pixel": 2.0, "with NaN": math.nan, "with infinity": -math.inf}.get(kind, result[:, 4, 5])
    return result


@every_metric
@pytest.mark.parametrize("kind", UNDEFINED)
def test_a_degenerate_map_has_a_score_only_where_it_has_a_meaning(entry: MetricEntry, kind: str) -> None:
    undefined = entry.name in UNDEFINED[kind]
    assert scores(entry, degenerate(kind)).isnan().tolist() == [undefined] * 16
    if entry.of == "two maps" and entry.name != "relative_change":
        assert scores(entry, MAPS, degenerate(kind)).isnan().tolist() == [undefined] * 16


@pytest.mark.parametrize("kind", UNDEFINED)
def test_a_relative_change_to_any_finite_map_has_a_value(kind: str) -> None:
    undefined = kind in {"with NaN", "with infinity"}
    assert METRICS["relative_change"](MAPS, degenerate(kind)).isnan().tolist() == [undefined] * 16


@every_metric
def test_an_empty_mask_leaves_no_score_and_a_full_one_only_where_all_lies_inside(entry: MetricEntry) -> None:
    empty, full = (torch.full_like(MASKS, value) for value in (False, True))
    needs_mask = entry.of == "map and mask"
    assert scores(entry, masks=empty).isnan().tolist() == [needs_mask] * 16
    assert scores(entry, masks=full).isnan().tolist() == [entry.name == "roc_auc"] * 16


@every_metric
@pytest.mark.parametrize("kind", ["signed", "not negative", "tied"])
def test_a_regular_map_has_a_score(entry: MetricEntry, kind: str) -> None:
    change: dict[str, Change] = {"signed": lambda x: x, "not negative": lambda x: x.clamp(min=0), "tied": torch.round}
    assert bool(scores(entry, change[kind](MAPS), change[kind](OTHERS)).isfinite().all())


def test_similarities_are_the_metrics_of_two_maps_that_are_larger_for_more_alike_maps() -> None:
    distances = {"mass_centre_shift", "relative_change", "sliced_w1"}
    assert set(SIMILARITIES) == {name for name, entry in METRICS.items() if entry.of == "two maps"} - distances
    assert {METRICS[name].better for name in distances} == {"lower"}


def test_metrics_stand_in_the_order_of_reports() -> None:
    kinds = [(get_args(Measured).index(entry.of), not entry.core) for entry in METRICS.values()]
    assert kinds == sorted(kinds)
    core = {"pearson", "ssim", "top_k_intersection", "coarse_pearson", "mass_centre_shift", "relative_change"}
    core |= {"pointing_game", "attribution_localisation", "sparseness"}
    core |= {"deletion", "insertion", "srg", "mu_fidelity", "single_deletion", "complexity_rise", "completeness"}
    assert {name for name, entry in METRICS.items() if entry.core} == core


@every_metric
def test_a_metric_says_what_its_score_is(entry: MetricEntry) -> None:
    categories = {"two maps": "similarity", "map and mask": "localisation", "map": "complexity"}
    categories |= dict.fromkeys(("curves", "subsets", "sum"), "faithfulness") | {"randomised": "randomisation"}
    assert entry.category == categories[entry.of]
    assert bool(entry.fill) is (entry.of in {"curves", "subsets"})
    assert bool(entry.design) is (entry.of == "subsets")
    assert entry.unit
    assert entry.reference or entry.note or entry.name == "pearson"
    assert entry.bounds[0] < entry.bounds[1]


# Perturbations.


QUICK = {
    "steps": 3,
    "num_iter_set": 3,
    "nb_iter": 3,
    "nb_sample": 4,
    "max_iterations": 10,
    "binary_search_steps": 4,
    "n_queries": 300,
    "N": 1,
    "m": 2,
    "restarts": 2,
    "gamma": 5e-4,
    "lam": 1.0,
    "relative_step": 0.5,
    "lr": 0.1,
    "noise_sd": 0.1,
}
"""Options that make an attack short."""


def perturbed(
    entry: PerturbationEntry, model: Model, samples: Samples, strength: float | None = None, seed: int = 0
) -> Images:
    options: dict[str, Any] = {"attributor": _attacked} if entry.attacks_attributor else {}
    options |= {name: value for name, value in QUICK.items() if name in entry.options}
    chosen = TRIED[entry.strength][entry.clean_where_it_fails] if strength is None else strength
    result = entry(model, samples, chosen, generators(len(samples.images), seed), **options)
    if entry.is_universal:
        options = {"attributor": _attacked, "displacement": result}
        result = entry.application()(model, samples, chosen, generators(len(samples.images), seed), **options)
    return result.images if isinstance(result, AttackResult) else result


_attacked: Attributor = saliency


@every_perturbation
@pytest.mark.parametrize("which", [0, 1], ids=["smaller", "larger"])
def test_perturbed_images_are_images_within_their_strength(entry: PerturbationEntry, which: int) -> None:
    samples, strength = demo_samples(N), TRIED[entry.strength][which]
    samples = replace(samples, images=0.99 * samples.images)  # no longer what 8 bits can say
    images = perturbed(entry, demo_model("vgg"), samples, strength)
    assert images.shape == samples.images.shape
    assert images.dtype == samples.images.dtype
    assert not images.requires_grad
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    moved = images - samples.images
    if which or not entry.clean_where_it_fails:
        assert bool(moved.any())
    sizes = {"L-inf": moved.abs().amax((1, 2, 3)), "L2": moved.flatten(1).norm(dim=1)}
    if entry.norm is not None:
        assert float(sizes[entry.norm].max()) <= strength * (1 + 1e-5)
        if bool(moved.any()) and not entry.smallest:
            assert float(sizes[entry.norm].max()) > strength / 2


@pytest.mark.parametrize("which", [0, 1], ids=["smaller", "larger"])
@pytest.mark.parametrize("entry", [e for e in PERTURBATIONS.values() if e.clean_where_it_fails], ids=lambda e: e.name)
def test_images_come_back_as_they_were_where_it_is_said_and_only_where_it_fails(
    entry: PerturbationEntry, which: int
) -> None:
    model, samples = demo_model("vgg"), demo_samples(N)
    images = perturbed(entry, model, samples, TRIED[entry.strength][which])
    assert torch.equal(model(samples.images).argmax(1), samples.label)
    fooled = model(images).argmax(1) != samples.label
    assert torch.equal((images != samples.images).flatten(1).any(1), fooled)


@every_perturbation
def test_a_perturbation_keeps_double_precision(entry: PerturbationEntry) -> None:
    model = Model(small(), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).double().eval()
    others, masks = uniform(N, 3, 15, 16, seed=1), uniform(N, 15, 16, seed=2) > 0.5
    samples = Samples(uniform(N, 3, 15, 16), classes(N), classes(N), others, classes(N), masks)
    assert perturbed(entry, model, samples).dtype == torch.float64


@every_perturbation
def test_a_perturbation_stays_on_the_device_of_its_images(entry: PerturbationEntry) -> None:
    """Played: no run on a GPU."""
    model = Model(small().float(), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).eval()
    images, masks = uniform(N, 3, 15, 16, dtype=torch.float32), uniform(N, 15, 16, seed=2) > 0.5
    label = model(images).argmax(1)
    samples = Samples(images, label, label, images.flip(0), label.flip(0), masks)
    expected = perturbed(entry, model, samples)
    with played_device() as device:
        images = perturbed(entry, deepcopy(model).to(device), _moved(samples, device))
        assert images.device == device
        assert torch.equal(images.cpu(), expected)


def _moved(samples: Samples, device: torch.device) -> Samples:
    return Samples(**{field.name: getattr(samples, field.name).to(device) for field in fields(samples)})


@every_perturbation
def test_a_perturbation_leaves_everything_as_found(entry: PerturbationEntry) -> None:
    model = Model(small().float(), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).train()
    model.network.get_submodule("branch").eval()
    samples = demo_samples(N)
    samples = replace(samples, label=classes(N), target=classes(N), target_images_target=classes(N))
    tensors = (samples.images, samples.label, samples.target, samples.target_images, samples.target_images_target)
    with left_as_found(model, *tensors):
        in_training = perturbed(entry, model, samples)
    with torch.no_grad(), left_as_found(model, *tensors):
        assert torch.equal(perturbed(entry, model, samples), in_training)
    assert torch.equal(perturbed(entry, model.eval(), samples), in_training)


@every_perturbation
def test_equal_streams_give_equal_images(entry: PerturbationEntry) -> None:
    model, samples = demo_model("vgg"), demo_samples(N)
    first, again, other = (perturbed(entry, model, samples, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    if entry.attacks_attributor and "restarts" in entry.budget:  # of which the first, which draws nothing, may be best
        return
    assert torch.equal(first, other) is not entry.stochastic


@pytest.mark.parametrize("entry", [e for e in PERTURBATIONS.values() if e.strength], ids=lambda entry: entry.name)
def test_strength_zero_changes_nothing(entry: PerturbationEntry) -> None:
    samples = demo_samples(N)
    assert torch.equal(perturbed(entry, demo_model("vgg"), samples, 0.0), samples.images)


@pytest.mark.parametrize("entry", [e for e in PERTURBATIONS.values() if e.access == "none"], ids=lambda e: e.name)
def test_what_does_not_search_changes_a_row_whatever_its_tile(entry: PerturbationEntry) -> None:
    model, samples = demo_model("vgg"), demo_samples(N)
    together = perturbed(entry, model, samples)
    strength = TRIED[entry.strength][0]
    alone = [entry(model, rows(samples, [k]), strength, generators(N)[k : k + 1]) for k in range(N)]
    assert torch.equal(torch.cat(alone), together)


@pytest.mark.slow
@every_perturbation
def test_access_is_white_box_where_the_network_matters(entry: PerturbationEntry) -> None:
    samples = demo_samples(N)
    same = torch.equal(perturbed(entry, demo_model("vgg"), samples), perturbed(entry, demo_model("resnet"), samples))
    assert same is (entry.access == "none")
