"""Writes the pages of docs that are measured or read from the sources; other pages are written by their own tests."""

import sys
from collections.abc import Callable

import baselines_page
import families_page
import messages_page
import metrics_page
from measured_table import DOCS

PAGES: dict[str, Callable[[], str]] = {
    "families": families_page.page,
    "baselines": baselines_page.page,
    "metrics": metrics_page.page,
    "messages": messages_page.page,
}


def main(names: list[str]) -> None:
    for name in names or PAGES:
        (DOCS / f"{name}.md").write_text(PAGES[name](), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
