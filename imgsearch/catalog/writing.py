"""Writer: every change to a catalog, inside the one transaction `Catalog.write()` opened.

Facts, places and vectors in, ids out. Methods are the changes that a verb means (a photo was added,
a file moved), not rows, so that no caller can leave half a change behind.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from imgsearch.catalog import albums, captions, containers, full_text, labels, photos, switching
from imgsearch.catalog.connection import pieces
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.full_text import words_of_path
from imgsearch.catalog.paths import columns_of
from imgsearch.catalog.rows import (
    EncoderRow,
    FilePlace,
    GenerationRow,
    GivenLabel,
    NewFacts,
    PhotoFacts,
)
from imgsearch.catalog.stepping import steps_back
from imgsearch.catalog.tables import (
    ActiveEncoder,
    AnswerBefore,
    Base,
    CaptionerEntry,
    Embedding,
    EncoderEntry,
    File,
    Generation,
    Root,
    Run,
    TextEmbedding,
)
from imgsearch.places import Place
from imgsearch.vectors import Vectors, to_bytes


class Writer:
    """One open transaction; made by `Catalog.write()` only."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._now = datetime.now(UTC)
        self._new_photo_ids: set[int] = set()

    # Photos and files

    def add_root(self, path: Path) -> int:
        """The id of a root, known or not."""
        text, raw = columns_of(path)
        found = self.connection.execute(select(Root.id).where(_is_at(Root, text, raw))).scalar()
        return found if found is not None else self._insert(Root, path=text, path_bytes=raw)

    def add_photo(self, facts: PhotoFacts, place: Place | None = None) -> int:
        """A new photo's id; `place` is where it was taken."""
        photo_id = photos.add(self.connection, facts, place, self._now)
        self._new_photo_ids.add(photo_id)
        return photo_id

    def renew_facts(self, rows: Sequence[NewFacts]) -> None:
        """Fill up what an earlier version did not read."""
        photos.renew(self.connection, rows)

    def put_file(self, place: FilePlace, photo_id: int) -> None:
        """The file at this path is live and holds this photo, whatever the path held before.

        A new photo in place of another is that one edited, and a known one in place of another is
        an edit taken back if it had no file and the other has none now: either inherits what a
        person said of the other.
        """
        edited_id = self._put(place, photo_id=photo_id, state="live", reason=None)
        if edited_id is None:
            return
        if photo_id in self._new_photo_ids or self._live_files(edited_id, photo_id) == [photo_id]:
            captions.inherit(self.connection, edited_id, photo_id)
            labels.inherit(self.connection, edited_id, photo_id)
            albums.inherit(self.connection, edited_id, photo_id)

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
                words=words_of_path(text),
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

    def note_containers(
        self, versions: Mapping[Path, tuple[int, int]], every_seconds: float | None
    ) -> None:
        """All photos in these files were taken in as of that size and mtime (ns); `every_seconds`
        is how far apart a person wanted the frames of films, if they said so.
        """
        containers.note(self.connection, versions, every_seconds)

    def _live_files(self, *photo_ids: int) -> list[int]:
        """The photo of each live file of these photos."""
        of_these = select(File.photo_id).where(File.photo_id.in_(photo_ids), File.state == "live")
        return [photo_id or 0 for photo_id in self.connection.execute(of_these).scalars()]

    def _put(self, place: FilePlace, **values: object) -> int | None:
        """The photo that is no longer in the file at this path, if it was live and held another."""
        text, raw = columns_of(place.path)
        values |= {
            "root_id": place.root_id,
            "size_bytes": place.size_bytes,
            "mtime_ns": place.mtime_ns,
            "seen_at": self._now,
        }
        known = select(File.id, File.photo_id, File.state).where(_is_at(File, text, raw))
        held = self.connection.execute(known).first()
        if held is None:
            words = words_of_path(text)
            self._insert(File, path=text, path_bytes=raw, words=words, **values)
            return None
        self.connection.execute(update(File).where(File.id == held.id).values(**values))
        is_replaced = held.state == "live" and held.photo_id != values["photo_id"]
        return held.photo_id if is_replaced else None

    # Captions

    def add_captioner(self, name: str, identity: str) -> int:
        """The id of a captioner, known by its identity or new."""
        found = self.connection.execute(
            select(CaptionerEntry.id).where(CaptionerEntry.identity == identity)
        ).scalar()
        return found or self._insert(
            CaptionerEntry, identity=identity, name=name, added_at=self._now
        )

    def put_generated_captions(
        self, captioner_id: int, language: str, rows: Sequence[tuple[int, str, float]]
    ) -> None:
        """What a captioner says of photos: (photo id, text, mean log-probability) each.

        A photo's earlier generated caption of the language is replaced, and no other.
        """
        captions.put_generated(self.connection, captioner_id, language, rows, self._now)

    def add_captions(
        self, photo_id: int, texts: Sequence[str], language: str, source: Literal["user", "sidecar"]
    ) -> int:
        """Captions that people wrote; how many of them were not there from that source yet."""
        return captions.add(self.connection, photo_id, texts, language, source, self._now)

    def drop_captions(self, caption_ids: Sequence[int]) -> None:
        """Drop captions of any source."""
        captions.drop(self.connection, caption_ids)

    def build_full_text(self) -> None:
        """Make all that `match_words` searches anew, from captions and paths."""
        full_text.build(self.connection)

    # Labels

    def begin_labels(self, names: Sequence[str], recipe: str, after: int) -> None:
        """Labels are to be given anew to the photos with an embedding later than that id."""
        labels.begin(self.connection, names, recipe, after)

    def put_zero_shot_labels(
        self, recipe: str, photo_ids: Sequence[int], given: Sequence[GivenLabel], encoder: str
    ) -> None:
        """What an encoder gives photos, in place of the same labels that one gave them before."""
        labels.put_zero_shot(self.connection, recipe, photo_ids, given, encoder, self._now)

    def note_labels_reached(self, recipe: str, last_embedding_id: int) -> None:
        """The labels of a recipe were offered to every photo up to that embedding."""
        labels.note_reached(self.connection, recipe, last_embedding_id)

    def add_label(self, name: str, photo_ids: Sequence[int]) -> int:
        """A person gives photos a label; how many had not got it from a person."""
        return labels.add_own(self.connection, name, photo_ids, self._now)

    def remove_label(self, name: str, photo_ids: Sequence[int]) -> int:
        """Take a label from photos, whoever gave it; how many had it."""
        return labels.remove(self.connection, name, photo_ids)

    def drop_label(self, name: str) -> bool:
        """Take a label from every photo, and forget it; False where there is none."""
        return labels.drop(self.connection, name)

    # Albums

    def add_to_album(self, name: str, photo_ids: Sequence[int] | Ids) -> int:
        """Put photos into an album, known or new; how many were not in it."""
        return albums.add(self.connection, name, photo_ids, self._now)

    def remove_from_album(self, name: str, photo_ids: Sequence[int] | Ids) -> int:
        """Take photos out of an album; how many were in it."""
        return albums.remove(self.connection, name, photo_ids)

    def save_album(self, name: str, query: str) -> None:
        """Let an album be the photos that satisfy a query, in place of another it was before."""
        albums.save(self.connection, name, query, self._now)

    def rename_album(self, name: str, new_name: str) -> None:
        """Give an album another name."""
        albums.rename(self.connection, name, new_name)

    def drop_album(self, name: str) -> None:
        """Forget an album; its photos stay."""
        albums.drop(self.connection, name)

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
        switching.switch(self.connection, verb, answers, self._now)

    def undo_switch(self) -> bool:
        """Let those answer who did before the last switch, and forget it; False without any.

        A language that somebody has come to answer since, which nobody did then, is left alone.
        """
        return switching.undo(self.connection)

    def activate(self, language: str, encoder_id: int) -> None:
        """Queries of the language go to that encoder; `switch_answers` notes who did before."""
        switching.activate(self.connection, language, encoder_id)

    def add_embeddings(
        self,
        encoder_id: int,
        photo_ids: Sequence[int],
        vectors: Vectors,
        dtype: Literal["float32", "float16"] = "float32",
    ) -> None:
        """Vectors (n, d), unit rows, of n photos that this encoder has not embedded yet.

        They are stored in that precision.
        It becomes the active one of each of its languages that has none, so a first run can be
        searched from its first batch on, and no encoder is active before it has any embedding.
        """
        if not photo_ids:
            return
        self.add_waiting_embeddings(encoder_id, photo_ids, vectors, dtype)
        languages = self.connection.execute(
            select(EncoderEntry.languages).where(EncoderEntry.id == encoder_id)
        ).scalar_one()
        self.connection.execute(
            insert_or(ActiveEncoder).on_conflict_do_nothing(),
            [{"language": language, "encoder_id": encoder_id} for language in languages],
        )

    def add_waiting_embeddings(
        self,
        encoder_id: int,
        photo_ids: Sequence[int],
        vectors: Vectors,
        dtype: Literal["float32", "float16"] = "float32",
    ) -> None:
        """The same, of an encoder that is to answer nothing before it is switched to."""
        rows = [
            {"photo_id": photo_id, "encoder_id": encoder_id, "vector": to_bytes(vector, dtype)}
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
            switches = list(self.connection.execute(leads_back).scalars())
            switching.forget(self.connection, switches)
            for each in (TextEmbedding, Generation, Embedding):
                self.connection.execute(delete(each).where(each.encoder_id == encoder_id))
            self.connection.execute(delete(EncoderEntry).where(EncoderEntry.id == encoder_id))
        switching.forget(self.connection, steps_back(self.connection).idle)

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
