"""EncoderChanges: encoders come, answer, see photos, and are dropped with all that is theirs.

Rows and vectors go in, ids come out.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from imgsearch.catalog import switching
from imgsearch.catalog.changes.changing import Changing
from imgsearch.catalog.connection import pieces
from imgsearch.catalog.rows import EncoderRow, GenerationRow
from imgsearch.catalog.stepping import steps_back
from imgsearch.catalog.tables import (
    ActiveEncoder,
    AnswerBefore,
    Embedding,
    EncoderEntry,
    Generation,
    TextEmbedding,
)
from imgsearch.vectors import Vectors, to_bytes


class EncoderChanges(Changing):
    """Done by a `Writer`."""

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

    # Generations

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
