"""Names and values that look like secrets: a spec holds none, because it is copied into the run's folder."""

import re
from urllib.parse import unquote

WAY_OUT = "looks like a secret, and specs are copied and printed; remove it and set it in the environment"
"""What a refusal says after the name, and never after the value."""

_NAME = re.compile(
    r"""
    secret | token(?!i[sz]) | passw(or)?d | passphrase | [_-]pwd$ | credential | authorization
    | connection_?string | (access|account|api|customer|encryption|master|private|sas|service_account|shared)[_-]?key
    | (^|[_-])key$ | shared_?access_?signature | (^|-)sig(nature)?$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ASSIGNMENT = re.compile(r"""(?<![\w.-])([\w.-]++)=(?!["']?[$`])(?=["']?[^\s&;"'])""")
"""A name and `=` before a value, as in a URL, a shell or a connection string; `$...` names another place."""
_VALUE = re.compile(
    r"""
    (?! (?-i:torchvision:\w+@[A-Z][A-Z0-9_]*) $)    # a network and its weights
      (^|//) [^\s/@:]* : [^/@]+ @ (?![a-z0-9]+:[0-9a-f]{32})    # user:password@, but no image:tag@sha256:...
    | \b (?-i:AKIA|ASIA) [A-Z0-9]{16} \b
    | \b gh[opsru]_ [A-Za-z0-9]{30} | \b github_pat_ | \b glpat- | \b hf_ [A-Za-z0-9]{30} | \b xox[abprs]-
    | \b AIza [\w-]{35} | (?<![\w-]) eyJ [\w-]+ \. eyJ
    | BEGIN\ [A-Z\ ]{0,30} PRIVATE\ KEY
    | ["']private_key(_id)?["'] \s* :
    | \b bearer \s+ [\w.~+/-]{8}
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_secret_name(name: str) -> bool:
    """Return whether a setting of this name holds a secret; case does not matter."""
    return bool(_NAME.search(name))


def is_secret_value(text: str) -> bool:
    """Return whether a text holds a password, a key or a signature, whatever its name."""
    return any(_holds_secret(form) for form in {text, unquote(text)})


def _holds_secret(text: str) -> bool:
    return bool(_VALUE.search(text)) or any(is_secret_name(found[1]) for found in _ASSIGNMENT.finditer(text))
