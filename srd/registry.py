"""The attributors and metrics that a spec may name, with plain facts about each. Nothing here imports torch."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

from srd.entries import AttributorEntry, Attributors, Family, MetricEntry, Registry, read_entries

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
    read_entries(Path(__file__).parent / "baselines"), key=lambda entry: get_args(Family).index(entry.family)
)

ATTRIBUTORS = Attributors(SRD, *ABLATIONS, *BASELINES)

METRICS = Registry(
    MetricEntry(
        name="pearson",
        title="Pearson correlation",
        source="srd.metrics.similarity:pearson",
        of="two maps",
        better="higher",
        bounds=(-1, 1),
    ),
    MetricEntry(
        name="ssim",
        title="SSIM",
        source="srd.metrics.similarity:ssim",
        of="two maps",
        better="higher",
        bounds=(-1, 1),
        reference="Wang, Bovik, Sheikh, Simoncelli, 2004",
    ),
    MetricEntry(
        name="top_k_intersection",
        title="Top-5 % intersection",
        source="srd.metrics.similarity:top_k_intersection",
        of="two maps",
        better="higher",
        bounds=(0, 1),
        reference="Ghorbani, Abid, Zou, AAAI 2019",
    ),
    MetricEntry(
        name="pointing_game",
        title="Pointing game",
        source="srd.metrics.localisation:pointing_game",
        of="map and mask",
        better="higher",
        bounds=(0, 1),
        is_rate=True,
        reference="Zhang et al., IJCV 2018",
    ),
    MetricEntry(
        name="attribution_localisation",
        title="Attribution localisation",
        source="srd.metrics.localisation:attribution_localisation",
        of="map and mask",
        better="higher",
        bounds=(0, 1),
        reference="Kohlbrenner et al., IJCNN 2020",
    ),
    MetricEntry(
        name="sparseness",
        title="Sparseness (Gini)",
        source="srd.metrics.complexity:sparseness",
        of="map",
        better=None,
        bounds=(0, 1),
        reference="Chalasani et al., ICML 2020",
    ),
)
SIMILARITIES = tuple(name for name, entry in METRICS.items() if entry.of == "two maps")
"""Metrics that compare two maps of one image."""
