"""A page as one file, which can be mailed: style, figures and maps inside, no link that leaves it."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256

MOST = 5_000_000
"""The most bytes of the file."""
_STYLE = re.compile(r'<link rel="stylesheet" href="[^"]*">')
_POLICY = re.compile(r'(http-equiv="Content-Security-Policy" content=")[^"]*')
_DATA_LINK = re.compile(r' ?<a class="data"[^>]*>.*?</a>')
_OTHER_PAGE = re.compile(r'<li><a href="(?!#)[^"]*">[^<]*</a></li>\n?')
_LINK = re.compile(r'<a(?: class="[^"]*")? href="(?!#)[^"]*">(.*?)</a>', re.DOTALL)
_FIGURE = re.compile(r'(<img src=")([^"]*)"')
_SHEET = re.compile(r'<image href="([^"]*)"( width="[^"]*" height="[^"]*")/>')
_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def single_file(page: str, style: str, files: Mapping[str, bytes]) -> str:
    """Return a page that needs no other file.

    Parameters
    ----------
    files
        The pictures that the page shows, by their paths in it. One that is shown several times is held once.
    """
    digest = b64encode(sha256(style.encode()).digest()).decode()
    page = _POLICY.sub(rf"\g<1>default-src 'none'; img-src data:; style-src 'sha256-{digest}'", page)
    page = _STYLE.sub(lambda _: f"<style>{style}</style>", page)
    page = _LINK.sub(r"\g<1>", _OTHER_PAGE.sub("", _DATA_LINK.sub("", page)))
    page = _FIGURE.sub(lambda found: f'{found[1]}{data_address(found[2], files[found[2]])}"', page)
    return _hold_sheets_once(page, files)


def data_address(name: str, content: bytes) -> str:
    """Return the content of a picture as an address."""
    return f"data:{_TYPES[name.rpartition('.')[2]]};base64,{b64encode(content).decode()}"


def _hold_sheets_once(page: str, files: Mapping[str, bytes]) -> str:
    """Return the page with each sheet of panels at its beginning, to which all panels refer."""
    sizes = dict(_SHEET.findall(page))
    ids = {name: f"sheet-{number}" for number, name in enumerate(sizes, 1)}
    page = _SHEET.sub(lambda found: f'<use href="#{ids[found[1]]}"/>', page)
    sheets = "".join(
        f'<image id="{ids[name]}" href="{data_address(name, files[name])}"{size}/>' for name, size in sizes.items()
    )
    held = f'<svg class="sheets" width="0" height="0" aria-hidden="true"><defs>{sheets}</defs></svg>'
    return page.replace("<body>", f"<body>\n{held}", 1)
