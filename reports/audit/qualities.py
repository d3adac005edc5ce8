"""Readings of what the network was asked again: qualities of clean maps, removal curves, maps of re-drawn networks."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.plan.axes import ORDERS, WEIGHTS, WHOLE_DEPTH
from pipeline.plan.schema import Reason
from pipeline.spec.measure import DECIDING_FILL
from reports.statistics import Values

FLOORED = 0.1
"""The share of its fall that the answer to random order may keep after one step, else a fill tells of orders."""


class Qualities:
    """The answers of a network that was asked again, by arrays of a store. Without a question there are no names."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset
        self._read: dict[tuple[str, ...], Values] = {}
        self.names = _names(dataset, "quality_score", "quality")
        self.fills = _names(dataset, "control_curve", "fill")
        """The fills of removed pixels; empty if nothing was removed."""
        self.has_attacked_curves = "attacked_curve" in dataset
        references = (str(name) for name in dataset["reference"].values)
        self.depths = tuple(name.removeprefix(WEIGHTS) for name in references if name.startswith(WEIGHTS))
        """The depths of re-drawn weights, from the input on; the full depth once for each re-draw."""

    @property
    def redraws(self) -> tuple[str, ...]:
        """Return the depths at which all weights are drawn anew, one for each re-draw."""
        return tuple(depth for depth in self.depths if depth.partition("#")[0] == WHOLE_DEPTH)

    def values(self, method: str, quality: str) -> Values:
        """Return a quality of the clean maps of all images, NaN where there is none."""
        return self._quality[:, self._methods.index(method), self.names.index(quality)]

    def reasons(self, method: str, quality: str) -> NDArray[np.uint8]:
        """Return the codes of the reasons why qualities are NaN; 0 where one is defined or was not computed."""
        return self._reason[:, self._methods.index(method), self.names.index(quality)]

    def is_asked(self, method: str, quality: str) -> NDArray[np.bool_]:
        """Return a mask of the images that a quality was asked of."""
        return np.asarray(self.reasons(method, quality) != Reason.NOT_ASKED)

    def is_uninformative(self, fill: str) -> NDArray[np.bool_]:
        """Return a mask of the images on which a fill says nothing about the order, as the store has it."""
        codes = self._reason[:, :, self.names.index(removal_score("srg", fill))]
        return np.asarray((codes == Reason.UNINFORMATIVE_FILL).any(1))

    @cached_property
    def fractions(self) -> Values:
        """Return the share of the pixels that is removed at each step."""
        return np.array([float(step) for step in self._dataset["step"].values])

    def curves(self, method: str, fill: str) -> Values:
        """Return the probabilities (image, order, step) of removal by a method's map, the most important first."""
        return self._probabilities("curve", method=method, fill=fill)

    def control_curves(self, control: str, fill: str) -> Values:
        """Return the probabilities (image, order, step) of removal in an order that never saw the network."""
        return self._probabilities("control_curve", control=control, fill=fill)

    def attacked_curves(self, condition: str, method: str, ranking: str) -> Values:
        """Return the probabilities (image, order, step) of removal from the attacked image.

        Parameters
        ----------
        ranking
            `attribution`: in the order of the attacked map. `random`: in random order.
        """
        return self._probabilities("attacked_curve", perturbation=condition, method=method, ranking=ranking)

    def _probabilities(self, variable: str, **where: str) -> Values:
        """Return the chosen probabilities, which are read once: several sections need the same."""
        key = variable, *where.values()
        if key not in self._read:
            self._read[key] = self._read_probabilities(variable, where)
        return self._read[key]

    def _read_probabilities(self, variable: str, where: Mapping[str, str]) -> Values:
        chosen = self._dataset[variable].sel({**where, "answer": "probability", "order": list(ORDERS)})
        return np.asarray(chosen.transpose("image", "order", "step").values, np.float64)

    @cached_property
    def _methods(self) -> list[str]:
        return [str(name) for name in self._dataset["method"].values]

    @cached_property
    def _quality(self) -> Values:
        return np.asarray(self._dataset["quality_score"].values, np.float64)

    @cached_property
    def _reason(self) -> NDArray[np.uint8]:
        return np.asarray(self._dataset["quality_reason"].values)


def removal_score(name: str, fill: str) -> str:
    """Return the name of a score of removal curves under a fill: `srg` under blur, `srg_black` under black."""
    return name if fill == DECIDING_FILL else f"{name}_{fill}"


def deletion(curves: Values) -> Values:
    """Return the mean over the share removed of p, the most important pixels removed first.

    Parameters
    ----------
    curves
        (image, order, step).
    """
    return _mean_over_share(curves[:, 0])


def insertion(curves: Values) -> Values:
    """Return the mean over the share removed of p, the least important pixels removed first."""
    return _mean_over_share(curves[:, 1])


def srg(curves: Values) -> Values:
    """Return insertion less deletion, in [-1, 1]: how much longer the answer lives without what matters least.

    References
    ----------
    Bluecher, Vielhaben, Strodthoff 2024.
    """
    return _mean_over_share(curves[:, 1] - curves[:, 0])


def is_floored(random: Values) -> NDArray[np.bool_]:
    """Return whether random order takes the answer within a tenth of its floor in one step, so that no order matters.

    The score stage decides this for clean images; of attacked ones the store has the curves alone.

    Parameters
    ----------
    random
        Curves (image, order, step) of random order.
    """
    left = random[:, 0] - random[:, 0].min(1, keepdims=True)
    return np.asarray((left[:, 0] > 0) & (left[:, 1] <= FLOORED * left[:, 0]))


def _mean_over_share(curves: Values) -> Values:
    """Return the trapezoid mean of curves (image, step) over equal steps."""
    return np.asarray((curves[:, :-1] + curves[:, 1:]).mean(1) / 2)


def _names(dataset: xr.Dataset, variable: str, coordinate: str) -> tuple[str, ...]:
    return tuple(str(name) for name in dataset[coordinate].values) if variable in dataset else ()
