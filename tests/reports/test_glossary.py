"""The glossary: few words, each linked where the page first uses it, and nowhere where a link would be wrong."""

import re

import pytest

from reports.glossary import MOST, WORDS, add_glossary


def body(text: str) -> str:
    return f"<html><head><title>edges</title></head><body><main>{text}</main><footer>edges</footer></body></html>"


def test_it_has_few_words_that_are_explained_in_a_sentence() -> None:
    assert len(WORDS) <= MOST
    assert all(meaning.endswith(".") for meaning in WORDS.values())


def test_the_first_use_of_a_word_is_linked_to_its_meaning() -> None:
    page = add_glossary(body("<p>The floor, and the floor again. Conditions.</p>"))
    assert '<p>The <a class="word" href="#word-floor">floor</a>, and the floor again. ' in page
    assert '<a class="word" href="#word-condition">Conditions</a>' in page
    assert re.findall(r'<dt id="([^"]*)">', page) == ["word-condition", "word-floor"]


@pytest.mark.parametrize("element", ["a", "code", "h2", "pre", "summary", "table"])
def test_no_word_is_linked_inside_of(element: str) -> None:
    shown = f"<{element}>the floor</{element}>"
    page = add_glossary(body(f"{shown}<p>floor</p>"))
    assert shown in page
    assert '<p><a class="word"' in page


@pytest.mark.parametrize("text", ["floors-above", "refloor", "INCONCLUSIVELY", "number n of n", "data-floor"])
def test_a_part_of_another_word_is_no_use(text: str) -> None:
    assert 'class="word"' not in add_glossary(body(f"<p>{text}</p>"))


def test_n_is_a_word_where_it_counts() -> None:
    assert '<a class="word" href="#word-n">n</a> = 8' in add_glossary(body("<p>(n = 8)</p>"))


def test_words_that_are_not_used_are_not_explained_and_attributes_stay() -> None:
    page = add_glossary(body('<p title="the floor">nothing</p>'))
    assert "<dt" not in page
    assert '<p title="the floor">' in page
