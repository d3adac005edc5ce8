"""The fields of the result that hold comparisons of methods."""

from reports.audit.comparisons.equivalences import NoiseEquivalence
from reports.audit.comparisons.family import FamilyComparison
from reports.audit.comparisons.orders import Concordance, RankOrder
from reports.audit.reliability import ReliabilityFields


class ComparisonFields(ReliabilityFields):
    """Fields that this section adds to the result."""

    family: tuple[FamilyComparison, ...]
    """The one declared family of comparisons; all others of the result are exploratory."""
    family_choice: str
    """The choice of outcome and condition of the family."""
    rank_orders: tuple[RankOrder, ...]
    concordances: tuple[Concordance, ...]
    noise_equivalences: tuple[NoiseEquivalence, ...]
