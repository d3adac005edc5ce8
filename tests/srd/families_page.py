"""docs/families.md, as `make docs` writes it."""

from collections.abc import Callable

import more_networks
from families import FAMILIES
from measured_families import REDUCED, batch_coupling, measured, reference_error
from measured_table import DOCS, decade, origin, row

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


MORE = """
## timm's networks, and trained ones

Twenty networks of timm with random weights and ten classes, on two random images; and trained networks on two of their
images, which lie where `SRD_AUDIT_REAL` says. The columns are those above; "residual" is the larger one of the two
images. `make docs` measures these rows where timm is installed and the folder is named; else they stand as they were.

{origin}

ConvNeXt V2 was measured with `operations = {{ "torch.Tensor.norm" = "gate", "torch.addcmul" = "linear" }}`, all others
without a declaration. Refused by name where nothing is declared: products of two features (EVA-02's gated units,
CoaT), layers over positions (MLP-Mixer, CaiT), attention without a softmax (EfficientViT), and pieces unfolded (VOLO,
TNT, HaloNet).

| network | size | conserved | residual | classes | as found |
|---|---|---|---|---|---|
"""
MARK = MORE.partition("{origin}")[0]


def more(page_in_docs: str) -> str:
    """The second table, with the rows of `page_in_docs` where not all can be measured here."""
    if not all(map(more_networks.can_be_measured, more_networks.NETWORKS)):
        return page_in_docs[page_in_docs.index(MARK) :]
    rows = []
    for name in more_networks.NETWORKS:
        shown = more_networks.measured(name)
        residual = f"{100 * shown.residual:.2g} %" if shown.residual > 1e-4 else "< 0.01 %"
        cells = decade(shown.unexplained, 1e-6), residual, f"{shown.correlation:.2f}", "yes" if shown.as_found else "no"
        rows.append(row(name, str(shown.size), *cells))
    return MORE.format(origin=origin("torch", "timm")) + "".join(rows)


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
    first = HEADER.format(origin=origin("torch", "torchvision")) + "".join(rows)
    return first + more((DOCS / "families.md").read_text(encoding="utf-8"))
