"""The adapter of torchattacks: options, strength, precision, random numbers, repairs, and a check of the result."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

from attacks.predictions.entries import LEAST_CLASSES, RELATIVE_STEP, LibraryAttack
from attacks.predictions.repairs import repair
from attacks.predictions.signatures import parameters
from attacks.predictions.verification import verify
from attacks.types import Images, Model, Samples
from srd.errors import InputError
from srd.passes import evaluating
from srd.types import Generators, Logits

MOST_TARGETS = 9
"""Number of wrong classes, the most likely first, that APGD-T and FAB-T target, as AutoAttack's authors have it."""


def adapt(entry: LibraryAttack) -> Callable[..., Images]:
    """Return the attack of the library as a `Perturbation`.

    The perturbation runs in float32 on random numbers of the tile's own. It leaves model and global generators as
    found. It raises InputError for an option or images that it cannot take, and PerturbationError if the result is no
    image within the strength.
    """

    def perturbation(model: Model, samples: Samples, strength: float, generators: Generators, **options: Any) -> Images:
        chosen = _choose_options(entry, options)
        clean = samples.images.detach()
        if entry.strength is not None and strength == 0:
            return clean.clone()
        with evaluating(model), _without_parameter_gradients(model), _own_random_numbers(generators) as seed:
            network = _InFloat32(model, clean).eval()  # otherwise the library ends in training mode
            _refuse_unfit(entry, clean, network)
            attack = _build(entry, network, clean, strength, chosen, seed)
            found = attack(clean.float(), samples.label.to(clean.device)).detach()
        verify(found, clean.float(), entry.norm, strength, entry.name)
        return _as_precise_as(clean, found)

    perturbation.__doc__ = f"{entry.title} ({entry.reference}), `torchattacks.{entry.library_class}`."
    perturbation.__signature__ = _signature(entry)  # type: ignore[attr-defined]
    return perturbation


class _InFloat32(nn.Module):
    """The model as the library takes it: float32 in and out, whatever its own precision is."""

    def __init__(self, model: Model, images: Images) -> None:
        super().__init__()
        self.place = nn.Parameter(
            images.new_empty(0), requires_grad=False
        )  # the library runs on the device of the first parameter
        self.model = model
        self.precision = images.dtype

    def forward(self, images: Images) -> Logits:
        logits: Tensor = self.model(images.to(self.precision))
        return logits.float()


def _choose_options(entry: LibraryAttack, options: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if name not in entry.options:
            raise InputError(f"{entry.name}: no option is called {name!r}; known: {', '.join(entry.options)}")
        choices = entry.choices.get(name, (value,))
        if value not in choices:
            raise InputError(f"{entry.name}: {name} = {value!r} is none of {', '.join(choices)}")
    return {**entry.options, **options}


def _refuse_unfit(entry: LibraryAttack, images: Images, network: nn.Module) -> None:
    channels, height, width = images.shape[1:]
    takes_any = entry.least_classes <= LEAST_CLASSES
    n_classes = LEAST_CLASSES if takes_any else _n_classes(network, images)  # which costs a pass
    if misfit := entry.misfit((channels, height, width), n_classes):
        raise InputError(f"{entry.name}: it {misfit}; remove it")


def _build(
    entry: LibraryAttack, network: nn.Module, images: Images, strength: float, options: dict[str, Any], seed: int
) -> Callable[[Images, Tensor], Images]:
    """Return the library's attack with its known defects repaired."""
    taken = parameters(entry.library_class)
    arguments = {**entry.fixed, **{name: value for name, value in options.items() if name in taken}}
    if entry.strength is not None:
        arguments[entry.radius] = strength
    if RELATIVE_STEP in options:
        arguments[entry.step] = options[RELATIVE_STEP] * strength
    if "seed" in taken:
        arguments["seed"] = seed
    if "n_classes" in taken:
        arguments["n_classes"] = min(_n_classes(network, images), MOST_TARGETS + 1)
    attack = getattr(torchattacks, entry.library_class)(network, **arguments)
    repair(attack, options)
    return attack  # type: ignore[no-any-return]


@torch.no_grad()
def _n_classes(network: nn.Module, images: Images) -> int:
    return int(network(images[:1].float()).shape[1])


def _as_precise_as(clean: Images, found: Images) -> Images:
    """Return the library's change added to the clean images in their own precision, inside [0, 1] without rounding."""
    if found.dtype != clean.dtype:
        found = clean + (found.to(clean.dtype) - clean.float().to(clean.dtype))
    return found.clamp(0, 1)


@contextmanager
def _without_parameter_gradients(network: nn.Module) -> Iterator[None]:
    """Let no parameter collect gradients, as attacks that call `backward` would make them."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


@contextmanager
def _own_random_numbers(generators: Generators) -> Iterator[int]:
    """Seed the global generators that the library uses by the tile's first stream, yield the seed, and restore them."""
    seed = int(torch.randint(2**62, (), generator=generators[0]))
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(list(devices)):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield seed
        finally:
            np.random.set_state(numpy_state)


def _signature(entry: LibraryAttack) -> inspect.Signature:
    """Return the signature of a `Perturbation` with the options."""
    names = ("model", "samples", "strength", "generators")
    taken = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature([*taken, *(inspect.Parameter(k, keyword, default=v) for k, v in entry.options.items())])
