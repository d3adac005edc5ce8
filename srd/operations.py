"""Facts about torch's operations: which are activations, which are linear, and how to call them out of place."""

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import _get_current_function_mode_stack, resolve_name

from srd.errors import UnsupportedOperation

Function = Callable[..., Any]
Arguments = tuple[Any, ...]
Keywords = dict[str, Any]

ACTIVATIONS = frozenset(
    "relu relu6 hardtanh leaky_relu prelu rrelu elu celu selu silu gelu hardswish mish softplus tanh sigmoid "
    "hardsigmoid clamp clamp_min clamp_max clip threshold _threshold logsigmoid softsign softshrink hardshrink "
    "tanhshrink maximum minimum".split()
)
"""Elementwise functions after which a pointwise feature vector is read."""

EXTREMES = frozenset("max min".split())
"""Operations that are `maximum` and `minimum` if they read two tensors."""

COMMUTATIVE = EXTREMES | frozenset("maximum minimum".split())
"""Activations that may read the constant, such as 0, first."""

SELECTIONS = frozenset("where masked_fill".split())
"""Operations that choose elements by a mask."""

COMPARISONS = frozenset(
    "gt ge lt le ne eq greater greater_equal less less_equal not_equal isfinite isnan signbit heaviside sign sgn "
    "logical_and logical_or logical_xor logical_not __and__ __or__ __xor__ __invert__ bool".split()
)
"""Elementwise operations that make masks."""

ELEMENTWISE = COMPARISONS | frozenset(
    "neg negative __neg__ abs absolute square sqrt rsqrt pow __pow__ reciprocal exp exp2 expm1 log log2 log1p erf "
    "sin cos atan mul div true_divide __mul__ __rmul__ __truediv__ __rdiv__ __rtruediv__ add sub rsub __add__ __radd__ "
    "__sub__ __rsub__ to type type_as float double clone contiguous".split()
)
"""Operations of which an activation may be written out: each number of the result is made at its own place."""

WEIGHTS = frozenset("sigmoid hardsigmoid softmax affine_grid".split())
"""Functions whose results gates, attention and samplers apply to features. There these results are held constant."""

LINEAR = frozenset(
    "add sub rsub neg __add__ __radd__ __sub__ __rsub__ __neg__ mean sum cat concat concatenate stack "
    "flatten unflatten view view_as reshape reshape_as permute transpose swapaxes swapdims movedim squeeze unsqueeze "
    "contiguous clone expand expand_as repeat chunk split narrow select unbind __getitem__ pad roll flip "
    "channel_shuffle pixel_shuffle pixel_unshuffle avg_pool2d adaptive_avg_pool2d max_pool2d max_pool2d_with_indices "
    "adaptive_max_pool2d adaptive_max_pool2d_with_indices to type_as float double __setitem__".split()
)
"""Operations that are linear in the tensors they read, or route them (max pooling). Each keeps its backward pass."""

SUMS = frozenset("add sub rsub __add__ __radd__ __sub__ __rsub__".split())
"""Operations of LINEAR that may add a constant."""

JOINS = frozenset("cat concat concatenate stack".split())
"""Operations of LINEAR that may join a constant to what depends on the network's input."""

MATRIX_PRODUCTS = frozenset("matmul __matmul__ mm bmm einsum".split())
"""Operations that mix the positions or the channels of one operand by the other operand."""

BILINEAR = MATRIX_PRODUCTS | frozenset("mul div true_divide __mul__ __rmul__ __truediv__".split())
"""Operations that are linear if only one operand depends on the network's input and is not held constant."""

DIVISIONS = frozenset("div true_divide __truediv__".split())
"""Operations that are linear in the first operand only."""

PRODUCTS = frozenset("mul __mul__ __rmul__".split())
"""Elementwise products of BILINEAR."""

MIXTURES = MATRIX_PRODUCTS | frozenset(
    "softmax log_softmax normalize rms_norm local_response_norm conv1d conv3d conv_transpose1d conv_transpose2d "
    "conv_transpose3d interpolate upsample grid_sample grid_sampler affine_grid max_unpool2d unfold fold".split()
)
"""Operations without a rule that mix positions or channels, so that none of them is an activation."""

REDUCTIONS = frozenset("lp_pool2d norm var std".split())
"""Operations without a rule that mix positions or channels if they make fewer numbers than they read.

Of one number each, a norm is the absolute value.
"""

POOLINGS_BY_SIZE = frozenset(
    "max_pool2d max_pool2d_with_indices adaptive_max_pool2d adaptive_max_pool2d_with_indices".split()
)
"""Operations of LINEAR that pool over the positions of images, or are an activation of what was stacked."""

EXTREMES_OF_AXES = frozenset("amax amin logsumexp".split())
"""Operations without a rule that pool over the positions of images, or are an activation of what was stacked."""

IDENTITY_IN_EVALUATION = frozenset("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout".split())

REARRANGING = frozenset(
    "flatten unflatten view view_as reshape reshape_as permute transpose swapaxes swapdims movedim squeeze unsqueeze "
    "expand expand_as chunk split narrow select unbind __getitem__".split()
)
"""Operations that may move the channels to other axes."""

WRITES = frozenset({"__setitem__"})
"""Operations of LINEAR that write numbers, which may be constant, into a tensor, which may be constant."""

INSPECTIONS = frozenset(
    {Tensor.dim, Tensor.size, *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device"))}
)
"""Operations that read properties of a tensor which do not depend on its elements."""

DEPARTURES = frozenset("numpy __array__ tolist __dlpack__ untyped_storage storage data_ptr".split())
"""Operations that give the numbers of a tensor to code that is not torch's."""

ARRIVALS = frozenset("tensor as_tensor asarray new_tensor".split())
"""Operations that make a tensor of numbers from code that is not torch's."""

SHAPED = frozenset("new_zeros new_ones new_full new_empty zeros_like ones_like full_like empty_like".split())
"""Operations that take no more than a shape or a type from what they read."""

LIKE = frozenset("expand_as view_as reshape_as type_as to".split())
"""Operations that take no more than a shape or a type from all but their first argument."""


def name_of(function: Function) -> str:
    """Return the bare name, which is the same for `torch.add`, `Tensor.add` and `Tensor.add_`."""
    name: str = function.__name__
    return name.removesuffix("_") if _ends_in_place(name) else name


def full_name(function: Function) -> str:
    """Return the name that a user would look up."""
    if function is __setitem__:
        return "torch.Tensor.__setitem__"
    return resolve_name(function) or repr(function)


def under_these_modes(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the function so that it always runs under the present function modes, such as the mode of a surrogate."""
    modes = _get_current_function_mode_stack()  # torch has no public name for it
    if not modes:
        return function

    def under_modes(tensor: Tensor) -> Tensor:
        at_work = _get_current_function_mode_stack()
        with ExitStack() as stack:
            for mode in modes:
                if all(mode is not other for other in at_work):
                    stack.enter_context(mode)
            return function(tensor)

    return under_modes


def out_of_place(
    function: Function, args: Arguments, kwargs: Keywords
) -> tuple[Function, Arguments, Keywords, Tensor | None]:
    """Return the same call without a change of its arguments, and the tensor to which it would have written."""
    if function.__name__ in _WRITERS:
        return *_WRITERS[function.__name__](*args, **kwargs), args[0]
    if _ends_in_place(function.__name__):
        return _namesake(function), args, kwargs, args[0]
    if not _has_inplace(function):
        return function, args, kwargs, None
    if "inplace" in kwargs and args:
        return function, args, kwargs | {"inplace": False}, args[0] if kwargs["inplace"] else None
    bound = inspect.signature(function).bind(*args, **kwargs)
    mutated = next(iter(bound.arguments.values())) if bound.arguments.get("inplace") else None
    bound.arguments["inplace"] = False
    return function, bound.args, bound.kwargs, mutated


def _fill_by_mask_or_write(target: Tensor, index: Any, value: Any) -> tuple[Function, Arguments, Keywords]:
    """Return the call that makes what `target[index] = value` makes of the target."""
    is_mask = isinstance(index, Tensor) and index.dtype == torch.bool and index.shape == target.shape
    if is_mask and not (isinstance(value, Tensor) and value.dim()):
        return Tensor.masked_fill, (target, index, value), {}
    return __setitem__, (target, index, value), {}


def _write_all(target: Tensor, src: Tensor, non_blocking: bool = False) -> tuple[Function, Arguments, Keywords]:
    return __setitem__, (target, ..., src), {}


_WRITERS: dict[str, Callable[..., tuple[Function, Arguments, Keywords]]] = {
    "__setitem__": _fill_by_mask_or_write,
    "copy_": _write_all,
}
"""What is written into a tensor, as a call that makes another tensor."""


def __setitem__(target: Tensor, index: Any, value: Any) -> Tensor:  # noqa: N807  named as the method in messages
    """Return the tensor that `target` would be after `target[index] = value`."""
    written = target.clone()
    written[index] = value
    return written


def _ends_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


@cache
def _has_inplace(function: Function) -> bool:
    return inspect.isfunction(function) and "inplace" in inspect.signature(function, follow_wrapped=False).parameters


def _namesake(function: Function) -> Function:
    name = function.__name__.removesuffix("_")
    homes = (Tensor,) if inspect.ismethoddescriptor(function) else (functional, torch)
    for home in homes:
        if callable(getattr(home, name, None)):
            return getattr(home, name)  # type: ignore[no-any-return]
    raise UnsupportedOperation(
        f"{full_name(function)} writes in place and nothing does the same out of place; leave it out"
    )
