"""Several draws of one condition become one value for each image, for the image is the unit of all statistics."""

import numpy as np

from reports.statistics.intervals import Values


def means_over_draws(values: Values) -> Values:
    """Return the mean of each image over its draws (image, draw) that have a value; NaN where none has."""
    known = ~np.isnan(values)
    counts = known.sum(1)
    return np.where(counts > 0, np.nansum(values, 1) / np.maximum(counts, 1), np.nan)


def hits_in_all_draws(outcomes: Values) -> Values:
    """Return 1 for an image of which all draws (image, draw) with an outcome are 1, else 0; NaN where none has one.

    Draws of one image are not independent, so that n images of m draws are not n m trials.
    """
    known = ~np.isnan(outcomes)
    return np.where(known.any(1), (~known | (outcomes == 1)).all(1), np.nan)
