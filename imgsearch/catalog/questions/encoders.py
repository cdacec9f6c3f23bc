"""EncoderQuestions: encoders, what was built of them, and how they see photos.

Ids go in, rows and arrays come out.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine, select

from imgsearch.catalog import embeddings, encoders
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.rows import EncoderRow, GenerationRow
from imgsearch.catalog.tables import Embedding, EncoderEntry
from imgsearch.vectors import Vectors


class EncoderQuestions:
    """Asked of a `Catalog`."""

    engine: Engine

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

    def active_encoders(self) -> dict[str, EncoderRow]:
        """Language -> encoder, in the order of the languages' names."""
        return encoders.answering(self.engine)

    # Generations

    def current_generation(self, encoder_id: int) -> GenerationRow | None:
        """The generation that searches of this encoder use."""
        return encoders.current_generation(self.engine, encoder_id)

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
        return embeddings.count(self.engine, encoder_id, after)

    def last_embedding_id(self, encoder_id: int) -> int:
        """That of an encoder's last embedding; 0 if there is none."""
        return embeddings.last(self.engine, encoder_id)

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

    def sample_embeddings(
        self, encoder_id: int, most: int, *, after: int = 0, until: int | None = None
    ) -> tuple[Ids, Vectors, int]:
        """As `embeddings_and_last`, of about `most` that are spread evenly over all those.

        All of them where there are no more; the same ones at each call. None later than `until`.
        """
        return embeddings.sample(self.engine, encoder_id, most, after, until)

    def known_texts(self, encoder_id: int, most: int) -> Vectors:
        """Vectors (n, d) of up to so many texts that were asked for, or are to be compared with."""
        return embeddings.known_texts(self.engine, encoder_id, most)

    def embedded_among(self, encoder_id: int, photo_ids: Collection[int]) -> set[int]:
        """Those of the photos that this encoder has embedded."""
        return embeddings.among(self.engine, encoder_id, photo_ids)

    def embedded_photo_ids(self, encoder_id: int) -> set[int]:
        """The photos this encoder has embedded."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(Embedding.photo_id).where(Embedding.encoder_id == encoder_id)
            )
            return set(rows.scalars())
