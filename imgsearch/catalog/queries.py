"""Catalog: the questions a library answers, and the door to writing.

Ids and paths in, plain values and numpy rows out; each question is one short read, so a search in a
long-lived process always sees what was committed last. Lists of ids are cut into pieces before they
reach SQL, because SQLite bounds the number of constants in a statement.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, func, select

from imgsearch.catalog import (
    albums,
    captions,
    comparing,
    conditions,
    containers,
    embeddings,
    encoders,
    full_text,
    labels,
    photos,
)
from imgsearch.catalog.connection import IMMEDIATE, open_engine, pieces
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.paths import name_of
from imgsearch.catalog.rows import (
    SOURCES,
    AlbumRow,
    CaptionerRow,
    CaptionRow,
    EncoderRow,
    FileRow,
    GenerationRow,
    LabelRow,
    LabelTally,
    OldFacts,
    PhotoRow,
    RunRow,
    Source,
    WordMatch,
)
from imgsearch.catalog.tables import Embedding, EncoderEntry, File, Run
from imgsearch.catalog.writing import Writer
from imgsearch.errors import LibraryError
from imgsearch.queries import Condition
from imgsearch.vectors import Vectors
from imgsearch.words import Term


class Catalog:
    """The database of one library. Safe to share between threads; close it when done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine: Engine = open_engine(path)

    def close(self) -> None:
        """Close every connection; the last one folds the WAL into the file."""
        self.engine.dispose()

    @contextlib.contextmanager
    def write(self) -> Iterator[Writer]:
        """One transaction: all that the writer did lands at the end of the block, or none."""
        writing = self.engine.execution_options(**{IMMEDIATE: True}).begin()
        with writing as connection, full_text.deferred(connection):
            yield Writer(connection)

    # Encoders

    def encoders(self) -> list[EncoderRow]:
        """All encoders a run was told to use, oldest first; one may have no embeddings yet."""
        return encoders.rows(self.engine)

    def encoder_named(self, name: str) -> EncoderRow | None:
        """The encoder of that name (the newest of several), or the only one of that family.

        "builtin" finds "builtin/1"; a family of which two encoders are here is None.
        """
        rows = self.encoders()
        same = [row for row in rows if row.name == name]
        family = [row for row in rows if row.name.startswith(name + "/")]
        if same:
            return same[-1]
        return family[0] if len(family) == 1 else None

    def encoder_with_identity(self, identity: str) -> EncoderRow | None:
        """The encoder of that identity."""
        rows = encoders.rows(self.engine, EncoderEntry.identity == identity)
        return rows[0] if rows else None

    def active_encoder(self, language: str) -> EncoderRow | None:
        """The encoder that answers queries of a language."""
        return self.active_encoders().get(language)

    def active_encoders(self) -> dict[str, EncoderRow]:
        """Language -> encoder, in the order of the languages' names."""
        return encoders.answering(self.engine)

    # Generations

    def current_generation(self, encoder_id: int) -> GenerationRow | None:
        """The generation that searches of this encoder use."""
        current = self.generations(encoder_id, only_current=True)
        return current[0] if current else None

    def generations(
        self, encoder_id: int | None = None, *, only_current: bool = False
    ) -> list[GenerationRow]:
        """Generations, oldest first; of all encoders when none is named."""
        return encoders.generations(self.engine, encoder_id, only_current)

    # Embeddings

    def photo_count(self, encoder_id: int) -> int:
        """How many photos this encoder has embedded, those without a live file included."""
        return self.embeddings_after(encoder_id, 0)

    def embeddings_after(self, encoder_id: int, after: int) -> int:
        """How many embeddings of an encoder came later than the embedding id `after`."""
        with self.engine.connect() as connection:
            return connection.execute(
                select(func.count()).where(Embedding.encoder_id == encoder_id, Embedding.id > after)
            ).scalar_one()

    def embeddings(
        self, encoder_id: int, *, photo_ids: Sequence[int] | Ids | None = None, after: int = 0
    ) -> tuple[Ids, Vectors]:
        """Photo ids (n,) and their vectors (n, d), unit rows.

        In the order of arrival, only those later than the embedding id `after`; with `photo_ids`,
        in the order of that list, without those that have no embedding.
        """
        if photo_ids is not None:
            return embeddings.of_photos(self.engine, encoder_id, photo_ids, after)
        ids, vectors, _ = self.embeddings_and_last(encoder_id, after=after)
        return ids, vectors

    def embeddings_and_last(
        self, encoder_id: int, *, after: int = 0, limit: int | None = None
    ) -> tuple[Ids, Vectors, int]:
        """As `embeddings`, with the last embedding's id (`after` if there is none).

        With `limit`, the first so many.
        """
        return embeddings.in_order(self.engine, encoder_id, after, limit)

    def sample_embeddings(self, encoder_id: int, most: int) -> tuple[Vectors, int]:
        """About `most` vectors (n, d) spread evenly over an encoder's; the last embedding's id.

        All of them where there are no more; the same ones at each call.
        """
        return embeddings.sample(self.engine, encoder_id, most)

    def embedded_photo_ids(self, encoder_id: int) -> set[int]:
        """The photos this encoder has embedded."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(Embedding.photo_id).where(Embedding.encoder_id == encoder_id)
            )
            return set(rows.scalars())

    # Files and photos

    def live_paths(
        self,
        photo_ids: Sequence[int] | Ids,
        *,
        asked: Sequence[Condition] = (),
        folder: Path | None = None,
    ) -> dict[int, Path]:
        """The first live file of each photo (lowest file id); a photo without one is absent.

        Only files at `folder` or below it count, that satisfy those conditions that are about
        files.
        """
        paths: dict[int, Path] = {}
        with self.engine.connect() as connection:
            for piece in pieces(photo_ids):
                rows = connection.execute(
                    select(File.photo_id, File.path, File.path_bytes)
                    .where(File.photo_id.in_(piece), conditions.about_files(asked, folder))
                    .order_by(File.id)
                )
                for photo_id, text, raw in rows:
                    paths.setdefault(photo_id or 0, Path(name_of(text, raw)))
        return paths

    def live_photo_ids(self, path_prefix: Path) -> Ids:
        """Ids of the photos with a live file at that path or below it, ascending."""
        return self.photo_ids(folder=path_prefix)

    def live_photo_count(self, encoder_id: int) -> int:
        """How many photos with a live file this encoder has embedded."""
        is_live = select(File.id).where(File.photo_id == Embedding.photo_id, File.state == "live")
        with self.engine.connect() as connection:
            return connection.execute(
                select(func.count()).where(Embedding.encoder_id == encoder_id, is_live.exists())
            ).scalar_one()

    def photos_with_old_facts(self) -> list[OldFacts]:
        """The photos with a live file that an earlier version read, ascending."""
        return photos.with_old_facts(self.engine)

    def moments_taken(self, photo_ids: Sequence[int]) -> dict[int, datetime]:
        """Photo id -> when it was taken, in UTC; a photo that is not there is absent."""
        return photos.moments_taken(self.engine, photo_ids)

    # Conditions and albums

    def photo_ids(self, asked: Sequence[Condition] = (), *, folder: Path | None = None) -> Ids:
        """The photos with a live file that satisfy all conditions, ascending.

        With `folder`, the file is at that path or below it. Raises QueryError for a condition that
        cannot be, and for a label, an album or a country that there is not.
        """
        return conditions.photo_ids(self.engine, asked, folder)

    def newest_photo_ids(
        self, asked: Sequence[Condition] = (), *, folder: Path | None = None, limit: int
    ) -> Ids:
        """The `limit` of them that were taken last, the newest first."""
        return conditions.newest(self.engine, asked, folder, limit)

    def albums(self) -> list[AlbumRow]:
        """Every album by name."""
        return albums.albums(self.engine)

    # Captions

    def captions(self, photo_ids: Sequence[int] | Ids) -> dict[int, tuple[CaptionRow, ...]]:
        """Photo id -> its captions: a person's own, then sidecars', then generated ones.

        A photo without any is absent.
        """
        return captions.captions(self.engine, photo_ids)

    def captioned_photo_ids(
        self,
        language: str | None = None,
        *,
        sources: Collection[Source] = SOURCES,
        captioner: str | None = None,
    ) -> set[int]:
        """The photos with a caption of that language, of one of the sources, by that captioner.

        An empty one, which `generated_by` tells of, is none here; nor is it in `has_captions`.
        """
        return captions.captioned_photo_ids(self.engine, language, sources, captioner)

    def captioners(self) -> list[CaptionerRow]:
        """All captioners a run was told to use, oldest first."""
        return captions.captioners(self.engine)

    def generated_by(self, language: str) -> dict[int, set[int]]:
        """Captioner id -> the photos it was tried on in that language, also those of which it found
        nothing to say.
        """
        return captions.generated_by(self.engine, language)

    def has_captions(self, language: str) -> bool:
        """Whether any photo with a live file has a caption in that language."""
        return captions.has_any(self.engine, language)

    def match_words(
        self,
        terms: Sequence[Term],
        *,
        only: Ids | None = None,
        columns: Collection[full_text.Column] = full_text.COLUMNS,
        limit: int,
    ) -> list[WordMatch]:
        """The best `limit` photos with a live file of which some term is found, best first.

        `terms` are those of `words.parse`; without any, nothing is found. `only` bounds the photos;
        `columns` says whether captions, names (of files and their folders) or both are looked at.
        """
        return full_text.match(self.engine, terms, columns=columns, only=only, limit=limit)

    # Labels

    def labels(self, photo_ids: Sequence[int] | Ids) -> dict[int, tuple[LabelRow, ...]]:
        """Photo id -> its labels: a person's own, then an encoder's, the surest first.

        A photo without any is absent.
        """
        return labels.labels(self.engine, photo_ids)

    def label_tallies(self) -> list[LabelTally]:
        """Every label by name, with the photos that have it; also one that none has."""
        return labels.tallies(self.engine)

    def photos_labelled(self, name: str, limit: int | None = None) -> list[LabelRow]:
        """Who gives that label to which photo with a live file: people, then the surest."""
        return labels.of_label(self.engine, name, limit)

    def labels_reached(self, names: Sequence[str], recipe: str) -> int:
        """The last embedding id that labels of this recipe were offered to, as far as all were.

        0 where one of them was not asked for in this way, or is not there.
        """
        return labels.reached(self.engine, names, recipe)

    # Comparing with the disk

    def roots(self) -> list[Path]:
        """Every path that was given to `index`, in the order of the first time."""
        return comparing.roots(self.engine)

    def containers(self) -> dict[Path, tuple[int, int]]:
        """The files whose photos were all taken in, with their size and mtime (ns) at that time."""
        return containers.noted(self.engine)

    def every_seconds(self) -> float | None:
        """How far apart frames were asked for the last time that somebody said so."""
        return containers.last_every_seconds(self.engine)

    def files_under(self, paths: Sequence[Path]) -> dict[str, FileRow]:
        """Every known file at or below the paths, by its name as `os.fspath` gives it."""
        return comparing.files_under(self.engine, paths)

    def files_of_photos(self, photo_ids: Sequence[int]) -> dict[int, dict[str, FileRow]]:
        """Photo id -> its files in any state, by name, lowest file id first."""
        return comparing.files_of_photos(self.engine, photo_ids)

    def photos_lacking(self, encoder_id: int) -> list[PhotoRow]:
        """The photos an encoder has not embedded, with a live file or without, ascending."""
        return comparing.photos_lacking(self.engine, encoder_id)

    def photos_with_hashes(self, hashes: Sequence[str]) -> dict[str, int]:
        """Content hash -> photo id, for those that are known."""
        return comparing.photos_with_hashes(self.engine, hashes)

    # Texts and runs

    def cached_texts(
        self, encoder_id: int, templates_key: str, texts: Sequence[str]
    ) -> dict[str, Vectors]:
        """Text -> the vector (d,) that `cache_texts` kept; a text without one is absent."""
        return embeddings.of_texts(self.engine, encoder_id, templates_key, texts)

    def cache_texts(
        self, encoder_id: int, templates_key: str, vectors: Mapping[str, Vectors]
    ) -> None:
        """Keep texts' vectors (d,). A library that cannot be written keeps none, silently."""
        # A search must work in a library on a read-only disk, and while another process writes.
        with contextlib.suppress(LibraryError), self.write() as writer:
            embeddings.keep_texts(writer.connection, encoder_id, templates_key, vectors)

    def last_run(self) -> RunRow | None:
        """The newest run of any verb."""
        with self.engine.connect() as connection:
            row = connection.execute(
                select(*Run.__table__.columns).order_by(Run.id.desc()).limit(1)
            ).first()
        if row is None:
            return None
        return RunRow(row.verb, row.pid, row.started_at, row.finished_at, row.outcome)
