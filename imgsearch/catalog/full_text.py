"""Full-text search over captions and file names, in SQLite's FTS5; nothing outside speaks it.

Terms go in, photos come out, best first. A photo is one document of two columns, the words of all
its captions and of the names of its live files: measured on Flickr8K, that finds the photo of a
sentence first in 58 of 100 cases, where the sum over captions that are documents of their own does
in 51. Triggers keep a photo's document in step with its rows in the transaction that changes them,
so no writer can forget; a photo without a live file has none. A `Writer`'s transaction lets them
only note the photo, and makes its document anew once, at the end (`deferred`): the captions of a
photo would else cost the square of their number.

All of it is derived, and no revision knows it: every upgrade of the catalog drops it and makes it
anew, the `words` columns included, and so does `doctor`.
"""

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, Row, Select, Update, bindparam, select, text, update

from imgsearch.catalog.connection import ROWS_AT_ONCE, pieces
from imgsearch.catalog.rows import WordMatch
from imgsearch.catalog.tables import CaptionEntry, File
from imgsearch.errors import LibraryDamagedError
from imgsearch.words import Term, indexed

Column: TypeAlias = Literal["captions", "names"]
COLUMNS: tuple[Column, ...] = ("captions", "names")

# A private character stands between two captions: no phrase reaches from one into the next.
DOCUMENTS = """
    CREATE VIEW photo_documents AS
    SELECT id AS photo_id,
        coalesce((SELECT group_concat(words, ' ' || char(57344) || ' ') FROM
            (SELECT words FROM captions WHERE photo_id = photos.id ORDER BY id)), '') AS captions,
        (SELECT group_concat(words, ' ' || char(57344) || ' ') FROM (SELECT words FROM files
            WHERE photo_id = photos.id AND state = 'live' ORDER BY id)) AS names
    FROM photos
    WHERE EXISTS (SELECT 1 FROM files WHERE photo_id = photos.id AND state = 'live')
"""
INDEX = """
    CREATE VIRTUAL TABLE photo_words USING fts5(
        captions, names, tokenize = 'porter unicode61 remove_diacritics 2'
    )
"""
# Photos whose documents are out of step, and HELD, which no photo is, while triggers are to leave
# it at that. Both come and go in one transaction: no other program ever sees a row.
STALE = "CREATE TABLE photo_words_stale (photo_id INTEGER PRIMARY KEY)"
HELD = 0
IS_HELD = f"EXISTS (SELECT 1 FROM photo_words_stale WHERE photo_id = {HELD})"
# table -> the columns that a photo's document is made of
WATCHED = {"captions": "photo_id, words", "files": "photo_id, state, words"}
START, END = "\x02", "\x03"  # around what matched; no word has them
MATCHES = """
    SELECT rowid, -rank, highlight(photo_words, 0, :start, :end),
        highlight(photo_words, 1, :start, :end)
    FROM photo_words
    WHERE photo_words MATCH :question {only}
    ORDER BY rank LIMIT :limit
"""
CAPTION_WORDS = (
    select(CaptionEntry.photo_id, CaptionEntry.id, CaptionEntry.words, CaptionEntry.source)
    .where(CaptionEntry.photo_id.in_(bindparam("photo_ids", expanding=True)))
    .order_by(CaptionEntry.source.desc(), CaptionEntry.id)  # a person's own first, generated last
)
FILE_WORDS = (
    select(File.photo_id, File.id, File.words)
    .where(File.photo_id.in_(bindparam("photo_ids", expanding=True)), File.state == "live")
    .order_by(File.id)
)
# The plus keeps SQLite from starting the search once for every photo of the list.
ONLY = "AND +rowid IN (SELECT value FROM json_each(:only))"


def match(
    engine: Engine,
    terms: Sequence[Term],
    *,
    columns: Collection[Column],
    only: npt.NDArray[np.int64] | None,
    limit: int,
) -> list[WordMatch]:
    """See `Catalog.match_words`."""
    if not terms or not columns or (only is not None and not len(only)):
        return []
    values: dict[str, object] = {
        "question": _question(terms, columns),
        "limit": limit,
        "start": START,
        "end": END,
    }
    if only is not None:
        values["only"] = json.dumps(only.tolist())
    statement = text(MATCHES.format(only="" if only is None else ONLY))
    with engine.connect() as connection:
        rows = connection.execute(statement, values).all()
        captions = {photo_id: _marked(marked) for photo_id, _, marked, _ in rows}
        names = {photo_id: _marked(marked) for photo_id, _, _, marked in rows}
        told = _richest(connection, CAPTION_WORDS, captions)
        named = _richest(connection, FILE_WORDS, names)
    return [
        WordMatch(
            photo_id,
            score,
            told[photo_id].id if photo_id in told else None,
            told[photo_id].source if photo_id in told else None,
            named[photo_id].id if photo_id in named else None,
            tuple(dict.fromkeys(captions[photo_id] + names[photo_id])),
        )
        for photo_id, score, _, _ in rows
    ]


def words_of_path(path: str) -> str:
    """The words of a file's name and of its folder's."""
    folder, name = os.path.split(path)
    return indexed(f"{os.path.basename(folder)} {name}")


@contextlib.contextmanager
def deferred(connection: Connection) -> Iterator[None]:
    """Inside an open transaction: documents are made anew at the end of the block, each once.

    Where there is nothing to note photos in (`doctor` mends that), triggers do all at once.
    """
    if _can_note(connection):
        connection.execute(text(f"INSERT INTO photo_words_stale VALUES ({HELD})"))
    yield
    if _can_note(connection):
        noted = f"SELECT photo_id FROM photo_words_stale WHERE photo_id != {HELD}"
        if connection.execute(text(f"{noted} LIMIT 1")).first() is not None:
            for statement in _refresh(noted):
                connection.execute(text(statement))
        connection.execute(text("DELETE FROM photo_words_stale"))


def is_in_step(connection: Connection) -> bool:
    """Whether what is searched is what the captions and file names of the catalog say."""
    try:
        connection.execute(text("INSERT INTO photo_words(photo_words) VALUES ('integrity-check')"))
        kept = "SELECT rowid, captions, names FROM photo_words"
        right = "SELECT photo_id, captions, names FROM photo_documents"
        for one, other in ((kept, right), (right, kept)):
            if connection.execute(text(f"{one} EXCEPT {other} LIMIT 1")).first() is not None:
                return False
        triggers = text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        ours = {trigger for _, trigger in _triggers()}
        if not (_can_note(connection) and ours.issubset(connection.execute(triggers).scalars())):
            return False
    except LibraryDamagedError:  # its tables are gone, or their insides
        return False
    return next(_stale(connection), None) is None


def build(connection: Connection) -> None:
    """Make everything that is searched for words anew, from captions and paths."""
    drop(connection)
    for change, rows in _stale(connection):
        connection.execute(change, rows)
    for statement in (DOCUMENTS, INDEX, STALE, *(trigger for _, trigger in _triggers())):
        connection.execute(text(statement))
    connection.execute(
        text(
            "INSERT INTO photo_words(rowid, captions, names) "
            "SELECT photo_id, captions, names FROM photo_documents"
        )
    )


def drop(connection: Connection) -> None:
    """Take it away, so that a revision may rebuild the tables it hangs on."""
    for name, _ in _triggers():
        connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
    connection.execute(text("DROP VIEW IF EXISTS photo_documents"))
    for name in ("photo_words", "photo_words_stale"):
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


def _can_note(connection: Connection) -> bool:
    there = text("SELECT 1 FROM sqlite_master WHERE name = 'photo_words_stale'")
    return connection.execute(there).first() is not None


def _triggers() -> Iterator[tuple[str, str]]:
    """The name of each trigger, and what makes it."""
    for table, columns in WATCHED.items():
        new, old = ([f"{row}.{name}" for name in columns.split(", ")] for row in ("new", "old"))
        differ = f"WHEN ({', '.join(new)}) IS NOT ({', '.join(old)})"
        for change, when, photo_ids in (
            ("INSERT", "", "new.photo_id"),
            ("DELETE", "", "old.photo_id"),
            (f"UPDATE OF {columns}", differ, "old.photo_id, new.photo_id"),
        ):
            name = f"{table}_words_{change.split()[0].lower()}"
            noted = "SELECT photo_id FROM photo_words_stale"
            note = (
                "INSERT INTO photo_words_stale SELECT id FROM photos "
                f"WHERE id IN ({photo_ids}) AND id NOT IN ({noted}) AND {IS_HELD}"
            )
            refresh = (f"{each} AND NOT {IS_HELD}" for each in _refresh(photo_ids))
            body = "; ".join((note, *refresh))
            yield name, f"CREATE TRIGGER {name} AFTER {change} ON {table} {when} BEGIN {body}; END"


def _refresh(photo_ids: str) -> tuple[str, str]:
    """The statements that make the documents of photos anew; `photo_ids` is a list or a query."""
    return (
        f"DELETE FROM photo_words WHERE rowid IN ({photo_ids})",
        "INSERT INTO photo_words(rowid, captions, names) SELECT photo_id, captions, names "
        f"FROM photo_documents WHERE photo_id IN ({photo_ids})",
    )


def _stale(connection: Connection) -> Iterator[tuple[Update, list[dict[str, object]]]]:
    """The updates that give rows the words of their texts, with the rows that have others."""
    yield from _stale_in(connection, File, "path", words_of_path)
    yield from _stale_in(connection, CaptionEntry, "text", indexed)


def _stale_in(
    connection: Connection,
    table: type[File] | type[CaptionEntry],
    column: str,
    words_of: Callable[[str], str],
) -> Iterator[tuple[Update, list[dict[str, object]]]]:
    change = update(table).where(table.id == bindparam("key")).values(words=bindparam("right"))
    rows = select(table.id, getattr(table, column), table.words).order_by(table.id)
    last = 0
    while piece := connection.execute(rows.where(table.id > last).limit(ROWS_AT_ONCE)).all():
        wanted = [(key, words_of(text), words) for key, text, words in piece]
        changes: list[dict[str, object]] = [
            {"key": key, "right": right} for key, right, words in wanted if right != words
        ]
        if changes:
            yield change, changes
        last = piece[-1].id


def _question(terms: Sequence[Term], columns: Collection[Column]) -> str:
    """The terms as FTS5 reads them; in quotes, nothing in them is an operator."""
    phrases = ('"' + " ".join(term).replace('"', '""') + '"' for term in terms)
    return f"{{{' '.join(columns)}}} : ({' OR '.join(phrases)})"


def _marked(text: str) -> list[str]:
    """The words between marks, once each."""
    parts = (part.partition(END)[0] for part in text.split(START)[1:])
    return list(dict.fromkeys(word for part in parts for word in part.split()))


def _richest(
    connection: Connection, statement: Select[*tuple[Any, ...]], found: Mapping[int, Sequence[str]]
) -> dict[int, Row[*tuple[Any, ...]]]:
    """Photo id -> its row with most of the words that were found; the first of equals."""
    best: dict[int, Row[*tuple[Any, ...]]] = {}
    most: dict[int, int] = {}
    for piece in pieces([photo_id for photo_id, words in found.items() if words]):
        for row in connection.execute(statement, {"photo_ids": piece}).all():
            count = len(set(row.words.split()).intersection(found[row.photo_id]))
            if count > most.get(row.photo_id, 0):
                best[row.photo_id], most[row.photo_id] = row, count
    return best
