"""Facts about attacks of torchattacks for specs and reports. Nothing here imports torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any

from attacks.entries import Family, PerturbationEntry
from attacks.predictions.signatures import parameters

SET_BY_THE_ADAPTER = frozenset({"norm", "seed", "verbose", "n_classes"})
"""Parameters that the adapter sets: from the entry, the tile's random numbers and the network."""

LEAST_CLASSES = 2
"""The classes that any classifier has."""

RELATIVE_STEP = "relative_step"
"""Option in place of the library's absolute step: the step divided by the strength."""


@dataclass(frozen=True, kw_only=True)
class LibraryAttack(PerturbationEntry):
    """An attack of torchattacks. Its options are the library's parameters and defaults, except for the fields below.

    A step is an option relative to the strength, because a step for 8/255 fits no other strength.
    """

    library_class: str
    source: str = "attacks.predictions.library:adapt"
    family: Family = "attack on the prediction"
    goal: str = "any class but the label"
    radius: str = "eps"
    """Parameter of the library that takes the strength."""
    step: str = "alpha"
    """Parameter of the library that takes `relative_step` times the strength."""
    not_offered: tuple[str, ...] = ()
    """Parameters that the library ignores, or that are no single value."""
    own_defaults: Mapping[str, Any] = field(default_factory=dict)
    """Options without a default in the library, or whose default makes no attack or hides that it may be a fraction."""
    least_classes: int = LEAST_CLASSES
    stripes: bool = False
    """Whether it starts from stripes of a fifth of the height, which must fit into the image."""

    def load(self) -> Callable[..., Any]:
        """Import and return the attack itself."""
        module, adapter = self.source.split(":")
        loaded: Callable[..., Any] = getattr(import_module(module), adapter)(self)
        return loaded

    def misfit(self, shape: tuple[int, int, int], n_classes: int) -> str:
        """Return what an entry says, or that stripes do not fit into the image, or that there are too few classes."""
        _, height, width = shape
        if self.stripes and not _stripes_fit(height, width):
            return f"has stripes that do not fit into {height} x {width} pixels"
        if n_classes < self.least_classes:
            return f"takes {self.least_classes} classes or more, not {n_classes}"
        return super().misfit(shape, n_classes)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Return the keyword arguments that a spec may set, with their defaults."""
        offered = {name: default for name, default in self._parameters.items() if name not in self._not_options}
        return MappingProxyType({**offered, **self._relative_step, **self.own_defaults})

    @property
    def _parameters(self) -> Mapping[str, Any]:
        return parameters(self.library_class)

    @property
    def _relative_step(self) -> Mapping[str, float]:
        step, radius = (self._parameters.get(name) for name in (self.step, self.radius))
        return {} if step is None or radius is None else {RELATIVE_STEP: round(step / radius, 12)}

    @property
    def _not_options(self) -> frozenset[str]:
        return SET_BY_THE_ADAPTER | self.fixed.keys() | {self.radius, self.step, *self.not_offered}


def _stripes_fit(height: int, width: int) -> bool:
    """Return whether the first steps of Square in L2 stay inside the image."""
    stripe, margin = height // 5, height % 5 // 2
    return stripe > 0 and all(margin + side // stripe * stripe <= side for side in (height, width))
