"""Which attacks on other methods outdo the attack on the method itself."""

from reports.audit.transfer_tables import TransferCell, TransferRole, TransferRow, TransferTable, stronger_transfers
from reports.result import Estimate


def estimate(low: float, high: float) -> Estimate:
    value = (low + high) / 2
    return Estimate(value=value, low=low, high=high, n=9, unit="", interval="BCa bootstrap", excluded={})


def row(attacked: str, role: TransferRole = "attacked method", **similarity: tuple[float, float]) -> TransferRow:
    cells = tuple(
        TransferCell(
            evaluating=method,
            similarity=estimate(*interval),
            white_box=method == attacked,
            beyond_control=None,
            verdict="",
            reason="",
        )
        for method, interval in similarity.items()
    )
    return TransferRow(role=role, condition=f"manipulate:{attacked}", attacked=attacked, title=attacked, cells=cells)


def table(*rows: TransferRow) -> TransferTable:
    return TransferTable(
        attack="manipulate",
        title="",
        strength=0.1,
        strength_text="0.1",
        similarity="pearson",
        images="all",
        rows=rows,
    )


def found(*rows: TransferRow) -> list[tuple[str, str]]:
    return [(row.attacked, cell.evaluating) for row, cell in stronger_transfers(table(*rows))]


def test_an_attack_on_another_method_outdoes_only_with_its_whole_interval() -> None:
    own = row("srd", srd=(0.5, 0.6), saliency=(0.7, 0.8))
    assert found(own, row("saliency", srd=(0.2, 0.4), saliency=(0.3, 0.4))) == [("saliency", "srd")]
    assert found(own, row("saliency", srd=(0.2, 0.55), saliency=(0.3, 0.4))) == []


def test_noise_and_attacks_on_predictions_are_not_compared() -> None:
    own = row("srd", srd=(0.5, 0.6))
    assert found(own, row("", "attack on the prediction", srd=(0.0, 0.1))) == []


def test_a_method_that_was_not_attacked_has_nothing_to_be_outdone() -> None:
    assert found(row("srd", srd=(0.5, 0.6), grad_cam=(0.0, 0.1))) == []
