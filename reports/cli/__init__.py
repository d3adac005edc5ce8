"""The command `srd-audit`, the only part of reports that starts work."""

from reports.cli.app import main

__all__ = ["main"]
