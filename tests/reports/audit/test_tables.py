"""Tables from results whose numbers are known: 0.2 is 0.2 +- 0.05 over 9 images."""

from collections.abc import Callable

from reports.audit import localisation, stability
from reports.audit import scale as scales
from reports.audit import transfer as transfers
from reports.audit.sections import AuditResult
from reports.cells import Cell

Made = Callable[..., AuditResult]
VALUES = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
ENTRIES = {
    "random_sign@8/255": VALUES,
    "random_sign@16/255": VALUES | {"saliency": 0.7},
    "manipulate:srd@8/255": VALUES | {"srd": 0.5},
    "manipulate:srd@16/255": VALUES | {"srd": 0.2},
    "manipulate:saliency@8/255": VALUES | {"saliency": 0.4},
}


def scale(result: AuditResult) -> dict[str, dict[str, Cell]]:
    """Method -> heading -> cell."""
    table = scales.table(result)
    return {row[0].text: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_each_method_is_shown_at_the_largest_strength_it_was_attacked_with(made: Made) -> None:
    rows = scale(made(ENTRIES))
    attack, noise = "Manipulation, 16/255, method itself", "Random signs, 16/255"
    assert [list(row) for row in rows.values()] == [[noise, attack]] * 3
    srd, saliency, random = (rows[name][attack] for name in ("SRD", "Saliency", "Random (control)"))
    assert (srd.text, plain(srd.detail)) == ("0.200", "[0.150, 0.250]\nn = 9")
    assert (saliency.text, plain(saliency.detail)) == ("0.400", "[0.350, 0.450]\nn = 9\nat 8/255")
    assert random.detail == "not attacked"
    assert rows["Saliency"][noise].text == "0.700"
    assert "at " not in rows["Saliency"][noise].detail


def test_an_attack_no_better_than_noise_is_marked_with_the_verdict_of_its_own_condition(made: Made) -> None:
    rows = scale(made(ENTRIES, verdicts={"manipulate:saliency@8/255": "attack unreliable"}))
    srd, saliency = (rows[name]["Manipulation, 16/255, method itself"] for name in ("SRD", "Saliency"))
    assert (srd.mark, saliency.mark) == ("", "unreliable")
    assert saliency.detail.endswith("at 8/255\nattack unreliable")


def test_a_method_that_only_others_attacks_meet_is_not_attacked(made: Made) -> None:
    rows = scale(made({"manipulate:srd@8/255": VALUES}))
    assert rows["Saliency"]["Manipulation, 8/255, method itself"].detail == "not attacked"


def test_every_strength_has_a_column_in_which_each_method_is_under_its_own_attack(made: Made) -> None:
    table = stability.table(made(ENTRIES), "pearson", "all")
    sizes = ("Random signs, 8/255", "Random signs, 16/255")
    assert table.header == (
        "method",
        *sizes,
        "Manipulation, 8/255, method itself",
        "Manipulation, 16/255, method itself",
    )
    assert {row[0].text: [cell.text for cell in row[1:]] for row in table.rows} == {
        "SRD": ["0.900", "0.900", "0.500", "0.200"],
        "Saliency": ["0.800", "0.700", "0.400", "\N{EN DASH}"],
        "Random (control)": ["0.000", "0.000", "\N{EN DASH}", "\N{EN DASH}"],
    }


def test_in_a_transfer_table_methods_are_rows_and_attacks_are_columns(made: Made) -> None:
    (found,) = made({name: ENTRIES[name] for name in ENTRIES if name.endswith("@8/255")}).transfer
    table = transfers.table(found, {})
    assert table.header == ("evaluating method", "Random signs (control)", "SRD", "Saliency")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["SRD", "0.900", "0.500", "0.900"],
        ["Saliency", "0.800", "0.800", "0.400"],
        ["Random (control)", "0.000", "0.000", "0.000"],
    ]
    marked = [(row[0].text, table.header[place]) for row in table.rows for place, cell in enumerate(row)
              if cell.mark == "white-box"]  # fmt: skip
    assert marked == [("SRD", "SRD"), ("Saliency", "Saliency")]


def test_methods_are_grouped_by_family(made: Made) -> None:
    result = made(ENTRIES, localisation={"srd": 0.5, "saliency": 0.4, "random": 0.1})
    (transfer, _) = result.transfer
    for table in (
        scales.table(result),
        localisation.table(result),
        stability.table(result, "pearson", "all"),
        transfers.table(transfer, {}),
    ):
        assert [row[0].group for row in table.rows] == ["decomposition", "gradient", "control"]


def test_reference_similarities_stand_beside(made: Made) -> None:
    rows = scale(made({}, other_class={"srd": 0.3, "saliency": 0.6, "random": 0.1}))
    assert {name: row["clean map, other class"].text for name, row in rows.items()} == {
        "SRD": "0.300",
        "Saliency": "0.600",
        "Random (control)": "0.100",
    }


def test_every_reason_why_an_image_was_left_out_is_told(made: Made) -> None:
    assert list(scales.exclusion_notes(made(ENTRIES))) == []
    (sentence,) = scales.exclusion_notes(made({"random_sign@8/255": VALUES | {"srd": None}}))
    assert sentence == "Images left out of a mean are counted beside it. Why: the map has nothing to compare."
    assert list(scales.exclusion_notes(made({}, other_class={"srd": None}))) == [sentence]


def test_a_note_of_several_methods_stands_once(made: Made) -> None:
    result = made({}, notes={"srd": "one", "saliency": "two", "random": "one"})
    assert scales.grouped_notes(result) == [("SRD and Random (control)", "one"), ("Saliency", "two")]
