"""Repairs of known defects of torchattacks 3.5.1, on an attack that is built but has not run; see docs/torchattacks.md.

An attack of the library is any object with a `forward`. Names of its attributes are the library's.
"""

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from attacks.types import Images
from srd.types import Logits, Target

Options = Mapping[str, Any]
WHOLE = 1 - 1e-6
"""Largest distance of an image from grey for C&W, whose variable is infinite at 0 and 1, as in Carlini's code."""


def repair(attack: Any, options: Options) -> None:
    """Repair the known defects of the attack."""
    REPAIRS.get(type(attack).__name__, _sound)(attack, options)


def _sound(attack: Any, options: Options) -> None:
    """Do nothing: the attack has no known defect."""


def _apgd(attack: Any, options: Options) -> None:
    """Return the points of greatest loss, not the clean images, where the attack fails."""
    attack.forward = lambda images, labels: attack.perturb(images, labels, best_loss=True)[1]


def _targeted_apgd(attack: Any, options: Options) -> None:
    """Give every image its own step size: in L2 the library gives all images that of the first."""
    if attack.norm == "L2":
        _one_at_a_time(attack)


def _auto_attack(attack: Any, options: Options) -> None:
    """Restore the published budget, which the library cuts to a tenth, and repair the parts."""
    for part in attack._autoattack.attacks:
        budget = "n_queries" if hasattr(part, "n_queries") else "steps"
        setattr(part, budget, options[budget])
        repair(part, options)


def _square(attack: Any, options: Options) -> None:
    """Let squares fit into images that are not square."""
    answer = attack.init_hyperparam

    def fitting(images: Images) -> None:
        low, high = sorted(images.shape[2:])
        attack.p_init = min(attack.p_init, (low - 1) ** 2 / (low * high))
        answer(images)

    attack.init_hyperparam = fitting


def _carlini_wagner(attack: Any, options: Options) -> None:
    """Make the margin valid for logits below 0, and let pixels that are 0 or 1 move."""
    _transform_logits(attack, _positive)
    attack.inverse_tanh_space = lambda images: attack.atanh(WHOLE * (2 * images - 1))


def _deep_fool(attack: Any, options: Options) -> None:
    """Move images that are left on the boundary over it.

    The paper lengthens the whole change, the library every step alone.
    """
    forward = attack.forward

    @torch.no_grad()
    def over(images: Images, labels: Target) -> Images:
        with torch.enable_grad():
            found: Images = forward(images, labels)
        left = attack.get_logits(found).argmax(1) == labels
        beyond = (images + (1 + attack.overshoot) * (found - images)).clamp(0, 1)
        return torch.where(left[:, None, None, None], beyond, found)

    attack.forward = over


def _elastic_net(attack: Any, options: Options) -> None:
    """Measure distances to the clean images, which the library's first step moves; repair the margin as for C&W."""
    _transform_logits(attack, _positive)
    forward, shrink, l1, l2 = attack.forward, attack.FISTA, attack.L1_loss, attack.L2_loss

    def from_clean(images: Images, labels: Target) -> Images:
        attack.FISTA = lambda _, x, y: shrink(images, x, y)
        attack.L1_loss = lambda x, _: l1(x, images)
        attack.L2_loss = lambda x, _: l2(x, images)
        found: Images = forward(images, labels)
        return found

    def differs(answers: Tensor, labels: Target) -> Tensor:
        """Return whether each image differs from its own label by `kappa` or more, from logits or from classes."""
        if answers.dim() == 2:
            answers = (answers + attack.kappa * F.one_hot(labels, answers.shape[1])).argmax(1)
        return answers != labels

    attack.forward, attack.compare = from_clean, differs
    attack.abort_early = attack.abort_early and attack.max_iterations >= 10  # the library checks every tenth iteration


def _jacobian_saliency(attack: Any, options: Options) -> None:
    """Aim at the most likely class but the label, with little memory.

    The library aims at `(label + 1) % 10`, a class that need not exist.
    """

    @torch.no_grad()
    def runner_up(images: Images, labels: Target) -> Target:
        classes: Target = attack.get_logits(images).scatter(1, labels[:, None], -torch.inf).argmax(1)
        return classes

    attack.set_mode_targeted_by_function(runner_up, quiet=True)
    attack.saliency_map = most_salient_pair


def most_salient_pair(
    jacobian: Tensor, target: Target, increasing: bool, search_space: Tensor, n_features: int
) -> tuple[Tensor, Tensor]:
    """Return the two features of equation 10, increasing or decreasing.

    The library needs n_features squared of memory for this. A feature with two others that are at least as good for the
    target and at least as bad for the rest is in no best pair, so few features are left to pair.
    """
    sign = 1 if increasing else -1
    features = search_space.nonzero()[:, 0]
    own = sign * jacobian[target][0, features]
    rest = sign * jacobian[:, features].sum(0) - own
    order = own.argsort(descending=True)
    kept = order[_beaten_by_less_than_two(-rest[order])]
    raises = own[kept, None] + own[kept]
    lowers = -(rest[kept, None] + rest[kept])
    salient = raises * lowers * (raises > 0) * (lowers > 0)
    first, second = divmod(int(salient.fill_diagonal_(0).argmax()), len(kept))
    return features[kept[first]][None], features[kept[second]][None]


def _beaten_by_less_than_two(values: Tensor) -> Tensor:
    """Return where at most one of the earlier values is as large."""
    before = F.pad(values, (1, 0), value=-torch.inf)
    largest = before.cummax(0).values
    second = torch.minimum(before[1:], largest[:-1]).cummax(0).values
    return values > F.pad(second, (1, 0), value=-torch.inf)[:-1]


def _ultimate(attack: Any, options: Options) -> None:
    """Make the margin valid for logits below 0."""
    _transform_logits(attack, _positive)


def _smoothed_pgd(attack: Any, options: Options) -> None:
    """Replace the correct word for Gaussian noise by the library's misspelt word."""
    attack.noise_func.noise_type = attack.noise_func.noise_type.replace("gaussian", "guassian")


def _patch_wise(attack: Any, options: Options) -> None:
    """Use one Gaussian kernel for every channel: the library mixes up the axes."""
    mixed = attack.gaussian_kern
    attack.gaussian_kern = lambda size, sigmas: mixed(size, sigmas)[:, 0, :, 0].T.expand(3, 1, size, size)


def _one_pixel(attack: Any, options: Options) -> None:
    """Move labels from a GPU, because they cannot index the library's numpy arrays."""
    loss, success = attack._loss, attack._attack_success
    attack._loss = lambda image, label, delta: loss(image, label.cpu(), delta)
    attack._attack_success = lambda image, label, delta: success(image, label.cpu(), delta)


def _pixle(attack: Any, options: Options) -> None:
    """Move pixels to (y, x), not (x, y), and with `update_each_iteration` attack one image after the other.

    The library made this option for one image.
    """
    mapping = attack.get_pixel_mapping
    attack.get_pixel_mapping = lambda *given, **named: [(y, x) for x, y in mapping(*given, **named)]
    if attack.update_each_iteration:
        _one_at_a_time(attack)


def _sparse_fool(attack: Any, options: Options) -> None:
    """Hide numpy's warning about how the library passes it a tensor."""
    forward = attack.forward

    def quiet(images: Images, labels: Target) -> Images:
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
            found: Images = forward(images, labels)
        return found

    attack.forward = quiet


def _one_at_a_time(attack: Any) -> None:
    together = attack.forward

    def alone(images: Images, labels: Target) -> Images:
        return torch.cat([together(images[row : row + 1], labels[row : row + 1]) for row in range(len(images))])

    attack.forward = alone


def _transform_logits(attack: Any, change: Callable[[Logits], Logits]) -> None:
    answer = attack.get_logits
    attack.get_logits = lambda images: change(answer(images))


def _positive(logits: Logits) -> Logits:
    """Return the same answer by logits of 1 or more: the library's margins take a masked logit, 0, as the least."""
    return logits - logits.detach().amin(1, keepdim=True) + 1


REPAIRS: Mapping[str, Callable[[Any, Options], None]] = MappingProxyType(
    {
        "APGD": _apgd,
        "APGDT": _targeted_apgd,
        "AutoAttack": _auto_attack,
        "CW": _carlini_wagner,
        "DeepFool": _deep_fool,
        "EADEN": _elastic_net,
        "EADL1": _elastic_net,
        "JSMA": _jacobian_saliency,
        "OnePixel": _one_pixel,
        "PGDRS": _smoothed_pgd,
        "PGDRSL2": _smoothed_pgd,
        "PIFGSMPP": _patch_wise,
        "Pixle": _pixle,
        "SparseFool": _sparse_fool,
        "Square": _square,
        "UPGD": _ultimate,
    }
)
