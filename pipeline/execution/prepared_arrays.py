"""The arrays that hold what is known of every image before any task: which classes and images its maps are about."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.inputs.data import Data
from pipeline.machine import seeds
from pipeline.spec.audit import AuditSpec
from pipeline.store.store import Arrays
from srd.errors import DataError


def prepared_arrays(spec: AuditSpec, data: Data, logits: Tensor) -> Arrays:
    """Return these arrays, given the logits of all clean images."""
    predicted = logits.argmax(1).numpy()
    target = predicted if spec.explain.target == "predicted" else np.array(data.labels)
    rows = range(len(predicted))
    return {
        "label": np.array(data.labels),
        "target": target,
        "target_image": np.array([_target_image(spec, data, predicted, row) for row in rows]),
        "other_class": np.array([_other_class(spec, data, int(target[row]), row) for row in rows]),
    }


def _other_class(spec: AuditSpec, data: Data, target: int, row: int) -> int:
    """Return a class other than the target, drawn by the image's own stream.

    The runner-up would be no good choice: it may be next to the same thing.
    """
    drawn = seeds.index(spec.run.seed, len(data.classes) - 1, "other class", data.ids[row])
    return drawn + (drawn >= target)


def _target_image(spec: AuditSpec, data: Data, predicted: NDArray[np.int64], row: int) -> int:
    """Return the position of an image of another predicted class, drawn by the image's own stream."""
    candidates = np.flatnonzero(predicted != predicted[row])
    if not len(candidates):
        raise DataError(
            "every image is predicted as the same class, but audits compare maps of different classes; "
            "add images of other classes, or check model.mean and model.std"
        )
    return int(candidates[seeds.index(spec.run.seed, len(candidates), "target image", data.ids[row])])
