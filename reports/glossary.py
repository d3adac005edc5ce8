"""The glossary of a page: at most 25 words, linked where the page first uses them."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "attack unreliable": "The attack fails a check of its own, so what it did not move says nothing of the method.",
        "BCa bootstrap": "An interval from drawing the images again and again, corrected for bias and skew.",
        "calibrated stability": "The likeness of clean and perturbed map, on a scale where 0 is the likeness of the "
        "maps of two images and 1 a map that did not move. Higher is better.",
        "condition": "One perturbation at one strength, or none: the clean images.",
        "control": "A map or a change that knows nothing of network or explanation; what does no better than it shows "
        "nothing.",
        "correlation": "Pearson correlation of two maps over their pixels: 1 = the same, 0 = unrelated.",
        "criterion": "A bound that was set before the audit, on one number of each method.",
        "edges": "The control that marks the edges of the image (Sobel filter), without any network.",
        "explained class": "The class that the maps speak for: that of the clean image, whatever the answer becomes.",
        "faithful": "The answer changes as the map says when pixels are removed in its order.",
        "floor": "The mean correlation of a method's clean maps of two different images.",
        "INCONCLUSIVE": "The images do not decide whether a bound is met.",
        "localisation": "The share of a map that lies on the object that is explained.",
        "manipulation": "An attack that changes pixels a little, so that the map shows something else and the class "
        "stays.",
        "n": "The number of images, or of re-drawn networks, that a number is made from.",
        "own image": "Whether a map is nearer to the clean map of its image than to that of another image.",
        "perturbation": "A change of the image: noise, a corruption or an attack.",
        "re-drawn weights": "Weights drawn at random in place of what was learnt: a map that stays explains nothing "
        "learnt.",
        "softplus": "A smooth stand-in for ReLU, so that an attack can follow the gradient of a map.",
        "SRD": "Sharing ratio decomposition: a method that passes the answer back through the network, to each "
        "vector the share that it had in the next layer's.",
        "SRG": "Symmetric relevance gain: the mean answer when the least relevant pixels go first, less that when the "
        "most relevant go first. Higher is better.",
        "stability": "Likeness of the clean and the perturbed map of one image. High is good only beside the controls.",
        "strength": "How large a perturbation may be: 8/255 is the largest change of any pixel, of 1 from black to "
        "white.",
        "white box": "The attacker reads the network and its gradients.",
        "95 % interval": "Ends between which the value lies for images drawn like these, but for one time in twenty.",
    }
)
"""Word -> what it means. A page shows those that it uses."""
MOST = 25
_TAGS = re.compile(r"(<[^>]*>)")
_OPENS = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_QUIET = frozenset({"a", "code", "head", "header", "h1", "h2", "h3", "h4", "nav", "pre", "summary", "table", "svg"})
"""Elements whose words are not linked."""


def add_glossary(page: str) -> str:
    """Return a page whose words are linked at their first use, with a last section that explains them."""
    main, end, rest = page.partition("</main>")
    used: set[str] = set()
    linked = "".join(_linked_parts(main, used))
    rows = "".join(_row(word) for word in WORDS if word in used)
    section = f'\n<section id="glossary">\n<h2>Glossary</h2>\n<dl class="glossary">\n{rows}</dl>\n</section>\n'
    return f"{linked}{section}{end}{rest}"


def _row(word: str) -> str:
    return f'<dt id="{_anchor(word)}">{escape(word)}</dt><dd>{escape(WORDS[word])}</dd>\n'


def _linked_parts(main: str, used: set[str]) -> Iterator[str]:
    quiet: list[str] = []
    for part in _TAGS.split(main):
        tag = _OPENS.match(part)
        if tag and tag[2] in _QUIET and not part.endswith("/>"):
            if tag[1]:
                quiet.pop()
            else:
                quiet.append(tag[2])
        yield part if quiet or part.startswith("<") else _link_words(part, used)


def _link_words(text: str, used: set[str]) -> str:
    """Return a text with a link at the first use of each word that the page has not linked yet."""
    return _WORD.sub(lambda found: _link(found[0], used), text)


def _link(found: str, used: set[str]) -> str:
    word = _KNOWN.get(found) or _KNOWN.get(found.lower())
    if word is None or word in used:
        return found
    used.add(word)
    return f'<a class="word" href="#{_anchor(word)}">{found}</a>'


def _anchor(word: str) -> str:
    return f"word-{re.sub(r'[^a-z0-9]+', '-', word.lower())}"


def _forms(word: str) -> tuple[str, ...]:
    return (word, f"{word}s") if word.islower() and word not in ("n", "faithful") else (word,)


def _pattern(form: str) -> str:
    """Return the pattern of a word that is no part of another; `n` only where it is counted."""
    return rf"(?<![\w-]){re.escape(form)}(?![\w-])" + (r"(?=\s=\s)" if form == "n" else "")


_KNOWN: Mapping[str, str] = MappingProxyType({form: word for word in WORDS for form in _forms(word)})
_WORD = re.compile("|".join(map(_pattern, sorted(_KNOWN, key=len, reverse=True))), re.IGNORECASE)
