"""docs/messages.md lists every refusal, and each says a way out."""

from measured_table import DOCS
from messages_page import messages, page


def test_the_page_lists_every_message_of_the_sources() -> None:
    assert (DOCS / "messages.md").read_text(encoding="utf-8") == page(), "make docs-messages writes it"


def test_there_are_messages_of_every_part() -> None:
    found = {message.file.split("/")[1] for message in messages() if message.file.startswith("pipeline/")}
    assert found >= {"spec", "inputs", "execution", "store", "verification"}


def test_what_is_refused_of_the_users_input_has_a_way_out() -> None:
    """A way out stands behind a semicolon, or is what the last part of a message names."""
    refused = [each for each in messages() if each.kind in {"SpecError", "DataError", "ModelError", "StoreError"}]
    without = [each for each in refused if ";" not in each.text and ": " not in each.text and "{" not in each.text]
    assert not without
