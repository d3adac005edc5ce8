"""Measures what the pages of figures in docs say, and writes them; other pages are written by their own tests."""

import baselines_page
import families_page
from measured_table import DOCS


def main() -> None:
    for name, page in {"families": families_page.page, "baselines": baselines_page.page}.items():
        (DOCS / f"{name}.md").write_text(page())


if __name__ == "__main__":
    main()
