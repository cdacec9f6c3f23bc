"""The engine of a catalog: how a SQLite file is opened, what a transaction is, what an error means.

A path goes in, an `Engine` comes out. WAL lets searches read while a run writes; `BEGIN IMMEDIATE`
for writers makes them wait for each other at the start instead of failing halfway. Every database
error becomes one of ours here, at the only place that knows the driver.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

from imgsearch.catalog.patterns import FITS, fits
from imgsearch.catalog.positions import KILOMETRES, kilometres
from imgsearch.errors import LibraryDamagedError, LibraryError, LibraryLockedError

BUSY_SECONDS = 30
IMMEDIATE = "imgsearch_immediate"  # execution option: take the write lock at BEGIN
HASTY = "imgsearch_hasty"  # and this: give up where another program writes, at once nearly
HASTY_SECONDS = 0.05
# Of a new file; an old one keeps its own. SQLite's 4 KiB hold a single vector of 512 dimensions: a
# row took 4,119 bytes, takes 2,357 now, is written in half the time and read through in under half.
PAGE_BYTES = 16_384
ROWS_AT_ONCE = 10_000  # held in memory while a table is read from end to end
CONSTANTS = 900  # older builds of SQLite take 999 in a statement
T = TypeVar("T")


def open_engine(path: Path, *, foreign_keys: bool = True) -> Engine:
    """An engine on the file; `foreign_keys=False` only for upgrades, which may rebuild tables."""
    engine = create_engine(
        f"sqlite:///{path}".replace("?", "%3F"),
        creator=lambda: _connect(path, foreign_keys),
        poolclass=NullPool if not foreign_keys else None,
    )
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", lambda context: _translate(path, context))
    return engine


def connect(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode; one that only reads where the file or its folder is read-only.

    There, not even a file for the WAL can be made beside it: SQLite is told that nobody writes, and
    sees what the last writer folded into the file.
    """
    try:
        return _in_wal_mode(str(path))
    except sqlite3.OperationalError as error:
        is_refused = _primary(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
        if not (is_refused and path.is_file() and _is_read_only(path)):
            raise
    return _opened(f"{path.absolute().as_uri()}?mode=ro&immutable=1")


def _is_read_only(path: Path) -> bool:
    as_myself = {"effective_ids": os.access in os.supports_effective_ids}
    return not all(os.access(each, os.W_OK, **as_myself) for each in (path, path.parent))


def _in_wal_mode(name: str) -> sqlite3.Connection:
    connection = _opened(name)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # before WAL, which settles it
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # in WAL, kill -9 loses nothing committed
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _opened(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=name.startswith("file:"),
    )


def _connect(path: Path, foreign_keys: bool) -> sqlite3.Connection:
    connection = connect(path)
    connection.create_function(FITS, 2, fits, deterministic=True)
    connection.create_function(KILOMETRES, 4, kilometres, deterministic=True)
    connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
    return connection


def _begin(connection: Connection) -> None:
    # The driver's own transactions are off (isolation_level=None): they leave DDL outside.
    options = connection.get_execution_options()
    if not options.get(IMMEDIATE, False):
        connection.connection.cursor().execute("BEGIN")  # by the driver: a quarter of its cost
        return
    if not options.get(HASTY, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    _wait_at_most(connection, HASTY_SECONDS)
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        _wait_at_most(connection, BUSY_SECONDS)


def _wait_at_most(connection: Connection, seconds: float) -> None:
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {seconds * 1000:.0f}").close()


def _translate(path: Path, context: ExceptionContext) -> None:
    cause = context.original_exception
    if isinstance(context.sqlalchemy_exception, (IntegrityError, ProgrammingError)):
        return  # a bug of ours: let it show
    if isinstance(cause, sqlite3.Error):
        raise in_our_words(path, cause) from cause


def in_our_words(path: Path, error: sqlite3.Error) -> LibraryError:
    """The error of ours that says what a driver's error means for the library."""
    primary = _primary(error)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryLockedError(
            f"{path} is being written by another program and stayed locked for {BUSY_SECONDS} s. "
            "Try again when it is done."
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LibraryDamagedError(
            f"{path} is damaged: {error}. Copies made before upgrades are in "
            f"{path.parent / 'backups'}; or move the library away and index again."
        )
    if "no such table" in str(error) or "no such column" in str(error):
        return LibraryDamagedError(
            f"{path} lacks a part of its schema: {error}. Copies made before upgrades are in "
            f"{path.parent / 'backups'}; or move the library away and index again."
        )
    if primary == sqlite3.SQLITE_READONLY:
        return LibraryError(
            f"{path} is read-only: it can be searched, not changed. Make its disk writable, or "
            "copy the library and name the copy with --library."
        )
    return LibraryError(
        f"{path} cannot be used: {error}. Mend that, or name another library with --library."
    )


def _primary(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its details, where the driver tells one."""
    code: Any = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def pieces(items: Sequence[T] | npt.NDArray[np.int64]) -> Iterator[list[T]]:
    """The items in lists short enough for the constants of one statement, as Python's own types."""
    for start in range(0, len(items), CONSTANTS):
        piece = items[start : start + CONSTANTS]
        yield piece.tolist() if isinstance(piece, np.ndarray) else list(piece)
