"""JUnit files, which continuous integrations read."""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from pipeline.machine.writing import write_files
from srd.errors import InputError

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def refuse_no_file(junit: Path) -> None:
    """Refuse a JUnit file that cannot be written.

    Raises
    ------
    InputError
        If there is no folder to write it into, or a folder has its name.
    """
    if junit.is_dir():
        raise InputError(f"--junit {junit}: is a folder; name a file")
    if not junit.parent.is_dir():
        raise InputError(f"--junit {junit}: there is no folder {junit.parent}; make it, or name another file")


def write_suites(root: ElementTree.Element, path: Path) -> None:
    """Write test suites as a file."""
    ElementTree.indent(root)
    content = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    write_files(path.parent, [(path.name, content + b"\n")])


def add_element(parent: ElementTree.Element, tag: str, texts: Mapping[str, str]) -> ElementTree.Element:
    """Add an element whose attributes hold no character that XML forbids: such are written as Python writes them."""
    attributes = {name: _NOT_IN_XML.sub(_escape_character, text) for name, text in texts.items()}
    return ElementTree.SubElement(parent, tag, attributes)


def _escape_character(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()
