"""A smooth surrogate of ReLU, which gives attacks on explanations a gradient (Dombrowski et al. 2019)."""

from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from srd import operations
from srd.operations import Arguments, Function, Keywords


class softplus(TorchFunctionMode):  # noqa: N801  a context manager, used as a verb
    """Context in which `relu` is softplus with sharpness `beta`, also in activations that are made of two ReLUs.

    These are `relu6`, `hardtanh` and `hardsigmoid`. Other activations, such as `clamp` and `leaky_relu`, stay as they
    are.
    """

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if operations.name_of(func) not in {"relu", "relu6", "hardtanh", "hardsigmoid"}:
            return func(*args, **kwargs)
        _, args, kwargs, mutated = operations.out_of_place(func, args, kwargs)
        if mutated is None:
            return self._smooth(operations.name_of(func), *args, **kwargs)
        return mutated.copy_(self._smooth(operations.name_of(func), mutated.clone(), *args[1:], **kwargs))

    def _smooth(
        self, name: str, input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
    ) -> Tensor:
        if name == "relu":
            return functional.softplus(input, self.beta)
        if name == "hardsigmoid":
            return self._smooth("relu6", input + 3) / 6
        low, high = (0.0, 6.0) if name == "relu6" else (min_val, max_val)
        rising = low + functional.softplus(input - low, self.beta)
        return rising - functional.softplus(input - high, self.beta)
