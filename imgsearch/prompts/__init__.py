"""Templates per language and how a query is filled into them; which language a query is in.

A text goes in; out come the prompts that are embedded in its place. The templates are data
(`en.json`, `zh.json`, with source and licence), read on first use and without torch. A template is
filled by replacing its `{}`, not with str.format: a person may well search for braces.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from imgsearch.errors import UsageError

Policy: TypeAlias = Literal["auto", "raw", "photo", "seven", "ensemble"]
POLICIES: tuple[Policy, ...] = ("auto", "raw", "photo", "seven", "ensemble")

LANGUAGES = ("en", "zh")
RAW = ("{}",)
LABEL_POLICY: Policy = "ensemble"  # what auto means for "dogs" and "金鱼"
SENTENCE_POLICY: Policy = "raw"  # and for everything longer

# Radicals, 々 〇 and the Suzhou numerals, the basic block with extension A, the compatibility
# ideographs, and planes 2 and 3, which Unicode keeps for ideographs alone.
_HAN = (
    "[\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"\w+(?:[-'’]+\w+)*")  # t-shirt and jack-o'-lantern are one word each
_LABEL_WORDS, _LABEL_HAN = 3, 4


def language_of(text: str) -> Literal["en", "zh"]:
    """The language a query is answered in: zh as soon as one character is Han, en otherwise."""
    return "zh" if not text.isascii() and _han().search(text) else "en"


def space_han(text: str) -> str:
    """Put a space around every Han character: a tokenizer then takes each for a word."""
    return text if text.isascii() else _han().sub(lambda character: f" {character[0]} ", text)


def is_label(text: str) -> bool:
    """Whether a text reads as a label rather than a sentence: "golden retriever", "金鱼".

    Up to three words and up to four Han characters, and no punctuation but hyphens and
    apostrophes inside a word. The empty text is no label.
    """
    rest, han = (text, 0) if text.isascii() else _han().subn(" ", text)
    words = len(_WORD.findall(rest))
    has_punctuation = bool(_WORD.sub("", rest).strip())
    return han + words > 0 and han <= _LABEL_HAN and words <= _LABEL_WORDS and not has_punctuation


def templates(policy: Policy, text: str, language: str) -> tuple[str, ...]:
    """The templates a query is filled into, each with one `{}`; ("{}",) leaves it as it stands.

    auto asks `is_label`: a label is ensembled over the whole set of the language, a sentence is
    left as it stands, and so is a label in a language there are no templates for.

    Raises UsageError for a policy or a language there are no templates for.
    """
    if policy == "auto":
        is_known = language in LANGUAGES
        policy = LABEL_POLICY if is_known and is_label(text) else SENTENCE_POLICY
    if policy == "raw":
        return RAW
    if policy not in POLICIES:
        raise UsageError(f"no prompt policy is called {policy!r}; there are {', '.join(POLICIES)}")
    return _template_sets(language)[policy]


def expand(text: str, templates: Sequence[str]) -> list[str]:
    """Fill a text into each template, in their order."""
    return [template.replace("{}", text) for template in templates]


def templates_key(templates: Sequence[str]) -> str:
    """Sixteen hex digits that name exactly these templates in this order; for the cache."""
    return hashlib.sha256(json.dumps(list(templates)).encode()).hexdigest()[:16]


@cache
def _han() -> re.Pattern[str]:
    """Only for a text that is not ASCII: to compile it takes longer than to use it."""
    return re.compile(_HAN)


@cache
def _template_sets(language: str) -> dict[str, tuple[str, ...]]:
    if language not in LANGUAGES:
        raise UsageError(
            f"no templates for the language {language!r}; there are en and zh, "
            "or search with the prompt policy raw"
        )
    document = json.loads(Path(__file__).with_name(f"{language}.json").read_text("utf-8"))
    return {name: tuple(document[name]) for name in ("photo", "seven", "ensemble")}
