"""The attributors and metrics that a spec may name, with plain facts about each; nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from srd.entries import Entry, registered


@dataclass(frozen=True, kw_only=True)
class AttributorEntry(Entry):
    """An `Attributor` and what a report must know of it."""

    family: Literal["decomposition", "gradient", "class activation", "control"]
    signed: bool
    coarse: bool = False
    """Computed at the encoder's resolution and upsampled."""
    stochastic: bool = False
    differentiable: bool = True
    """Can be attacked white box: `create_graph` gives a useful gradient."""
    uses_network: bool = True
    cost: str
    """In passes of the network."""
    needs: frozenset[str] = frozenset()
    """Facts of the model that it takes as keyword arguments: "encoder", "baseline"."""


@dataclass(frozen=True, kw_only=True)
class MetricEntry(Entry):
    """A score of one map, or of two maps of one image."""

    of: Literal["two maps", "map and mask", "map"]
    """What it is called with: (maps, maps), (maps, masks) or (maps)."""
    better: Literal["higher", "lower"] | None
    bounds: tuple[float, float]


ATTRIBUTORS: Mapping[str, AttributorEntry] = registered(
    AttributorEntry(
        name="srd",
        title="SRD",
        source="srd.decomposition:decompose",
        family="decomposition",
        signed=True,
        cost="1 forward, 1 backward",
        needs=frozenset({"encoder"}),
        options=MappingProxyType({"bias": str, "contrast": str}),
        reference="Han, Kim, Kwak, ICLR 2024",
    ),
    AttributorEntry(
        name="saliency",
        title="Saliency",
        source="srd.baselines.gradients:saliency",
        family="gradient",
        signed=False,
        cost="1 forward, 1 backward",
        reference="Simonyan, Vedaldi, Zisserman, ICLR workshop 2014",
    ),
    AttributorEntry(
        name="input_x_gradient",
        title="Input x Gradient",
        source="srd.baselines.gradients:input_x_gradient",
        family="gradient",
        signed=True,
        cost="1 forward, 1 backward",
        reference="Shrikumar, Greenside, Shcherbina, Kundaje, 2016",
    ),
    AttributorEntry(
        name="integrated_gradients",
        title="Integrated Gradients",
        source="srd.baselines.gradients:integrated_gradients",
        family="gradient",
        signed=True,
        cost="points x (1 forward, 1 backward)",
        needs=frozenset({"baseline"}),
        options=MappingProxyType({"points": int}),
        reference="Sundararajan, Taly, Yan, ICML 2017",
    ),
    AttributorEntry(
        name="grad_cam",
        title="Grad-CAM",
        source="srd.baselines.cams:grad_cam",
        family="class activation",
        signed=False,
        coarse=True,
        cost="1 forward, 1 backward",
        needs=frozenset({"encoder"}),
        reference="Selvaraju et al., ICCV 2017",
    ),
    AttributorEntry(
        name="random",
        title="Random (control)",
        source="srd.baselines.controls:random",
        family="control",
        signed=True,
        stochastic=True,
        differentiable=False,
        uses_network=False,
        cost="none",
        reference="control: should lose",
    ),
    AttributorEntry(
        name="edges",
        title="Edges (control)",
        source="srd.baselines.controls:edges",
        family="control",
        signed=False,
        differentiable=False,
        uses_network=False,
        cost="none",
        reference="control: Sobel magnitude, should lose",
    ),
)

METRICS: Mapping[str, MetricEntry] = registered(
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
