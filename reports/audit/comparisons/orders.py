"""The order of the methods, how sure each rank is, and whether the metrics of a category agree on the order."""

import numpy as np

from pipeline.plan.conditions import CLEAN
from pipeline.spec.measure import DECIDING_FILL
from reports import statistics
from reports.audit.comparisons.chosen_conditions import Setting, attack_settings, noise_setting
from reports.audit.comparisons.family import own_image_matrix
from reports.audit.readings import Readings
from reports.audit.reliability import ReliabilityFields
from reports.result import Estimate, ResultModel
from reports.statistics import RankInterval, Values
from srd.registry import METRICS

AGAIN = ("faithfulness", "randomisation")
"""The categories for which the network is asked again about clean images."""
DECIDING = ("", DECIDING_FILL, "mean")
"""The fills of metrics that stand for themselves: others are variants of them."""


class RankOrder(ResultModel):
    """Ranks by own image: of all methods under noise, or of those against which one attack is reliable."""

    setting: str
    is_attack: bool
    ranks: tuple[RankInterval, ...]


class Concordance(ResultModel):
    """Agreement of the metrics of one category on the order of the methods that are no controls. Exploratory."""

    category: str
    condition: str
    metrics: tuple[str, ...]
    left_out: tuple[str, ...]
    """Metrics without any value for one of the methods."""
    methods: tuple[str, ...]
    estimate: Estimate


def rank_orders(readings: Readings, result: ReliabilityFields) -> tuple[RankOrder, ...]:
    """Return the ranks under noise, and under the first reliable attack that two methods share."""
    noise = noise_setting(result)
    shared = [[noise] if noise else [], attack_settings(result)]
    ranked = (next((each for each in settings if len(each.conditions) > 1), None) for settings in shared)
    return tuple(_rank_order(readings, setting) for setting in ranked if setting)


def concordances(readings: Readings, result: ReliabilityFields) -> tuple[Concordance, ...]:
    """Return the agreement of the metrics of each category: of similarity under noise, of the others on clean images.

    Of faithfulness it is that of the metrics with the deciding fill; one metric alone has nothing to agree with.
    """
    noise = noise_setting(result)
    asked = [("similarity", next(iter(noise.conditions.values())))] if noise and noise.conditions else []
    if readings.has_masks:
        asked.append(("localisation", CLEAN))
    asked += [(category, CLEAN) for category in AGAIN if len(_metrics_of(readings, category)) > 1]
    methods = [each.name for each in result.methods if not each.is_control]
    return tuple(_concordance(readings, category, condition, methods) for category, condition in asked)


def _metrics_of(readings: Readings, category: str) -> list[str]:
    """Return the metrics of a category that have a direction, without those of fills that do not decide."""
    again = readings.qualities.names if readings.qualities.fills else ()
    known = (METRICS[name] for name in (*readings.metrics, *again))
    return [each.name for each in known
            if each.category == category and each.better and each.fill in DECIDING]  # fmt: skip


def _scores(readings: Readings, condition: str, method: str, metric: str) -> Values:
    if METRICS[metric].asks_network:
        return readings.qualities.values(method, metric)
    return readings.scores(condition, method, metric)


def _rank_order(readings: Readings, setting: Setting) -> RankOrder:
    methods = [name for name in readings.methods if name in setting.conditions]
    ranks = statistics.rank_intervals(own_image_matrix(readings, setting, methods), methods, "higher")
    return RankOrder(setting=setting.heading, is_attack=setting.is_attack, ranks=ranks)


def _concordance(readings: Readings, category: str, condition: str, methods: list[str]) -> Concordance:
    known = _metrics_of(readings, category)
    scores = {name: [_scores(readings, condition, method, name) for method in methods] for name in known}
    whole = [name for name in known if not any(np.isnan(values).all() for values in scores[name])]
    shape = len(whole), len(methods), len(readings.image_ids)
    values = np.array([scores[name] for name in whole]).reshape(shape).swapaxes(1, 2)
    better = [direction for name in whole if (direction := METRICS[name].better)]
    return Concordance(
        category=category,
        condition=condition,
        metrics=tuple(whole),
        left_out=tuple(name for name in known if name not in whole),
        methods=tuple(methods),
        estimate=statistics.concordance(values, better),
    )
