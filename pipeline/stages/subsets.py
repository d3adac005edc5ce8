"""The subsets of an image's cells that are removed: made again from the image's stream wherever they are needed."""

from collections.abc import Mapping

from pipeline.machine import seeds
from pipeline.plan.axes import OF_EACH_SIZE, SUBSET_SIZES
from pipeline.stages.context import Context
from srd.entries import Design
from srd.removal.subsets import random_subsets, single_cells, sized_subsets
from srd.types import Cells


def subsets(context: Context, row: int) -> Mapping[Design, Cells]:
    """Return the subsets of each design for an image, in the order of the coordinate `subset`."""
    stream = seeds.generator(context.spec.run.seed, "occlude", context.data.ids[row])
    return {
        "random": random_subsets(stream, context.spec.measure.subsets),
        "cells": single_cells(),
        "sizes": sized_subsets(stream, OF_EACH_SIZE, SUBSET_SIZES),
    }
