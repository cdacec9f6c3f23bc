"""The words of a text: what full-text search keeps of one, and what it looks for.

A caption, a file's name or what a person typed goes in; words come out. Chinese, Japanese and
Korean leave no spaces to cut at, so their runs are kept as every pair of neighbours and as single
characters: 猫, 海滩 and 红色沙发 are then found without a dictionary. The words of a text stay in
its order, so that a phrase is a row of neighbours; single characters and the parts of names like
`BeachSunset2023` follow at the end. Cases, stems and accents are left to the database, which has
them for both sides.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache
from itertools import chain
from typing import TypeAlias

Term: TypeAlias = tuple[str, ...]  # words that follow one another; mostly it is one

# Radicals, 々 〇, kana and Hangul, the ideographs of the basic plane, and planes 2 and 3.
_CJK = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3041-\u3096\u30a1-\u30fa\u30fc\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = rf"[{_CJK}]+|[^\W{_CJK}]+"
_IS_CJK = rf"[{_CJK}]"
_GAP = rf"(?<=[{_CJK}])\s+(?=[{_CJK}])"
_SMALL = rf"[^\W\d_A-Z{_CJK}]"  # letters that are no capitals, as far as ASCII knows capitals
_PART = rf"\d+|[A-Z]+(?!{_SMALL})|[A-Z]?{_SMALL}+"
_WORD = rf"[^\W_{_CJK}]+"
_LETTER = re.compile(
    ".[\u0300-\u036f\u3099\u309a]*", re.DOTALL
)  # with the accents that are written after it
_QUOTED = re.compile('"([^"]*)"|“([^”]*)”|「([^」]*)」')

# Words that say nothing of what is in a picture, that it is one included. Looked for only where a
# text has no other.
_STOP_WORDS = (
    "a am an and any are as at be been being but by can could d did do does for from had has have "
    "he her hers him his how i if in into is it its ll m me my of off on onto or our over re s she "
    "so some such t than that the their them then there these they this those to too up us ve was "
    "we were what when where which while who whom whose why will with would you your "
    "image images photo photograph photographs photos picture pictures "
    "图片 照片 相片"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
FUNCTION_CHARACTERS = frozenset("的了着在是和与及或也都就被把向从对个一这那有之其而且们吗呢吧啊")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Only once it is used: these classes take as long to compile as a search to answer."""
    return re.compile(pattern)


def indexed(text: str) -> str:
    """The words of a text with spaces between them, as full-text search keeps them."""
    inside: list[str] = []
    after: list[str] = []
    for run in _runs(_compiled(_GAP).sub("", unicodedata.normalize("NFKC", text))):
        words = _in_order(run)
        inside += words
        if not _compiled(_IS_CJK).match(run):
            parts = _compiled(_PART).findall(run)
            after += parts if parts != words else []
        elif len(run) > 1:
            after += run
    return " ".join(inside + after)


def parse(query: str) -> tuple[Term, ...]:
    """What to look for when a person types this, each term once; none where there is no word.

    Any term may be found, and the more of them the better. "In quotes" is one term, as it stands.
    Of a run of Chinese, every pair of neighbours is a term and every character. Stop words are left
    out unless nothing else is there. Nothing in a query is an operator.
    """
    query = unicodedata.normalize("NFKC", query)
    quoted = ["".join(groups) for groups in _QUOTED.findall(query)]
    phrases = [
        tuple(word for run in _runs(_compiled(_GAP).sub("", each)) for word in _in_order(run))
        for each in quoted
    ]
    loose = [term for run in _runs(_QUOTED.sub(" ", query)) for term in _terms(run)]
    telling = phrases + [term for term in loose if not _is_stop(term)]
    return tuple(dict.fromkeys(term for term in telling if term)) or tuple(dict.fromkeys(loose))


def are_scattered(query: str, words: Collection[str]) -> bool:
    """Whether words that were found for a query are single characters of its longer words alone:
    大 and 象 of 大象, which is an elephant.
    """
    runs = set(_runs(unicodedata.normalize("NFKC", query)))
    return bool(words) and all(
        len(word) == 1 and _compiled(_IS_CJK).match(word) and word not in runs for word in words
    )


def spans(text: str, words: Collection[str]) -> list[tuple[int, int]]:
    """Where words that were found for a text are in it, as half-open ranges of its characters.

    In order and apart, in any case; a word that the text has not got is nowhere.
    """
    letters = [(match.start(), match.end()) for match in _LETTER.finditer(text)]
    normal = [unicodedata.normalize("NFKC", text[start:end]) for start, end in letters]
    places = [place for place, piece in zip(letters, normal, strict=True) for _ in piece]
    whole = "".join(normal)
    wanted = {word.casefold() for word in words}
    found = [
        match.span()
        for match in chain(_compiled(_WORD).finditer(whole), _compiled(_PART).finditer(whole))
        if match[0].casefold() in wanted
    ]
    for word in filter(_compiled(_IS_CJK).match, words):
        found += [(start, start + len(word)) for start in _starts(whole, word)]
    covered: list[tuple[int, int]] = []
    for start, end in sorted((places[start][0], places[end - 1][1]) for start, end in found):
        if covered and start <= covered[-1][1]:
            start, end = covered[-1][0], max(end, covered.pop()[1])
        covered.append((start, end))
    return covered


def _runs(text: str) -> list[str]:
    """The words of a text, and its runs of CJK."""
    return _compiled(r"\w+" if text.isascii() else _RUN).findall(text)


def _in_order(run: str) -> list[str]:
    """A run as words that follow one another."""
    if not _compiled(_IS_CJK).match(run):
        return [word for word in run.split("_") if word]
    return _pairs(run) or [run]


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]


def _terms(run: str) -> list[Term]:
    """`IMG_2034` is a phrase; `BeachSunset2023` as it stands, or as a phrase of its parts."""
    if _compiled(_IS_CJK).match(run):
        return [(word,) for word in [*_pairs(run), *run]]
    return [term for term in (tuple(_in_order(run)), tuple(_compiled(_PART).findall(run))) if term]


def _is_stop(term: Term) -> bool:
    return len(term) == 1 and (
        term[0].casefold() in STOP_WORDS or FUNCTION_CHARACTERS.issuperset(term[0])
    )


def _starts(text: str, word: str) -> Iterator[int]:
    start = text.find(word)
    while start >= 0:
        yield start
        start = text.find(word, start + 1)
