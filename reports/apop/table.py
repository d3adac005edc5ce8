"""The rates of activation-pattern-only prediction as a table on the terminal."""

from rich.table import Table

from reports.apop.result import ApopResult
from reports.formatting import NONE, interval, percent, size, value
from reports.result import Estimate


def table(result: ApopResult) -> Table:
    """Return a table with a row for the images themselves, then one for each replacement."""
    caption = (
        f"{size(result.clean)}, 95 % Wilson intervals. Chance {percent(result.chance)}, most frequent label "
        f"{percent(result.most_frequent)}."
    )
    title = "Activation-pattern-only prediction"
    table = Table("the network reads", "right class", "class of the clean image", title=title, caption=caption)
    table.add_row("the image itself", _share_in_words(result.clean), NONE)
    for row in result.replaced:
        table.add_row(row.title, _share_in_words(row.accuracy), _share_in_words(row.agreement))
    return table


def _share_in_words(estimate: Estimate) -> str:
    return f"{value(estimate)} {interval(estimate)}"
