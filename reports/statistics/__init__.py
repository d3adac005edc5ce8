"""Statistics over images: arrays in, numbers with n, interval and unit out, or the reason why there is none."""

from reports.statistics.agreement import concordance
from reports.statistics.bounds import Bound, Kind, bound_above, bound_below, least_images
from reports.statistics.draws import hits_in_all_draws, means_over_draws
from reports.statistics.equivalence import MARGIN, Equivalence, NonInferiority, equivalence, non_inferiority
from reports.statistics.estimates import (
    SHARE,
    Policy,
    estimate_of_pairs,
    mean,
    mean_difference,
    no_estimate,
    policy,
    rate,
    unit,
)
from reports.statistics.intervals import (
    CONFIDENCE,
    LEAST_N,
    RESAMPLES,
    SEED,
    Interval,
    NoInterval,
    Statistic,
    Values,
    bootstrap_interval,
    exact_interval,
    t_interval,
    wilson_interval,
)
from reports.statistics.multiplicity import LEVEL, Adjusted, Family, PValue, adjust
from reports.statistics.paired import PairedComparison, least_p, paired_comparison, rank_biserial, sign_flip_p
from reports.statistics.power import POWER, detectable_difference, images_to_decide, images_to_detect
from reports.statistics.ranks import RankInterval, rank_intervals

__all__ = [
    "CONFIDENCE",
    "LEAST_N",
    "LEVEL",
    "MARGIN",
    "POWER",
    "RESAMPLES",
    "SEED",
    "SHARE",
    "Adjusted",
    "Bound",
    "Equivalence",
    "Family",
    "Interval",
    "Kind",
    "NoInterval",
    "NonInferiority",
    "PValue",
    "PairedComparison",
    "Policy",
    "RankInterval",
    "Statistic",
    "Values",
    "adjust",
    "bootstrap_interval",
    "bound_above",
    "bound_below",
    "concordance",
    "detectable_difference",
    "equivalence",
    "estimate_of_pairs",
    "exact_interval",
    "hits_in_all_draws",
    "images_to_decide",
    "images_to_detect",
    "least_images",
    "least_p",
    "mean",
    "mean_difference",
    "means_over_draws",
    "no_estimate",
    "non_inferiority",
    "paired_comparison",
    "policy",
    "rank_biserial",
    "rank_intervals",
    "rate",
    "sign_flip_p",
    "t_interval",
    "unit",
    "wilson_interval",
]
