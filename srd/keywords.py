"""Functions that read their options from one frozen object, while their callers pass them as keywords."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from torch import nn

from srd.types import AnyTarget, Generators, Inputs, Maps, Target

Keywords = ParamSpec("Keywords")
Options = TypeVar("Options")
Result = TypeVar("Result")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


class Explains(Protocol[Keywords]):
    """An `Attributor` with keywords of its own."""

    def __call__(
        self,
        network: nn.Module,
        inputs: Inputs,
        target: AnyTarget,
        generators: Generators | None = None,
        *args: Keywords.args,
        **options: Keywords.kwargs,
    ) -> Maps: ...


class takes(Generic[Keywords, Options]):  # noqa: N801  # a decorator
    """Decorator: turn the fields of the class `options` into keywords of a function.

    The first argument of the function is an object of this class. The overloads tell a type checker that all else stays
    as the function has it. They cover attributors, and functions of three to five other arguments.
    """

    def __init__(self, options: Callable[Keywords, Options]) -> None:
        self._options: Callable[..., Options] = options

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a function of four arguments is an attributor, if it fits
        self, function: Callable[[Options, nn.Module, Inputs, Target, Generators | None], Maps]
    ) -> Explains[Keywords]: ...
    @overload
    def __call__(
        self, function: Callable[[Options, A, B, C], Result]
    ) -> Callable[Concatenate[A, B, C, Keywords], Result]: ...
    @overload
    def __call__(
        self, function: Callable[[Options, A, B, C, D], Result]
    ) -> Callable[Concatenate[A, B, C, D, Keywords], Result]: ...
    @overload
    def __call__(
        self, function: Callable[[Options, A, B, C, D, E], Result]
    ) -> Callable[Concatenate[A, B, C, D, E, Keywords], Result]: ...

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        keywords = inspect.signature(self._options).parameters

        @wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            chosen = {name: given.pop(name) for name in keywords if name in given}
            return function(self._options(**chosen), *args, **given)

        _, *arguments = inspect.signature(function).parameters.values()
        signature = inspect.Signature(
            [*arguments, *keywords.values()], return_annotation=function.__annotations__["return"]
        )
        call.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect
        return call
