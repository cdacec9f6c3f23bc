r"""A text as a Query: what is added and subtracted, and under which conditions.

The grammar, clause by clause; rclip's, with PhotoPrism's keys:

    a black cat               words join with spaces, and are one term
    horse + stripes - grass   + and - that stand alone add and subtract terms
    - fruit                   the first term may be subtracted too
    t-shirt, C++              inside a word they are text
    2:horse + 0.5:stripes     a number and a colon before a term are its weight
    16:9, 7:30                numbers on both sides of a colon are text
    ./pool.jpg                a term that names a picture is that picture (see pictures.py)
    "./a - b.jpg" + snow      its path may stand in quotes
    id:123                    a photo of the library
    https://a.org/b.jpg       a picture on the web, where addresses are allowed
    dog year:2021|2023        a known key and a value, wherever they stand, are a condition
    camera:"Canon EOS 5D"     a value with spaces stands in quotes
    note: this                a colon before a space is text, but behind a known key or a weight
    note\:this                and so is one after a backslash
    狗 ＋ 雪 year：2021         full-width signs, and such a colon behind a known key, are signs;
                              备注：这个 is text
    "rock + roll"             in quotes nothing means anything, and the quotes are kept: the words
                              are looked for as they stand (see words.py)

Quotes are "..." where a word or a value begins, “...” and 「...」 anywhere. A condition is no part
of a sum: + and - want a term beside them. What is none of this is text, as it was typed but for its
spaces. What can only be a mistake, such as an unknown key, is a QueryError.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch.errors import QueryError
from imgsearch.queries.keys import ALIASES, KEYS, Value, together
from imgsearch.queries.pictures import existing_picture, picture_named
from imgsearch.queries.query import Address, Asked, PhotoId, Picture, Query, Subject, Term, Words

LEAST_WEIGHT, GREATEST_WEIGHT = 0.001, 1000.0

_QUOTED = r"""(?<![^\s:|])"[^"]*"|“[^”]*”|「[^」]*」"""
_WORD = re.compile(rf"(\s*)((?:{_QUOTED}|\S)+)")
_ALL_QUOTED = re.compile(rf"(?:{_QUOTED})")
_NUMBERS = re.compile(r"[0-9]+(?::[0-9]+)+")
_WEIGHT = re.compile(
    r"([+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)):(.+)",
    re.IGNORECASE | re.DOTALL,
)
_NO_SUBJECT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+):")
_KEYED = re.compile(r"([^\W\d_][\w-]*):(.*)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_PHOTO = re.compile("id:(.+)", re.IGNORECASE | re.DOTALL)
_WIDE_COLON = re.compile("([a-z]+)：(?=.)", re.IGNORECASE | re.DOTALL)
_WIDE_SIGNS = {"＋": "+", "－": "-"}


@dataclass
class _Draft:
    """A term as it is read: the sign before it, its words with the space before each."""

    sign: str = ""
    weight: float | None = None
    words: list[str] = field(default_factory=list)

    @property
    def is_begun(self) -> bool:
        return bool(self.words) or self.weight is not None

    @property
    def text(self) -> str:
        return "".join(self.words).strip()


@dataclass(frozen=True)
class _Names:
    """What a term may name besides words and photos of the library."""

    endings: Collection[str]
    allows_addresses: bool


def parse(
    text: str, *, picture_endings: Collection[str] = (), allows_addresses: bool = False
) -> Query:
    """A text as a Query, by the grammar above. It has a term or a condition, or both.

    `picture_endings` (".jpg") are what the names of pictures end in; without any, no term is a
    picture, so that a text from a stranger reads no files. Raises QueryError.
    """
    if not text.strip():
        raise _empty()
    whole = existing_picture(text.strip(), picture_endings)  # a name may well hold a ` - `
    if whole is not None:
        return Query((Term(Picture(whole)),))
    drafts, pairs = _read(text)
    names = _Names(picture_endings, allows_addresses)
    terms = tuple(_term(draft, names) for draft in drafts if draft.sign or draft.is_begun)
    return Query(terms, together(pairs))


def query_of(asked: Asked) -> Query:
    """A Query of whatever one may search with from Python; a text names no files and no addresses.

    Raises QueryError.
    """
    if isinstance(asked, Query):
        return asked
    if isinstance(asked, str):
        return parse(asked)
    if isinstance(asked, Path):
        return Query((Term(Picture(asked)),))
    if isinstance(asked, int):
        return Query((Term(PhotoId(asked)),))
    return Query((Term(asked),))


def cleaned(text: str) -> str:
    """A text with single spaces. Raises QueryError for one that is empty or no text."""
    text = " ".join(text.split())
    if not text:
        raise _empty()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            f"the query {text!r} is not valid text; type it anew, or search for a picture by its "
            "path"
        ) from error
    return text


def _empty() -> QueryError:
    return QueryError("the query is empty; say what to look for: imgsearch search a black cat")


def _read(text: str) -> tuple[list[_Draft], list[tuple[str, Value]]]:
    """The terms of a text, and the keys and values of its conditions."""
    drafts, pairs = [_Draft()], list[tuple[str, Value]]()
    for gap, typed in _WORD.findall(text):
        word = _narrow(typed)
        if word in ("+", "-"):
            drafts.append(_Draft(word))
            continue
        draft = drafts[-1]
        if not draft.is_begun:
            draft.weight, word = _weighted(word)
        keyed = _KEYED.fullmatch(word)
        if keyed is None or _is_subject(word) or not (keyed[2] or _is_key(keyed[1])):
            draft.words.append(gap + word)
        elif _is_key(keyed[1]):
            pairs.append((keyed[1].lower(), _value(word, keyed[2])))
        else:
            raise _unknown(word, keyed[1])
    return drafts, pairs


def _narrow(word: str) -> str:
    """A word whose sign or colon a Chinese keyboard typed, as if another had."""
    found = _WIDE_COLON.match(word)
    if found and (_is_key(found[1]) or re.fullmatch("(?i:id)：[0-9]+", word)):
        return f"{found[1]}:{word[found.end() :]}"
    return _WIDE_SIGNS.get(word, word)


def _is_key(name: str) -> bool:
    return name.lower() in KEYS or name.lower() in ALIASES


def _weighted(word: str) -> tuple[float | None, str]:
    """The weight before a term's first word, and the word; None without one."""
    if _NO_SUBJECT.fullmatch(word):
        raise QueryError(
            f"the weight {word} has nothing after it; write {word}stripes, and to look for it as "
            rf"words, {word[:-1]}\:"
        )
    found = _WEIGHT.fullmatch(word)
    if not found or _NUMBERS.fullmatch(word):
        return None, word
    weight = float(found[1])
    if not LEAST_WEIGHT <= weight <= GREATEST_WEIGHT:
        raise QueryError(
            f"{found[1]}: is no weight; a term is taken from {LEAST_WEIGHT:g} to "
            f"{GREATEST_WEIGHT:g} times, as 2:{found[2]}, and subtracted after a - of its own"
        )
    return weight, found[2]


def _is_subject(word: str) -> bool:
    """Whether a word with a colon is no key and its value: an address, a photo, a path."""
    return any(each.match(word) for each in (_ADDRESS, _PHOTO, _DRIVE))


def _value(word: str, value: str) -> str:
    """The value of a condition without its quotes."""
    if not value:
        raise QueryError(
            f"{word} has nothing after it; write what it is to be right behind the colon, without "
            rf"a space, and to look for it as words, {word[:-1]}\:"
        )
    bare = _ALL_QUOTED.sub(lambda quoted: quoted[0][1:-1], value)
    if value.startswith('"') and bare == value:
        raise QueryError(f'{word} begins a quotation that has no end; close it with a "')
    return _unescaped(bare)


def _unknown(word: str, key: str) -> QueryError:
    escaped = word.replace(":", r"\:", 1)
    return QueryError(
        f"{word!r} reads as a condition, and there is no key {key}:; there are "
        f"{', '.join(f'{each}:' for each in KEYS)}. To look for it as words, write {escaped}"
    )


def _term(draft: _Draft, names: _Names) -> Term:
    weight = 1.0 if draft.weight is None else draft.weight
    if draft.words:
        return Term(_subject(draft, names), -weight if draft.sign == "-" else weight)
    if not draft.sign:
        raise QueryError(f"the weight {weight:g}: has nothing after it; write 2:stripes")
    raise QueryError(
        f"the {draft.sign} has nothing after it that could be "
        f"{'added' if draft.sign == '+' else 'subtracted'}: write horse {draft.sign} stripes, "
        f'or "{draft.sign}" in quotes to look for it as a word'
    )


def _subject(draft: _Draft, names: _Names) -> Subject:
    if len(draft.words) == 1 and (named := _named(draft.text, names)):
        return named
    if path := existing_picture(draft.text, names.endings):  # its name may hold spaces
        return Picture(path)
    for word in draft.words:
        if other := _named(word.strip(), names):
            what = {PhotoId: "a photo", Address: "an address"}.get(type(other), "a picture")
            raise QueryError(
                f"{word.strip()!r} is {what} and the term {draft.text!r} holds other words as "
                "well; put a + or a - between them: ./cat.jpg + snow"
            )
    return Words(cleaned(_unescaped(draft.text)))


def _named(text: str, names: _Names) -> Subject | None:
    """The photo, the address or the picture that a term or a word names; None: it is words."""
    if (photo := _PHOTO.fullmatch(text)) and not re.search(r"\s", text):
        if not re.fullmatch("[0-9]+", photo[1]):
            raise QueryError(f"{text} names no photo: ids are numbers, as id:123")
        return PhotoId(int(photo[1][:100]))  # of thousands of digits Python reads none
    if _ADDRESS.match(text) and not re.search(r"\s", text):
        if not names.allows_addresses:
            raise QueryError(
                f"{text} is an address, and nothing is fetched unasked; allow it with --allow-url"
            )
        return Address(text)
    if _ALL_QUOTED.fullmatch(text):
        path = existing_picture(text[1:-1], names.endings)
    else:
        path = picture_named(_unescaped(text), names.endings)
    return None if path is None else Picture(path)


def _unescaped(text: str) -> str:
    return text.replace(r"\:", ":")
