"""Maps are packed exactly but for the rounding of float16."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.store.packing import pack, unpack

HALF = 2.0**-11
"""Relative rounding error of float16."""


def maps(scale: float, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(3, 2, 8, 8))
    return (scale * drawn).astype(np.float32)


@given(st.floats(-30, 30), st.integers(0, 99))
def test_packing_keeps_maps_of_any_size_to_float16(exponent: float, seed: int) -> None:
    original = maps(10.0**exponent, seed)
    values, scale = pack(original)
    restored = unpack(values, scale)
    largest = np.abs(original).max((-2, -1), keepdims=True)
    assert values.dtype == np.float16
    assert scale.dtype == np.float32
    assert (np.abs(restored - original) <= HALF * np.abs(original) + 2.0**-25 * largest).all()


@given(st.floats(-30, 30))
def test_the_scale_is_a_power_of_two_that_brings_the_largest_value_to_1_or_more(exponent: float) -> None:
    values, scale = pack(maps(10.0**exponent))
    assert (np.frexp(scale)[0] == 0.5).all()
    largest = np.abs(values).max((-2, -1))
    assert ((largest >= 1) & (largest <= 2)).all()


def test_a_tiny_map_is_not_lost() -> None:
    original = maps(1e-6)
    assert (original.astype(np.float16) == 0).any()
    values, scale = pack(original)
    assert (values != 0).all()
    np.testing.assert_allclose(unpack(values, scale), original, rtol=1e-3, atol=1e-9)


def test_a_map_of_zeros_stays_one() -> None:
    values, scale = pack(np.zeros((2, 4, 4), np.float32))
    assert (values == 0).all()
    assert (scale == 1).all()


def test_packing_a_packed_map_changes_nothing() -> None:
    values, scale = pack(maps(3e-5))
    again, scale_again = pack(unpack(values, scale))
    assert values.tobytes() == again.tobytes()
    assert scale.tobytes() == scale_again.tobytes()


def test_each_map_has_a_scale_of_its_own() -> None:
    values, scale = pack(np.stack([maps(1.0), maps(1e-6)]))
    assert (scale[0] > 1e4 * scale[1]).all()
    assert values.shape[:3] == scale.shape


def test_a_map_that_is_not_finite_is_stored_as_it_is() -> None:
    broken = np.array([[[1.0, np.nan]], [[np.inf, -2.0]]], np.float32)
    values, scale = pack(broken)
    assert scale.tolist() == [1, 1]
    np.testing.assert_array_equal(values.astype(np.float32), broken)
