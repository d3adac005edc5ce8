"""A page as PDF, printed by a browser, or by WeasyPrint where there is none."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from pipeline.machine.writing import write_files
from srd.errors import PrintError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = ("--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline")
SECONDS = 300


def print_page(page: Path, file: Path) -> None:
    """Print a page as PDF: A4 portrait, tagged, as its style sheet says for paper.

    Raises
    ------
    PrintError
        If there is neither a browser nor WeasyPrint, or if the browser fails.
    """
    browser = find_browser()
    if browser:
        _print_by_browser(browser, page, file)
    elif find_spec("weasyprint"):
        _print_by_weasyprint(page, file)
    else:
        raise PrintError(
            "a PDF needs Chromium, or Chrome, on the PATH, and there is none; install one, or "
            "`pip install srd-audit[pdf]`, or print the page from any browser"
        )


def find_browser() -> str | None:
    """Return the path of a browser that prints; None if none is found."""
    return next(filter(None, map(which, BROWSERS)), None)


def _print_by_browser(browser: str, page: Path, file: Path) -> None:
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # a browser refuses to run as root within its own
    with TemporaryDirectory() as home:
        printed = Path(home) / "page.pdf"
        places = (f"--user-data-dir={home}/profile", f"--print-to-pdf={printed}", page.absolute().as_uri())
        try:
            subprocess.run([browser, *OPTIONS, *sandbox, *places], check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            raise PrintError(f"{browser}: could not print {page}: {error}; print the page from any browser") from error
        if not printed.exists():
            raise PrintError(f"{browser}: printed nothing of {page}; print the page from any browser")
        write_files(file.parent, [(file.name, printed.read_bytes())])


def _print_by_weasyprint(page: Path, file: Path) -> None:
    from weasyprint import HTML

    write_files(file.parent, [(file.name, HTML(filename=str(page)).write_pdf(pdf_variant="pdf/ua-1"))])
