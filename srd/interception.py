"""One forward pass of an unmodified network, seen operation by operation.

A `TorchFunctionMode` sees functional, method and module calls alike, in place or not, without tracing the network or
replacing its modules. `Rules` decide what becomes of an activation or an affine map; the rest keeps its own backward.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from srd import operations
from srd.affine import Affine, batch_norm_affine, convolution
from srd.encoder import Activation, Landmarks
from srd.errors import UnsupportedOperation
from srd.operations import Arguments, Function, Keywords


class Rules(Protocol):
    """What to make of the output of an operation; the order number says how far up the network it stands."""

    def activation(self, order: int, before: Tensor, after: Tensor) -> Tensor:
        """What stands for `after` = phi(`before`), both (n, c, h, w)."""
        ...

    def affine(self, order: int, affine: Affine, inputs: Tensor, outputs: Tensor) -> Tensor:
        """What stands for `outputs` = affine(`inputs`)."""
        ...

    def constant(self, order: int, outputs: Tensor, constant: Tensor) -> Tensor:
        """What stands for `outputs`, of which `constant` does not depend on the network's inputs."""
        ...


class NoRules:
    """Leaves every operation as it is: the ordinary gradient."""

    def activation(self, order: int, before: Tensor, after: Tensor) -> Tensor:
        return after

    def affine(self, order: int, affine: Affine, inputs: Tensor, outputs: Tensor) -> Tensor:
        return outputs

    def constant(self, order: int, outputs: Tensor, constant: Tensor) -> Tensor:
        return outputs


@dataclass(frozen=True)
class _AffineOutput:
    """An affine map's plain output beside what made it, for a batch norm that may follow."""

    affine: Affine
    inputs: Tensor
    plain: Tensor


class Interception(TorchFunctionMode):
    """Records the forward pass of one batch and applies `rules` on the way.

    In-place operations write to new tensors, which then stand for the old ones. An operation that is not known is
    remembered, and refused by `decomposable_encoder` if it stands where it matters.
    """

    def __init__(self, inputs: Tensor, rules: Rules) -> None:
        super().__init__()
        self._rules = rules
        self._order = 0
        self._current = WeakTensorKeyDictionary()
        self._affine = WeakTensorKeyDictionary()
        self._constants = WeakTensorKeyDictionary()
        self._tracked = WeakTensorKeyDictionary()
        self._parts = WeakTensorKeyDictionary()
        self._rearranged = WeakTensorKeyDictionary()
        self._rewritten: dict[int, int] = {}
        self._landmarks = Landmarks()
        self._tracked[inputs] = 0

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        args, kwargs = tree_map(self._current_value, (args, kwargs or {}))
        tensors = _tensors((args, kwargs))
        self._refuse_hidden(tensors)
        self._refuse_stale(tensors)
        if not any(tensor in self._tracked for tensor in tensors):
            return self._remember_constants(func(*args, **kwargs))
        self._order += 1
        self._landmarks.operation(self._order, frozenset(self._tracked[t] for t in tensors if t in self._tracked))
        plain, args, kwargs, mutated = operations.out_of_place(func, args, kwargs)
        if operations.name_of(plain) == "__setitem__" or (mutated is not None and mutated in self._parts):
            raise UnsupportedOperation(f"{operations.full_name(func)} writes into a part of a tensor in place")
        result = self._apply(plain, args, kwargs)
        self._track(operations.name_of(plain), tensors, _tensors(result))
        if mutated is not None and result is not mutated:  # dropout in evaluation mode returns what it is given
            self._current[mutated] = result
            self._rewritten[_address(mutated)] = self._order
        return result

    def encoder(self, logits: Tensor) -> Activation:
        """The encoder's last activation, above which the head begins; raises as `Landmarks.encoder` does.

        Also raises UnsupportedOperation where `logits` do not come from the inputs.
        """
        return self._landmarks.encoder(logits, self._order_of(logits))

    def decomposable_encoder(self, logits: Tensor) -> Activation:
        """The same, of a network that rules can decompose; raises as `Landmarks.refuse_unless_decomposable` does."""
        encoder = self.encoder(logits)
        self._landmarks.refuse_unless_decomposable(encoder, self._order_of(logits))
        return encoder

    def naming(self, network: nn.Module, name: str | None) -> AbstractContextManager[None]:
        """While the context is open, the last activation run by the module called `name` is taken for the encoder's."""
        return self._landmarks.naming(network, name)

    def _order_of(self, logits: Tensor) -> int:
        if logits not in self._tracked:
            raise UnsupportedOperation("the logits come from an operation that cannot be seen (compiled or scripted?)")
        return int(self._tracked[logits])

    def _current_value(self, leaf: Any) -> Any:
        while isinstance(leaf, Tensor) and leaf in self._current:
            leaf = self._current[leaf]
        return leaf

    def _refuse_hidden(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            if tensor.grad_fn is not None and tensor not in self._tracked and tensor not in self._constants:
                raise UnsupportedOperation(f"{tensor.grad_fn.name()} was made by an operation that cannot be seen")

    def _refuse_stale(self, tensors: list[Tensor]) -> None:
        """Another view of what an in-place operation wrote to still holds the old values here."""
        for tensor in tensors:
            if self._is_tracked(tensor) and self._tracked[tensor] < self._rewritten.get(_address(tensor), 0):
                raise UnsupportedOperation("a tensor that was written in place is read through another view of it")

    def _remember_constants(self, result: Any) -> Any:
        self._constants.update(dict.fromkeys(_tensors(result), True))
        return result

    def _track(self, name: str, read: list[Tensor], made: list[Tensor]) -> None:
        is_rearranged = self._is_rearranged(name, read, made)
        for tensor in made:
            self._tracked[tensor] = self._order
            if name in operations.PARTS:
                self._parts[tensor] = True
            if is_rearranged:
                self._rearranged[tensor] = True

    def _is_rearranged(self, name: str, read: list[Tensor], made: list[Tensor]) -> bool:
        """Whether axis 1 of the result may not hold the channels that a convolution has put there."""
        if name in {"conv2d", "batch_norm"}:
            return False
        if name in operations.MOVES or any(tensor in self._rearranged for tensor in read):
            return True
        before = max((tensor for tensor in read if tensor in self._tracked), key=Tensor.dim)
        return any(
            after.dim() != before.dim() or (name in operations.RESHAPES and after.shape[:2] != before.shape[:2])
            for after in made
        )

    def _apply(self, function: Function, args: Arguments, kwargs: Keywords) -> Any:
        name = operations.name_of(function)
        if not torch.is_grad_enabled():
            result = function(*args, **kwargs)
            self._remember_unknown(f"{operations.full_name(function)} where gradients are off", result)
            return result
        if name in operations.ACTIVATIONS:
            return self._activation(function, args, kwargs)
        if name == "conv2d":
            return self._conv2d(function, *args, **kwargs)
        if name == "batch_norm":
            return self._batch_norm(function, *args, **kwargs)
        result = function(*args, **kwargs)
        if self._is_linear(name, args, kwargs):
            return self._with_constant(function, args, kwargs, result)
        self._remember_unknown(operations.full_name(function), result)
        return result

    def _remember_unknown(self, name: str, result: Any) -> None:
        self._landmarks.unknown(self._order, name, _tensors(result))

    def _is_linear(self, name: str, args: Arguments, kwargs: Keywords) -> bool:
        if name in operations.IDENTITY_IN_EVALUATION:
            return not (args[2] if len(args) > 2 else kwargs.get("training", True))
        if name in operations.BILINEAR:
            depends = [self._is_tracked(a) for a in (*args, *kwargs.values())]
            rounds = kwargs.get("rounding_mode") is not None
            return sum(depends) == 1 and (depends[0] or name not in operations.DIVISIONS) and not rounds
        return name in operations.LINEAR

    def _activation(self, function: Function, args: Arguments, kwargs: Keywords) -> Tensor:
        before = args[0] if args else kwargs["input"]
        after = function(*args, **kwargs)
        if before.dim() == 4 and before not in self._rearranged:
            after = self._rules.activation(self._order, before, after)
            self._landmarks.activation(self._order, after)
        else:
            where = " on axes that were moved" if before.dim() == 4 else ""
            self._remember_unknown(operations.full_name(function) + where, after)
        return after  # type: ignore[no-any-return]

    def _conv2d(
        self,
        function: Function,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, int] = 1,
        padding: int | str | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
    ) -> Tensor:
        if weight in self._tracked:
            raise UnsupportedOperation("torch.conv2d with a kernel that depends on the input")
        inputs, affine = convolution(input, weight, bias, stride, padding, dilation, groups)
        plain = function(inputs, weight, bias, affine.stride, affine.padding, affine.dilation, groups)
        return self._affine_output(affine, inputs, plain)

    def _batch_norm(
        self,
        function: Function,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if training or running_mean is None or running_var is None or input.dim() != 4:
            result = function(input, running_mean, running_var, weight, bias, training, momentum, eps)
            self._remember_unknown("torch.nn.functional.batch_norm over the batch's own statistics", result)
            return result  # type: ignore[no-any-return]
        scale, shift = batch_norm_affine(running_mean, running_var, weight, bias, eps)
        made_by = self._affine.get(input)
        inputs, plain = (made_by.inputs, made_by.plain) if made_by else (input, input)
        affine = (
            made_by.affine.followed_by(scale, shift)
            if made_by
            else Affine(scale[:, None, None, None], shift, groups=len(scale))
        )
        outputs = function(plain, running_mean, running_var, weight, bias, training, momentum, eps)
        return self._affine_output(affine, inputs, outputs)

    def _affine_output(self, affine: Affine, inputs: Tensor, plain: Tensor) -> Tensor:
        output = self._rules.affine(self._order, affine, inputs, plain)
        self._affine[output] = _AffineOutput(affine, inputs, plain)
        return output

    def _with_constant(self, function: Function, args: Arguments, kwargs: Keywords, result: Any) -> Any:
        """Counts what a constant that is added, joined or padded with contributes: no pixel is its source."""
        if not isinstance(result, Tensor) or not self._adds_constant(function, args, kwargs):
            return result
        args, kwargs = tree_map(lambda a: torch.zeros_like(a) if self._is_tracked(a) else a, (args, kwargs))
        return self._rules.constant(self._order, result, function(*args, **kwargs).detach())

    def _adds_constant(self, function: Function, args: Arguments, kwargs: Keywords) -> bool:
        name = operations.name_of(function)
        if name == "pad":
            return bool((args[3] if len(args) > 3 else kwargs.get("value")) or 0)
        if name in operations.JOINS:
            return any(isinstance(leaf, Tensor) and not self._is_tracked(leaf) for leaf in tree_leaves((args, kwargs)))
        operands = (*args, *kwargs.values())[:2]
        return name in operations.SUMS and not all(map(self._is_tracked, operands))

    def _is_tracked(self, leaf: Any) -> bool:
        return isinstance(leaf, Tensor) and leaf in self._tracked


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
