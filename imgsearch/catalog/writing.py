"""Writer: every change to a catalog, inside the one transaction `Catalog.write()` opened.

Facts, places and vectors in, ids out. Methods are the changes that a verb means (a photo was added,
a file moved), not rows, so that no caller can leave half a change behind.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.paths import columns_of
from imgsearch.catalog.rows import EncoderRow, FilePlace, GenerationRow, PhotoFacts
from imgsearch.catalog.tables import (
    ActiveEncoder,
    Base,
    Embedding,
    EncoderEntry,
    File,
    Generation,
    Photo,
    Root,
    Run,
)
from imgsearch.vectors import Vectors, to_bytes


class Writer:
    """One open transaction; made by `Catalog.write()` only."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._now = datetime.now(UTC)

    # Photos and files

    def add_root(self, path: Path) -> int:
        """The id of a root, known or not."""
        text, raw = columns_of(path)
        found = self.connection.execute(select(Root.id).where(_is_at(Root, text, raw))).scalar()
        return found if found is not None else self._insert(Root, path=text, path_bytes=raw)

    def add_photo(self, facts: PhotoFacts) -> int:
        """A new photo's id."""
        return self._insert(Photo, **vars(facts), added_at=self._now)

    def put_file(self, place: FilePlace, photo_id: int) -> None:
        """The file at this path is live and holds this photo, whatever the path held before."""
        self._put(place, photo_id=photo_id, state="live", reason=None)

    def skip_file(self, place: FilePlace, reason: str) -> None:
        """The file at this path cannot be indexed; it holds no photo."""
        self._put(place, photo_id=None, state="skipped", reason=reason)

    def move_file(self, file_id: int, place: FilePlace) -> None:
        """A known file is now at this path, in place of whatever file the path held."""
        text, raw = columns_of(place.path)
        self.connection.execute(delete(File).where(_is_at(File, text, raw), File.id != file_id))
        self.connection.execute(
            update(File)
            .where(File.id == file_id)
            .values(
                path=text,
                path_bytes=raw,
                root_id=place.root_id,
                size_bytes=place.size_bytes,
                mtime_ns=place.mtime_ns,
                state="live",
                reason=None,
                seen_at=self._now,
            )
        )

    def set_state(self, file_ids: Sequence[int], state: str) -> None:
        """Files went missing, or came back."""
        for piece in pieces(file_ids):
            self.connection.execute(
                update(File).where(File.id.in_(piece)).values(state=state, seen_at=self._now)
            )

    def forget_files(self, file_ids: Sequence[int]) -> None:
        """Drop files that never held a photo."""
        for piece in pieces(file_ids):
            self.connection.execute(delete(File).where(File.id.in_(piece)))

    def _put(self, place: FilePlace, **values: object) -> None:
        text, raw = columns_of(place.path)
        values |= {
            "root_id": place.root_id,
            "size_bytes": place.size_bytes,
            "mtime_ns": place.mtime_ns,
            "seen_at": self._now,
        }
        where = _is_at(File, text, raw)
        changed = self.connection.execute(update(File).where(where).values(**values))
        if changed.rowcount == 0:
            self._insert(File, path=text, path_bytes=raw, **values)

    # Encoders and embeddings

    def add_encoder(self, encoder: EncoderRow) -> int:
        """The id of an encoder, known by its identity or new (`encoder.id` is not read)."""
        found = self.connection.execute(
            select(EncoderEntry.id).where(EncoderEntry.identity == encoder.identity)
        ).scalar()
        return found or self._insert(
            EncoderEntry,
            identity=encoder.identity,
            name=encoder.name,
            dim=encoder.dim,
            languages=list(encoder.languages),
            source=encoder.source,
            added_at=self._now,
        )

    def activate(self, language: str, encoder_id: int) -> None:
        """From this commit on, queries of the language go to that encoder."""
        statement = insert_or(ActiveEncoder).values(language=language, encoder_id=encoder_id)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["language"], set_={"encoder_id": encoder_id}
            )
        )

    def add_embeddings(self, encoder_id: int, photo_ids: Sequence[int], vectors: Vectors) -> None:
        """Vectors (n, d), unit rows, of n photos that this encoder has not embedded yet.

        It becomes the active one of each of its languages that has none, so a first run can be
        searched from its first batch on, and no encoder is active before it has any embedding.
        """
        rows = [
            {"photo_id": photo_id, "encoder_id": encoder_id, "vector": to_bytes(vector)}
            for photo_id, vector in zip(photo_ids, vectors, strict=True)
        ]
        if not rows:
            return
        self.connection.execute(insert(Embedding), rows)
        languages = self.connection.execute(
            select(EncoderEntry.languages).where(EncoderEntry.id == encoder_id)
        ).scalar_one()
        self.connection.execute(
            insert_or(ActiveEncoder).on_conflict_do_nothing(),
            [{"language": language, "encoder_id": encoder_id} for language in languages],
        )

    def delete_embeddings(self, embedding_ids: Sequence[int]) -> None:
        """Drop embeddings that cannot be used; the next run makes them again."""
        for piece in pieces(embedding_ids):
            self.connection.execute(delete(Embedding).where(Embedding.id.in_(piece)))

    # Generations and runs

    def switch_generation(self, generation: GenerationRow) -> int:
        """Record a generation (`generation.id` is not read) as its encoder's current one."""
        self.connection.execute(
            update(Generation)
            .where(Generation.encoder_id == generation.encoder_id)
            .values(is_current=False)
        )
        return self._insert(
            Generation,
            encoder_id=generation.encoder_id,
            folder=generation.folder,
            kind=generation.kind,
            count=generation.count,
            last_embedding_id=generation.last_embedding_id,
            built_at=self._now,
            is_current=True,
        )

    def forget_generations(self, generation_ids: Sequence[int]) -> None:
        """Drop the rows of generations whose folders are to go, or gone."""
        for piece in pieces(generation_ids):
            self.connection.execute(delete(Generation).where(Generation.id.in_(piece)))

    def start_run(self, verb: str) -> int:
        """The id of a run that begins now, in this process."""
        return self._insert(Run, verb=verb, pid=os.getpid(), started_at=self._now)

    def finish_run(self, run_id: int, outcome: Mapping[str, object]) -> None:
        """The run came to its end; `outcome` is what `status` shows of it."""
        self.connection.execute(
            update(Run).where(Run.id == run_id).values(finished_at=self._now, outcome=dict(outcome))
        )

    def _insert(self, table: type[Base], **values: object) -> int:
        result = self.connection.execute(insert(table).values(**values))
        key = result.inserted_primary_key
        assert key is not None
        return int(key[0])


def _is_at(table: type[File] | type[Root], text: str, raw: bytes | None) -> ColumnElement[bool]:
    if raw is not None:
        return table.path_bytes == raw
    return and_(table.path == text, table.path_bytes.is_(None))
