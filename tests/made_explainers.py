"""Explainers whose fault is known, and a correct one of a linear network; and an audit of all of them.

Each has a fault of one kind. The correct one is input x gradient in closed form: the derivatives of a linear network
are its weights.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import linear_network
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from small_audits import write_picture, write_png
from torch import nn

from srd.entries import AttributorEntry
from srd.registry import ATTRIBUTORS
from srd.types import Generators, Inputs, Maps, Target

SIDE = linear_network.SIDE
PER_CLASS = 12
N = 3 * PER_CLASS
NOISE = """
[[perturbation]]
name = "gaussian_noise"
strengths = [0.02]
"""
NOISE_ID = "gaussian_noise@0.02"
EMPTY = 2
"""Number of images whose mask is empty."""
FLAT = 4
"""Number of images that the blotted explainer maps to nothing; no image of noise is one."""


def closed_form(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
                create_graph: bool = False) -> Maps:  # fmt: skip
    """Return input x gradient of the linear network: its weights times what it reads."""
    maps = (inputs * _weights(network, target)).sum(1)
    return maps if create_graph else maps.detach()


def constant(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
             create_graph: bool = False) -> Maps:  # fmt: skip
    """Return the same number everywhere."""
    return torch.full_like(inputs[:, 0], 0.5)


def not_finite(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
               create_graph: bool = False) -> Maps:  # fmt: skip
    """Return the correct map with one pixel that is no number."""
    maps = closed_form(network, inputs, target)
    maps[:, 0, 0] = torch.nan
    return maps


def fixed(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
          create_graph: bool = False) -> Maps:  # fmt: skip
    """Return one drawn map, whatever the image, the class and the streams."""
    return torch.randn(inputs.shape[2:], generator=torch.Generator().manual_seed(0)).expand(len(inputs), -1, -1)


def template(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
             create_graph: bool = False) -> Maps:  # fmt: skip
    """Return one drawn map for each class, whatever the image and the network."""
    drawn = [torch.randn(inputs.shape[2:], generator=torch.Generator().manual_seed(int(each))) for each in target]
    return torch.stack(drawn)


def class_blind(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
                create_graph: bool = False) -> Maps:  # fmt: skip
    """Return the correct map of class 0, whatever the class."""
    return closed_form(network, inputs, torch.zeros_like(target))


def class_blind_drawn(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
                      create_graph: bool = False) -> Maps:  # fmt: skip
    """Return the correct map of class 0 with a little noise of its own, so that no two maps are equal."""
    maps = class_blind(network, inputs, target)
    return maps + 0.1 * maps.std() * _noise(inputs, generators)


def drawn(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
          create_graph: bool = False) -> Maps:  # fmt: skip
    """Return noise."""
    return _noise(inputs, generators)


def blotted(network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, *,
            create_graph: bool = False) -> Maps:  # fmt: skip
    """Return the correct map, but nothing for a clean image with a white corner."""
    maps = closed_form(network, inputs, target)
    return maps * (inputs[:, :, 0, 0] < 1).any(1)[:, None, None]


def predicted_only(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return the correct map, but nothing for a class that is not predicted."""
    is_predicted = torch.as_tensor(network(inputs).argmax(1) == target)
    return closed_form(network, inputs, target) * is_predicted[:, None, None]


def _weights(network: nn.Module, target: Target) -> Inputs:
    weights: Inputs = next(network.parameters())[target].unflatten(1, (3, SIDE, SIDE))
    return weights


def _noise(inputs: Inputs, generators: Generators | None) -> Maps:
    return torch.stack([torch.randn(inputs.shape[2:], generator=each) for each in generators or ()])


def _entry(name: str, signed: bool = True, stochastic: bool = False) -> AttributorEntry:
    return AttributorEntry(
        name=f"made_{name}", title=f"Made {name}", source=f"made_explainers:{name}", family="gradient", signed=signed,
        stochastic=stochastic, differentiable=False, cost="none",
    )  # fmt: skip


ENTRIES = (
    _entry("closed_form"),
    _entry("constant"),
    _entry("not_finite"),
    _entry("fixed", signed=False),
    AttributorEntry(
        name="made_fixed_drawn", title="Made fixed drawn", source="made_explainers:fixed", family="gradient",
        signed=True, stochastic=True, differentiable=False, cost="none",
    ),
    _entry("template"),
    _entry("class_blind"),
    _entry("class_blind_drawn", stochastic=True),
    _entry("drawn", stochastic=True),
    _entry("blotted"),
    _entry("predicted_only"),
)  # fmt: skip
METHODS = (*(entry.name for entry in ENTRIES), "edges")


@contextmanager
def registered() -> Iterator[None]:
    """Have the registry hold the made explainers."""
    with pytest.MonkeyPatch.context() as patch:
        for entry in ENTRIES:
            patch.setitem(ATTRIBUTORS._entries, entry.name, entry)
        yield


def write_made_audit(folder: Path, methods: Sequence[str] = METHODS, has_masks: bool = True, per_class: int = PER_CLASS,
                     perturbations: str = "") -> Path:  # fmt: skip
    """Write pictures, the linear network and a spec into a folder; return the spec's path.

    Of the masks, EMPTY are empty; of the pictures, FLAT have a white corner.
    """
    for number in range(3 * per_class):
        colour = number % 3
        write_picture(folder, colour, f"{'rgb'[colour]}/{number:02}.png", SIDE)
    names = sorted((folder / "images").glob("*/*.png"))
    for path in names[:EMPTY]:
        write_png(folder / "masks" / path.relative_to(folder / "images"), np.zeros((SIDE, SIDE)))
    for path in names[-FLAT:]:
        write_png(path, _with_white_corner(path))
    (folder / "network.py").write_text(Path(linear_network.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    spec = folder / "made.toml"
    masks = 'masks = "masks"' if has_masks else ""
    spec.write_text(
        f"""
[model]
spec = "network.py:build"

[data]
path = "images"
{masks}

[explain]
methods = {list(methods)}

{perturbations or NOISE}

[run]
tile = 36
""",
        encoding="utf-8",
    )
    return spec


def _with_white_corner(path: Path) -> NDArray[np.uint8]:
    pixels = np.array(Image.open(path))
    pixels[0, 0] = 255
    return pixels
