"""Parts that metrics of removal curves share."""

from torch import Tensor

from srd.types import Curves


def mean_over_steps(curves: Curves) -> Tensor:
    """Return the area under each curve over equal steps from 0 to 1, by trapezoids: (n,) in float64."""
    values = curves.double().contiguous()  # a sum over strided numbers may add them in another order
    inner: Tensor = values.sum(1) - (values[:, 0] + values[:, -1]) / 2
    return inner / (values.shape[1] - 1)
