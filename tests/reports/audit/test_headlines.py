"""Which attacks the summary speaks of."""

from collections.abc import Callable

from reports.audit.sections import AuditResult
from reports.audit.transfer_tables import headlines

Made = Callable[..., AuditResult]
VALUES = {"srd": 0.9, "saliency": 0.8, "grad_cam": 0.8}


def attacked(result: AuditResult) -> list[tuple[str, list[str]]]:
    return [(each.table.strength_text, [cell.evaluating for cell in each.cells]) for each in headlines(result)]


def test_every_attacked_method_is_spoken_of_at_its_largest_strength(made: Made) -> None:
    names = ("srd@4/255", "srd@16/255", "saliency@4/255", "saliency@8/255", "grad_cam@8/255")
    result = made({f"manipulate:{name}": VALUES for name in names}, methods=tuple(VALUES))
    assert attacked(result) == [("16/255", ["srd"]), ("8/255", ["saliency", "grad_cam"])]


def test_only_correlation_over_all_images_is_spoken_of(made: Made) -> None:
    result = made({"manipulate:srd@8/255": VALUES}, methods=tuple(VALUES))
    (table,) = result.transfer
    others = ({"similarity": "ssim"}, {"images": "prediction kept"})
    more = tuple(table.model_copy(update=change) for change in others)
    (headline,) = headlines(result.model_copy(update={"transfer": (*more, table)}))
    assert headline.table == table
    assert headline.attack == "manipulation at 8/255"


def test_noise_is_no_attack(made: Made) -> None:
    assert headlines(made({"random_sign@8/255": VALUES}, methods=tuple(VALUES))) == ()
