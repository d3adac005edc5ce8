"""The attributors and metrics that a spec may name, with plain facts about each. Nothing here imports torch."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

from srd.entries import AttributorEntry, Attributors, Family, Fill, Measured, MetricEntry, Registry, read_entries

SRD = AttributorEntry(
    name="srd",
    title="SRD",
    source="srd.decomposition:decompose",
    layers="srd.layers:relevance_map",
    family="decomposition",
    signed=True,
    law="conservation",
    balance="srd.decomposition:account",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Han, Kim, Kwak, ICLR 2024",
)
ABLATIONS = (
    replace(SRD, name="srd_no_contrast", title="SRD (no contrast)", layers="", fixed={"contrast": "none"}),
    replace(SRD, name="srd_bias_ratio", title="SRD (bias: ratio)", layers="", fixed={"bias": "ratio"}),
    replace(SRD, name="srd_bias_uniform", title="SRD (bias: uniform)", layers="", fixed={"bias": "uniform"}),
    replace(SRD, name="srd_bias_drop", title="SRD (bias: dropped)", layers="", fixed={"bias": "drop"}),
    replace(
        SRD,
        name="srd_scalar",
        title="SRD (scalar ratio)",
        layers="",
        source="srd.ablations:scalar",
        balance="srd.ablations:account_scalar",
        differentiable=False,  # phi(X) / X is singular at 0 for the softplus that an attack puts in a ReLU's place
    ),
    replace(
        SRD,
        name="srd_post",
        title="SRD (post-activation)",
        layers="",
        source="srd.ablations:post_activation",
        balance="srd.ablations:account_post_activation",
    ),
    replace(
        SRD,
        name="srd_coarse",
        title="SRD (coarse)",
        layers="",
        law="",  # upsampled, the starting relevance has another sum
        source="srd.ablations:coarse",
        upsampling="bilinear",
    ),
)
"""Variants of SRD. Each differs from SRD in one choice."""
BASELINES = sorted(
    read_entries(Path(__file__).parent / "baselines", AttributorEntry),
    key=lambda entry: get_args(Family).index(entry.family),
)

ATTRIBUTORS = Attributors(SRD, *ABLATIONS, *BASELINES)

_METRICS = {entry.name: entry for entry in read_entries(Path(__file__).parent / "metrics", MetricEntry)}
_VARIED: tuple[tuple[str, Fill], ...] = (
    ("deletion", "black"),
    ("insertion", "black"),
    ("srg", "black"),
    ("srg", "narrow_blur"),
    ("srg", "wide_blur"),
)
FILL_VARIANTS = tuple(
    replace(
        _METRICS[name],
        name=f"{name}_{fill}",
        title=f"{_METRICS[name].title} ({fill.replace('_', ' ')})",
        fill=fill,
        core=False,
    )
    for name, fill in _VARIED
)
"""Metrics of removal with another fill than the one that decides."""

METRICS = Registry(
    *sorted(
        (*_METRICS.values(), *FILL_VARIANTS),
        key=lambda entry: (get_args(Measured).index(entry.of), not entry.core),
    )
)
"""In the order of what they are scores of, core metrics first."""
MAP_METRICS = Registry(*(entry for entry in METRICS.values() if not entry.asks_network))
"""Metrics of stored maps alone: they are scored under every condition."""
QUALITIES = Registry(*(entry for entry in METRICS.values() if entry.asks_network))
"""Metrics that the network was asked for: they are scored of clean images."""
SIMILARITIES = tuple(name for name, entry in METRICS.items() if entry.of == "two maps" and entry.better == "higher")
"""Metrics that are the larger the more alike two maps of one image are."""
