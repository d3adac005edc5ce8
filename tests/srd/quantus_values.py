"""Writes what Quantus 0.6.0 and scikit-image make of the fixed maps; runs where they are, without this project.

uv run --no-project --with quantus==0.6.0 --with torch --with 'numpy<2.4' tests/srd/quantus_values.py
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import quantus
import torch
from fixed_maps import MASK, PAIRS
from numpy.typing import NDArray
from quantus.functions import similarity_func
from quantus.functions.complexity_func import discrete_entropy
from skimage.metrics import structural_similarity

RECORDED = Path(__file__).with_suffix(".json")
PLAIN = {"normalise": False, "disable_warnings": True, "display_progressbar": False}
OF_A_MAP: Mapping[str, Any] = {
    "pointing_game": lambda: quantus.PointingGame(abs=False, **PLAIN),
    "attribution_localisation": lambda: quantus.AttributionLocalisation(abs=False, positive_attributions=True, **PLAIN),
    "rank_accuracy": lambda: quantus.RelevanceRankAccuracy(abs=False, **PLAIN),
    "roc_auc": lambda: quantus.AUC(abs=False, **PLAIN),
    "sparseness": lambda: quantus.Sparseness(abs=True, **PLAIN),
    "entropy": lambda: quantus.Complexity(abs=True, **PLAIN),
}


def rise(clean: NDArray[Any], redrawn: NDArray[Any]) -> float:
    """The score of EfficientMPRT, without its network, of which it takes nothing but the maps."""
    before, after = (discrete_entropy(each, each, n_bins=100) for each in (clean, redrawn))
    return float((after - before) / before)


OF_TWO_MAPS: Mapping[str, Any] = {
    "pearson": lambda a, b: similarity_func.correlation_pearson(a.ravel(), b.ravel()),
    "spearman": lambda a, b: similarity_func.correlation_spearman(a.ravel(), b.ravel()),
    "ssim": similarity_func.ssim,
    "complexity_rise": rise,
}


class Network(torch.nn.Module):
    """A network that no score asks."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.flatten(1)[:, :10]


def of_a_map(metric: Any, values: NDArray[Any]) -> float:
    """One map alone, as Quantus' scores of some metrics depend on the others of a batch."""
    found = metric(
        model=Network(), x_batch=np.zeros((1, 3, *values.shape), np.float32), y_batch=np.zeros(1, int),
        a_batch=values[None, None].copy(), s_batch=MASK[None, None], device="cpu",
    )  # fmt: skip
    return float(found[0])


def scikit_images_ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The mean over the windows of 11 x 11 pixels that fit, of Gaussian weights."""
    a, b = (values.astype(np.float64) / np.abs(values).max() for values in (a, b))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 2}
    _, values = structural_similarity(a, b, full=True, **options)
    return float(values[5:-5, 5:-5].mean())


def main() -> None:
    found = {
        kind: {name: of_a_map(make(), a) for name, make in OF_A_MAP.items()}
        | {name: float(similarity(a, b)) for name, similarity in OF_TWO_MAPS.items()}
        | {"scikit-image": scikit_images_ssim(a, b)}
        for kind, (a, b) in PAIRS.items()
    }
    versions = {name: version(name) for name in ("quantus", "scikit-image", "scikit-learn", "scipy", "numpy")}
    RECORDED.write_text(json.dumps({"versions": versions, "values": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
