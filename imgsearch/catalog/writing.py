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
from imgsearch.catalog.stepping import steps_back
from imgsearch.catalog.tables import (
    ActiveEncoder,
    AnswerBefore,
    Base,
    Embedding,
    EncoderEntry,
    File,
    Generation,
    Photo,
    Root,
    Run,
    Switch,
    TextEmbedding,
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

    def switch_answers(self, verb: str, answers: Mapping[str, int]) -> None:
        """Let encoders answer languages, by their ids, and note who did: `undo_switch` returns.

        What nobody answered at all before is a beginning, and nothing to return to.
        """
        before = self._answers()
        changed = {name: each for name, each in answers.items() if before.get(name) != each}
        if before and changed:
            switch_id = self._insert(Switch, verb=verb, at=self._now)
            rows = [
                {"switch_id": switch_id, "language": name, "encoder_id": before.get(name)}
                for name in sorted(before | changed)
            ]
            self.connection.execute(insert(AnswerBefore), rows)
        for language, encoder_id in changed.items():
            self.activate(language, encoder_id)

    def undo_switch(self) -> bool:
        """Let those answer who did before the last switch, and forget it; False without any.

        A language that somebody has come to answer since, which nobody did then, is left alone.
        """
        newest = select(Switch.id).order_by(Switch.id.desc()).limit(1)
        while (switch_id := self.connection.execute(newest).scalar()) is not None:
            of_switch = AnswerBefore.switch_id == switch_id
            rows = self.connection.execute(
                select(AnswerBefore.language, AnswerBefore.encoder_id).where(of_switch)
            ).all()
            self.connection.execute(delete(AnswerBefore).where(of_switch))
            self.connection.execute(delete(Switch).where(Switch.id == switch_id))
            now = self._answers()
            changed = [row for row in rows if now.get(row.language) != row.encoder_id]
            for language, encoder_id in changed:
                if encoder_id is None:
                    of_language = ActiveEncoder.language == language
                    self.connection.execute(delete(ActiveEncoder).where(of_language))
                else:
                    self.activate(language, encoder_id)
            if changed:
                return True
        return False

    def _answers(self) -> dict[str, int]:
        columns = select(ActiveEncoder.language, ActiveEncoder.encoder_id)
        return {row.language: row.encoder_id for row in self.connection.execute(columns)}

    def activate(self, language: str, encoder_id: int) -> None:
        """Queries of the language go to that encoder; `switch_answers` notes who did before."""
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
        if not photo_ids:
            return
        self.add_waiting_embeddings(encoder_id, photo_ids, vectors)
        languages = self.connection.execute(
            select(EncoderEntry.languages).where(EncoderEntry.id == encoder_id)
        ).scalar_one()
        self.connection.execute(
            insert_or(ActiveEncoder).on_conflict_do_nothing(),
            [{"language": language, "encoder_id": encoder_id} for language in languages],
        )

    def add_waiting_embeddings(
        self, encoder_id: int, photo_ids: Sequence[int], vectors: Vectors
    ) -> None:
        """The same, of an encoder that is to answer nothing before it is switched to."""
        rows = [
            {"photo_id": photo_id, "encoder_id": encoder_id, "vector": to_bytes(vector)}
            for photo_id, vector in zip(photo_ids, vectors, strict=True)
        ]
        if rows:
            self.connection.execute(insert(Embedding), rows)

    def delete_embeddings(self, embedding_ids: Sequence[int]) -> None:
        """Drop embeddings that cannot be used; the next run makes them again."""
        for piece in pieces(embedding_ids):
            self.connection.execute(delete(Embedding).where(Embedding.id.in_(piece)))

    def forget_encoders(self, encoder_ids: Sequence[int]) -> None:
        """Drop encoders that answer nothing, with all that was made with them, every switch that
        would lead back to them, and those that would then lead nowhere else.
        """
        for encoder_id in encoder_ids:
            leads_back = select(AnswerBefore.switch_id).where(AnswerBefore.encoder_id == encoder_id)
            self._forget_switches(list(self.connection.execute(leads_back).scalars()))
            for each in (TextEmbedding, Generation, Embedding):
                self.connection.execute(delete(each).where(each.encoder_id == encoder_id))
            self.connection.execute(delete(EncoderEntry).where(EncoderEntry.id == encoder_id))
        self._forget_switches(steps_back(self.connection).idle)

    def _forget_switches(self, switch_ids: Sequence[int]) -> None:
        for piece in pieces(switch_ids):
            of_switches = AnswerBefore.switch_id.in_(piece)
            self.connection.execute(delete(AnswerBefore).where(of_switches))
            self.connection.execute(delete(Switch).where(Switch.id.in_(piece)))

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
