"""From the stores of several audits to their comparison."""

from collections.abc import Sequence
from pathlib import Path

from reports import statistics
from reports.comparison import findings
from reports.comparison.audits import columns_of, read_audits
from reports.comparison.difference import differences
from reports.comparison.networks import kept, network, unlike
from reports.comparison.result import ComparisonResult
from reports.comparison.stability import similarities


def summarise(folders: Sequence[Path], home: Path) -> ComparisonResult:
    """Return the comparison of finished audits for a page in `home`. Raises InputError if a folder is given twice."""
    audits = read_audits(folders)
    compared = ComparisonResult(
        summary=(),
        statistics=statistics.policy(),
        networks=tuple(network(audit, folder, home) for audit, folder in zip(audits, folders, strict=True)),
        columns=columns_of([audit.result for audit in audits]),
        kept=tuple(row for audit in audits for row in kept(audit)),
        similarities=tuple(row for audit in audits for row in similarities(audit)),
        differences=tuple(row for audit in audits for row in differences(audit)),
        reference_meanings={name: text for audit in audits for name, text in audit.result.reference_meanings.items()},
        unlike=tuple(unlike(audits)),
        limits=(),
    )
    sentences = {"summary": tuple(findings.summary(compared)), "limits": tuple(findings.limits(compared))}
    return compared.model_copy(update=sentences)
