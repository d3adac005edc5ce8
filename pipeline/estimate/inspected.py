"""The facts about a network before any audit, as plain data: they come from a process that imports torch."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.spec.audit import ExplainSpec, RunSpec
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec


@dataclass(frozen=True)
class Question:
    """A network to look at, with or without data."""

    model: ModelSpec
    data: DataSpec | None
    explain: ExplainSpec
    """The methods that are tried."""
    run: RunSpec
    base: Path
    """The folder at which relative paths start."""
    trusted: tuple[Path, ...] = ()
    """The files of weights whose code may run."""


@dataclass(frozen=True)
class Reading:
    """One step from an image in [0, 1] to what the network reads."""

    key: str
    value: str
    origin: str
    """Who says so."""


@dataclass(frozen=True)
class Layer:
    """A module without modules in it that a pass runs."""

    name: str
    kind: str
    shape: tuple[int, ...]
    """The shape of its output for one image; () if it is no tensor."""
    parameters: int


@dataclass(frozen=True)
class Operation:
    """A torch function with its rule of relevance."""

    name: str
    rule: str
    in_encoder: bool
    calls: int


@dataclass(frozen=True)
class Encoder:
    """The end of the encoder, as SRD finds it."""

    module: str
    """The module that returns it; "" if none does."""
    shape: tuple[int, ...]
    refusal: str
    """Why SRD cannot decompose the network; "" if it can."""


@dataclass(frozen=True)
class Output:
    """The answer of the network to an image."""

    kind: str
    """`logits`, or what they are instead."""
    n: int
    part: str
    """The part that is read, where there are several."""
    remedy: dict[str, bool | str]
    """Keys of [model] that make logits of it, where it is none as it is."""


@dataclass(frozen=True)
class Method:
    """A method that was tried on the first image."""

    name: str
    seconds: float | None
    """The seconds of one map; None if there is none."""
    is_measured: bool
    """Whether the seconds are those of a map; else they follow from the number of passes."""
    resolution: tuple[int, ...] = ()
    """Rows and columns of its own map."""
    law: str = ""
    """What the check of its law found; "" if it states none, or if the check would take long."""
    refusal: str = ""


@dataclass(frozen=True)
class Inspection:
    """The facts about a network, and about data if there are any."""

    model: ModelSpec
    """What was asked for, with the preprocessing of the weights."""
    parameters: int
    is_random: bool
    """Whether the weights are drawn at random, as none are named and none are at hand."""
    weights_digest: str
    input_shape: tuple[int, ...]
    input_origin: str
    reading: tuple[Reading, ...]
    layers: tuple[Layer, ...]
    encoder: Encoder
    operations: tuple[Operation, ...]
    output: Output
    data: str
    """The images in words."""
    n_images: int
    correct: int | None
    """The number of images that are classified as labelled; None without data, or if the network was refused."""
    self_checks: dict[str, str]
    methods: tuple[Method, ...]
    notes: tuple[str, ...]
    refusal: str
    """Why no audit can be made; "" if one can."""
    machine: str
