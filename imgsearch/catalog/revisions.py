"""Bring a catalog's file up to the revision this program writes.

The file's own version table says where it stands, and reading it needs nothing but sqlite3: Alembic
is imported only for a file of an older revision. Before that the file is copied aside (SQLite's
backup, so what is still in the WAL comes along); the steps then run in one transaction. What
full-text search keeps is derived: it is taken away before the steps and made anew after them.

An empty file gets all tables at once, from `newest.sql`: what the revisions come to one after
another, statement for statement, which a test holds it to. It takes a quarter of the processor
time, and a first `index` imports no Alembic.
"""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from imgsearch.catalog import full_text
from imgsearch.catalog.connection import IMMEDIATE, connect, in_our_words, open_engine
from imgsearch.errors import LibraryDamagedError, LibraryTooNewError

HEAD = "0005"  # the newest revision in migrations/versions; a test compares them
COPIES_KEPT = 3


def is_up_to_date(path: Path) -> bool:
    """Whether the file stands at HEAD; False for one that is older, empty or not there.

    Raises LibraryTooNewError for a newer revision, LibraryDamagedError for what is no catalog.
    """
    revision = _revision(path)
    if revision is None or revision == HEAD:
        return revision == HEAD
    if not revision.isdigit():
        raise LibraryDamagedError(
            f"{path} names a revision that is not ours: {revision!r}. Name another library with "
            "--library."
        )
    if revision > HEAD:
        raise LibraryTooNewError(
            f"{path} has revision {revision} and this imgsearch knows revisions up to {HEAD}. "
            "Install the newer imgsearch that wrote it: pip install --upgrade imgsearch"
        )
    return False


def upgrade(path: Path) -> None:
    """Run the missing revisions; an empty file becomes a new catalog. The caller holds the
    library's lock."""
    is_new = _revision(path) is None
    if not is_new:
        _copy_aside(path)
    engine = open_engine(path, foreign_keys=False)
    try:
        with engine.execution_options(**{IMMEDIATE: True}).begin() as connection:
            if is_new:
                _make_tables(connection)
            else:
                run_revisions(connection)
            full_text.build(connection)
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise LibraryDamagedError(f"{path}: the upgrade to {HEAD} left dangling rows.")
    finally:
        engine.dispose()


def run_revisions(connection: Connection) -> None:
    """Run the revisions that the file lacks, all of them where it is empty; without full text."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(find_migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    full_text.drop(connection)
    command.upgrade(config, HEAD)


def _make_tables(connection: Connection) -> None:
    statements = (find_migrations() / "newest.sql").read_text("utf-8")
    for statement in filter(None, statements.split(";\n")):
        connection.exec_driver_sql(statement)


def find_migrations() -> Path:
    """The folder of revisions: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError(f"migrations/ is neither in {package} nor beside it: reinstall")


def _revision(path: Path) -> str | None:
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with contextlib.closing(connect(path)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in tables}
            if "alembic_version" not in names:
                if names:
                    raise LibraryDamagedError(
                        f"{path} is a SQLite file but no imgsearch catalog: it names no revision. "
                        "Name another library with --library."
                    )
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise in_our_words(path, error) from error
    return str(row[0]) if row else None


def _copy_aside(path: Path) -> None:
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    copy = folder / f"{path.stem}-{stamp}-revision-{_revision(path)}{path.suffix}"
    with (
        contextlib.closing(sqlite3.connect(path, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    for old in sorted(folder.glob(f"{path.stem}-*{path.suffix}"))[:-COPIES_KEPT]:
        old.unlink()
