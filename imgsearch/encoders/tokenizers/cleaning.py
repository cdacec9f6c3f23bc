"""What is mended in a text before it is split: the three ways that open_clip has.

In: a text as it was typed. Out: the text that a tokenizer splits, with single spaces. ftfy, which
mends broken encodings, takes longer to load than a tokenizer; a plain text has nothing to mend, so
it is loaded for the others only.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

from imgsearch.errors import UsageError

# What ftfy and html.unescape leave as it is, whatever its order: printable ASCII without the & of
# entities, and the Han characters of the first Unicode, none of which decomposes, is a wide form or
# speaks of a broken encoding.
HAN = "\u4e00-\u9fa5"
_PLAIN = re.compile(f"[ -%'-~{HAN}]*")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def is_plain(text: str) -> bool:
    """Whether mending changes nothing in a text: printable ASCII without `&`, and common Han."""
    return _PLAIN.fullmatch(text) is not None


def cleaner(name: str) -> Callable[[str], str]:
    """What open_clip calls `clean=name`: "lower", "whitespace" or "canonicalize".

    Raises UsageError for another name.
    """
    if name not in _CLEANERS:
        raise UsageError(
            f"a tokenizer cannot clean its texts by {name!r}; give one of {', '.join(_CLEANERS)} "
            "as clean in its tokenizer_kwargs"
        )
    return _CLEANERS[name]


def _mended(text: str) -> str:
    if is_plain(text):
        return text
    import html

    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text)))


def _spaced(text: str) -> str:
    return " ".join(_mended(text).split())


def _lower(text: str) -> str:
    return _spaced(text).lower()


def _canonical(text: str) -> str:
    bare = _mended(text).strip().replace("_", " ").translate(_NO_PUNCTUATION)
    return " ".join(bare.lower().split())


_CLEANERS = {"lower": _lower, "whitespace": _spaced, "canonicalize": _canonical}
