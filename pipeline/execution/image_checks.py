"""Refuse images that a spec cannot be carried out on, before any task."""

from collections.abc import Iterator

from attacks.registry import PERTURBATIONS
from pipeline.inputs.data import Data
from pipeline.spec.audit import AuditSpec
from srd.errors import DataError
from srd.metrics.ssim import WINDOW


def refuse_unfit_images(spec: AuditSpec, data: Data) -> None:
    """Refuse images that are too small, that lack masks, or that a perturbation of the spec cannot take.

    Raises
    ------
    DataError
        If one of these is so.
    """
    refuse_small_images(data)
    _refuse_without_masks(spec, data)
    if misfits := tuple(_misfits(spec, data)):
        raise DataError(f"{'; '.join(misfits)}: remove {'it' if len(misfits) == 1 else 'them'} from [[perturbation]]")


def refuse_small_images(data: Data) -> None:
    """Refuse images that are too small to compare maps on.

    Raises
    ------
    DataError
        If the images are smaller than a window of SSIM.
    """
    height, width = data.images(range(1)).shape[2:]
    if min(height, width) < WINDOW:
        raise DataError(
            f"images of {width}x{height} pixels: SSIM compares windows of {WINDOW}x{WINDOW}; set model.resize"
        )


def _refuse_without_masks(spec: AuditSpec, data: Data) -> None:
    needy = [p.name for p in spec.perturbation if PERTURBATIONS[p.name].needs_masks]
    if needy and not data.has_masks:
        raise DataError(f"{needy[0]} works by the objects' masks; set data.masks, or attack by 'top_k' instead")


def _misfits(spec: AuditSpec, data: Data) -> Iterator[str]:
    """Yield which perturbations cannot take the images, and why."""
    channels, height, width = data.images(range(1)).shape[1:]
    for name in dict.fromkeys(each.name for each in spec.perturbation):
        misfit = PERTURBATIONS[name].misfit((channels, height, width), len(data.classes))
        if misfit:
            yield f"{name} {misfit}"
