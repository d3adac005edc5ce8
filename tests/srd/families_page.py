"""docs/families.md, as `make docs` writes it."""

from collections.abc import Callable

from families import FAMILIES
from measured_families import REDUCED, batch_coupling, measured, reference_error
from measured_table import decade, origin, row

NAMED = 2
"""Cells of a row that are no figures."""

HEADER = """\
# SRD on torchvision's network families

Written by `make docs`. Random weights, one seed; the unmodified network in float32 on square images of the size given,
except for the reference. Figures of another processor are others; what holds on each is tested
(`tests/srd/test_families.py`, `tests/srd/test_batch_coupling.py`).

{origin}

- conserved: largest |sum of map + counted residual - starting relevance| over the starting relevance, bias rules norm,
  ratio and uniform, contrast none.
- residual: relevance without a source among the pixels (dead feature vectors, position embeddings, class
  tokens, added constants, windows padded with zeros), over the starting relevance, bias rule norm.
- classes: Pearson correlation of the maps of the predicted class and the runner-up, rule norm, contrast mean.
- reference: largest relative difference to the forward-built definition (`tests/srd/forward_srd.py`), on a shrunken
  network of the same class in float64, three bias rules, both contrasts.
- mixed, bfloat16, float16: relative error of the map (Euclidean, rule norm, contrast mean) where products are made in
  fewer bits (`precision`); "mixed" rounds relevance alone, the others the network too.
- batch: largest difference of a map alone and in a batch of three, over its largest value, the worst of three images;
  routes: the same where windows of max pooling take in an image alone what they take in the batch. The first is
  larger where two inputs of a window are equal but for rounding.
- as found: no hook, mode, flag, gradient or changed value is left behind.

| family | size | conserved | residual | classes | reference | batch | routes | mixed | bfloat16 | float16 | as found |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def figures(name: str) -> list[str]:
    """The cells that are measured."""
    m, batch = measured(name), batch_coupling(name)
    return [
        decade(m.unexplained, 1e-6),
        f"{100 * m.residual:.2g} %" if m.residual > 1e-4 else "< 0.01 %",
        f"{m.correlation:.2f}",
        decade(reference_error(name), 1e-12),
        decade(batch.as_it_is, 1e-6),
        decade(batch.same_routes, 1e-6),
        *(f"{m.rounding[each]:.0e}".replace("e-0", "e-") for each in REDUCED),
        "no" if m.changed else "yes",
    ]


def page(figures: Callable[[str], list[str]] = figures) -> str:
    rows = (row(name, str(family.full_size), *figures(name)) for name, family in FAMILIES.items())
    return HEADER.format(origin=origin("torch", "torchvision")) + "".join(rows)
