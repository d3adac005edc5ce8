"""Entries of the registries: the name that a spec uses, facts, and a callable that is imported only when it is called.

Facts are read from the text of the sources where an import would import torch.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, partial
from importlib import import_module
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from srd.defaults import read_defaults


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One callable of a registry. A call of the entry imports and calls it."""

    name: str
    title: str
    """Title in reports."""
    source: str
    """`module:function`."""
    reference: str = ""
    """Paper or standard that defines the callable."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Allowed words of each option that is a word."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments that define the entry; a spec may not set them."""

    def load(self) -> Callable[..., Any]:
        """Import and return the callable itself."""
        loaded = self._import()
        return partial(loaded, **self.fixed) if self.fixed else loaded

    def _import(self) -> Callable[..., Any]:
        module, function = self.source.split(":")
        loaded: Callable[..., Any] = getattr(import_module(module), function)
        return loaded

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.load()(*args, **options)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Return the keyword arguments that a spec may set, with their defaults."""
        defaults = read_defaults(*self.source.split(":"))
        return MappingProxyType({name: value for name, value in defaults.items() if name not in self._not_options})

    @property
    def _not_options(self) -> frozenset[str]:
        return frozenset(self.fixed)


DeclaredRule = Literal["linear", "gate", "activation"]
"""A rule that the owner of a network may declare for an operation without a rule."""

Upsampling = Literal["bilinear", "nearest-exact"]
"""Interpolation modes, by their names in torch."""

Family = Literal["decomposition", "gradient", "class activation", "attention", "occlusion", "control"]
"""Families of attributors, in the order of reports."""

Law = Literal["conservation", "completeness", ""]
"""What a method claims of the sum of a map.

Conservation: with what is counted as lost, it is the relevance that went in. Completeness: it is the difference of the
logit from that of a baseline. "": nothing.
"""


@dataclass(frozen=True, kw_only=True)
class AttributorEntry(Entry):
    """An `Attributor`, and the facts that a report needs of it."""

    family: Family
    signed: bool
    upsampling: Upsampling | None = None
    """Enlargement of maps that have fewer positions than the inputs have pixels."""
    stochastic: bool = False
    differentiable: bool = True
    """Whether a white-box attack is possible: `create_graph` gives a useful gradient."""
    uses_network: bool = True
    uses_target: bool = True
    """Whether the method explains one class; else the map is the same for all classes."""
    networks: Literal["any", "transformers"] = "any"
    """Networks that the method can explain. In transformers, every layer has all tokens attend to all tokens."""
    law: Law = ""
    """The law that `srd.laws` checks."""
    balance: str = ""
    """`module:function` that returns a `Decomposition` by the same options, if the law is conservation."""
    cost: str
    """Cost in passes of the network."""
    layers: str = ""
    """`module:function` of the same method for the relevance of one `layer`, if it has relevance at every layer."""
    needs: tuple[str, ...] = ()
    """Keyword arguments that no spec sets: "encoder", "operations", "baseline", "background"."""
    estimate: str = ""
    """`module:function` with the same options that estimates the map from half of its gradients, at points drawn anew
    at each call, if the method sums gradients at many."""

    @property
    def low_resolution(self) -> bool:
        """Return whether the native maps have fewer positions than the inputs have pixels."""
        return self.upsampling is not None

    def load(self) -> Callable[..., Any]:
        """Return the method with maps at the resolution of the inputs."""
        if self.upsampling is None:
            return self.native()
        enlarged: Callable[..., Any] = import_module("srd.upsampling").at_input_resolution(
            self.native(), self.upsampling
        )
        return enlarged

    def native(self) -> Callable[..., Any]:
        """Return the method with maps at its own resolution."""
        return super().load()

    def load_estimate(self) -> Callable[..., Any]:
        """Import and return the function that `estimate` names."""
        return replace(self, source=self.estimate).load()

    def load_balance(self) -> Callable[..., Any]:
        """Import and return the function that `balance` names."""
        return Entry(name=self.name, title=self.title, source=self.balance, fixed=self.fixed).load()

    def _import(self) -> Callable[..., Any]:
        loaded: Callable[..., Any] = import_module("srd.targets").accept_any_target(super()._import())
        return loaded

    @property
    def _not_options(self) -> frozenset[str]:
        return frozenset({"create_graph", *self.needs, *self.fixed})


Measured = Literal["two maps", "map and mask", "map", "curves", "subsets", "randomised", "sum"]
"""Arguments of metrics, in the order of reports.

Two maps: (clean maps, other maps). Map and mask: (maps, masks). Map: (maps). The others take what a network answered.
Curves: the target's probability while pixels are removed, (the highest first, the lowest first), each (n, steps + 1).
Subsets: (sums of the map, drops of the target's logit) over subsets of the pixels, each (n, subsets). Randomised:
(clean maps, maps of the network with all layers re-drawn). Sum: (sums of the map, the target's logit, that of the black
image), each (n).
"""

Fill = Literal["blur", "black", "narrow_blur", "wide_blur", "mean"]
"""What stands in the place of removed pixels; `srd.removal.fills` makes it."""

Design = Literal["random", "cells", "sizes"]
"""Subsets of the cells of a grid: at random, each cell alone, or of fixed sizes; `srd.removal.subsets` makes them."""

Category = Literal["similarity", "localisation", "complexity", "faithfulness", "randomisation"]
"""The question that metrics answer.

How far a map moves, where it lies, how concentrated it is, whether the network's answer hangs on what it shows, and
whether the map hangs on the network's weights.
"""

Invariance = Literal[
    "positive scale of both", "positive scale of one", "shift", "increasing function", "negation", "permutation"
]
"""Changes of the maps that leave a score as it is.

Positive scale of both: both maps times one positive number. Positive scale of one: any map times a positive number of
its own. Shift: a number of its own is added to each map. Increasing function: each map goes through one of its own.
Negation: all maps times -1. Permutation: the pixels of all maps, and of the mask, change places alike.
"""


@dataclass(frozen=True, kw_only=True)
class MetricEntry(Entry):
    """A score of one map, of two maps of one image, or of a map and what the network answered."""

    of: Measured
    fill: Fill | Literal[""] = ""
    """What removed pixels are filled with, of metrics of curves or subsets."""
    design: Design | Literal[""] = ""
    """The subsets, of metrics of subsets."""
    category: Category
    unit: str
    """The quantity that the score is, in words."""
    better: Literal["higher", "lower"] | None
    """The direction that speaks for a method; of two maps, that of more similar ones."""
    bounds: tuple[float, float]
    """The range of the score; it may be infinite."""
    is_rate: bool = False
    """Whether the score is 0 or 1 for each map, so that its mean is a share of images."""
    core: bool = False
    """Whether tables and figures of reports show it; the others are in the files."""
    symmetric: bool = False
    """Whether the two maps may be exchanged."""
    invariances: tuple[Invariance, ...] = ()
    """All of them that hold."""
    needs_sign: bool = False
    """Whether it is undefined for methods whose maps have no sign."""
    note: str = ""
    """What a reader of the score must know: ties, resolution, and where it deviates from its source."""

    @property
    def asks_network(self) -> bool:
        """Return whether the score needs answers of the network beside the stored maps."""
        return self.of not in {"two maps", "map and mask", "map"}


E = TypeVar("E", bound=Entry)


class Registry(Mapping[str, E]):
    """Entries by name, read-only, in the order given. This is the order of reports.

    A name that is not there is answered by a KeyError with the names that are close to it.
    """

    def __init__(self, *entries: E) -> None:
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> E:
        if name not in self._entries:
            close = get_close_matches(str(name).lower(), self._entries, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(self._entries)}"
            raise KeyError(f"no entry is called {name!r}; {hint}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._entries)})"


class Attributors(Registry[AttributorEntry]):
    """The given entries by name, and `method@layer` for the relevance that an entry's `layers` finds at any layer.

    An iteration yields the given entries alone, in the order of reports.
    """

    def __getitem__(self, name: str) -> AttributorEntry:
        method, at, layer = str(name).partition("@")
        entry = super().__getitem__(method)
        if not at:
            return entry
        if not entry.layers or not layer:
            able = ", ".join(f"{each.name}@LAYER" for each in self._entries.values() if each.layers)
            raise KeyError(f"no entry is called {name!r}; relevance at a layer has {able}, LAYER a module's name")
        return replace(
            entry,
            name=name,
            title=f"{entry.title} at {layer}",
            source=entry.layers,
            fixed={**entry.fixed, "layer": layer},
            upsampling="nearest-exact",
            law="",
        )


def read_entries(folder: Path, kind: type[E]) -> Iterator[E]:
    """Read the `ENTRY = KIND(...)` of every module of a folder, in the order of file names.

    The arguments of each entry are literals, in which `inf` stands for infinity.
    """
    for file in sorted(folder.glob("[!_]*.py")):
        facts = [
            fact
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            for fact in _read_facts(node, kind.__name__)
        ]
        if not facts:
            raise ValueError(f"{file}: states no ENTRY = {kind.__name__}(...)")
        yield kind(**{str(fact.arg): ast.literal_eval(_Infinite().visit(fact.value)) for fact in facts})


def _read_facts(node: ast.stmt, kind: str) -> list[ast.keyword]:
    match node:
        case ast.Assign(targets=[ast.Name(id="ENTRY")], value=ast.Call(func=ast.Name(id=name), keywords=facts)):
            return facts if name == kind else []
    return []


class _Infinite(ast.NodeTransformer):
    """Replaces the name `inf` by its value, which no literal of Python is."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(inf) if node.id == "inf" else node
