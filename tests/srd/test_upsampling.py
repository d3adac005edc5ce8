"""Methods with fewer positions than the inputs have pixels: their own maps, and those at the size of the inputs."""

import pytest
import torch
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, demo_transformer, generators, normal, small

from srd.entries import AttributorEntry
from srd.layers import relevance
from srd.registry import ATTRIBUTORS
from srd.upsampling import upsample

COARSE = [entry for entry in ATTRIBUTORS.values() if entry.low_resolution]
every_coarse_method = pytest.mark.parametrize("entry", COARSE, ids=lambda entry: entry.name)


@every_coarse_method
def test_maps_are_the_methods_own_upsampled(entry: AttributorEntry) -> None:
    network = demo_transformer(0) if entry.networks == "transformers" else demo_network("resnet")
    inputs, target = demo_inputs(2)
    own = entry.native()(network, inputs, target, generators(2))
    assert own.shape == (2, 6, 6)
    expected = functional.interpolate(own[:, None], (48, 48), mode="bilinear", align_corners=False)[:, 0]
    assert torch.equal(entry(network, inputs, target, generators(2)), expected)


@pytest.mark.parametrize(
    "entry", [e for e in ATTRIBUTORS.values() if not e.low_resolution], ids=lambda entry: entry.name
)
def test_other_methods_have_a_value_for_every_pixel(entry: AttributorEntry) -> None:
    assert entry.native()(small(), normal(1, 3, 6, 9), classes(1), generators(1)).shape == (1, 6, 9)


def test_at_a_layer_every_position_is_as_large_as_it_is() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(2)
    own = relevance(network, inputs, target, ["layer3"])["layer3"]
    entry = ATTRIBUTORS["srd@layer3"]
    assert torch.equal(entry.native()(network, inputs, target), own)
    assert torch.equal(entry(network, inputs, target), own.repeat_interleave(8, 1).repeat_interleave(8, 2))


def test_upsampling_does_not_align_corners() -> None:
    maps = torch.tensor([[[0.0, 4.0]]])
    torch.testing.assert_close(upsample(maps, (1, 4)), torch.tensor([[[0.0, 1.0, 3.0, 4.0]]]))
    assert upsample(maps, (2, 4), "nearest-exact").tolist() == [[[0, 0, 4, 4]] * 2]
