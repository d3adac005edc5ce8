"""Chromium without a window measures a page, as wide as a screen, a phone or a sheet of paper."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any, Literal

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAPER = 703  # CSS pixels between the margins of a sheet of A4 in portrait: 210 mm less two of 12 mm
Scheme = Literal["light", "dark"]
SCHEMES: dict[Scheme, int] = {"dark": 0, "light": 1}
MEASURE = """
const page = document.querySelector("iframe"), found = {};
page.onload = () => {
  const inside = page.contentDocument;
  inside.querySelectorAll("details").forEach(each => { each.open = true; });
  const all = names => [...inside.querySelectorAll(names)];
  const name = each => each.textContent || each.getAttribute("src") || each.getAttribute("aria-label") || "";
  const told = each => each.tagName + " " + name(each).trim().slice(0, 60);
  const isSeen = each => each.getClientRects().length > 0;
  const right = each => each.getBoundingClientRect().right + page.contentWindow.scrollX;
  found.width = inside.documentElement.scrollWidth;
  found.tables = all("table").length;
  const blocks = all("table, caption span, img, svg, pre, p, li, dt, dd, h1, h2, h3");
  found.cut = blocks.filter(each => right(each) > page.clientWidth + 1).map(told);
  found.captions = all("caption span").filter(each => right(each) > page.clientWidth + 1).map(told);
  found.missing = all("img").filter(each => !each.naturalWidth).map(told);
  found.unseen = all("main svg use, main svg image").filter(each => !each.getBoundingClientRect().width).map(told);
  const isNarrow = each => isSeen(each) && each.innerText.length > 3 && each.clientWidth < 30;
  found.narrow = all("th, td").filter(isNarrow).map(told);
  document.body.textContent = JSON.stringify(found);
};
page.src = SOURCE;
"""


def measure(page: Path, width: int, home: Path) -> dict[str, Any]:
    """Return what reaches over the right edge of a page of this width, and the columns that are too narrow."""
    script = MEASURE.replace("SOURCE", json.dumps(page.as_uri()))
    frame = f'<iframe style="border:0;width:{width}px;height:900px"></iframe><script>{script}</script>'
    (home / "frame.html").write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{frame}', encoding="utf-8")
    ended = _run_chromium("--dump-dom", "--virtual-time-budget=20000", (home / "frame.html").as_uri(), home=home)
    (found,) = re.findall(r"<body>(\{.*\})", ended.stdout)
    measured: dict[str, Any] = json.loads(unescape(found))
    return measured


def console_of(page: Path, width: int, scheme: Scheme, home: Path) -> list[str]:
    """Return what a page, opened from disk, writes to the console: errors, and what its policy refuses."""
    opened = (f"--window-size={width},1000", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}")
    log = _run_chromium("--dump-dom", "--enable-logging=stderr", *opened, page.as_uri(), home=home).stderr
    return [line for line in log.splitlines() if ":CONSOLE" in line]


def lay_out_for_print(page: Path, home: Path) -> Path:
    """Return a copy of a page whose style on paper holds on the screen too."""
    copy = home / "printed"
    shutil.copytree(page.parent, copy)
    sheet = (copy / "style.css").read_text(encoding="utf-8")
    (copy / "style.css").write_text(sheet.replace("@media print", "@media all"), encoding="utf-8")
    return copy / page.name


def _run_chromium(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    assert PROGRAM
    options = (
        "--headless",
        "--hide-scrollbars",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--window-size=1600,1000",
    )
    profile = f"--user-data-dir={home / 'profile'}"
    return subprocess.run(
        [PROGRAM, *options, profile, *arguments], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
