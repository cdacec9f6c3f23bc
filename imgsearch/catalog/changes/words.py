"""WordChanges: what is said of photos, and where people put them: captions, labels, albums.

Photo ids, sentences and names go in; how much is new comes out.
"""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select

from imgsearch.catalog import albums, captions, full_text, labels
from imgsearch.catalog.changes.changing import Changing
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.rows import GivenLabel
from imgsearch.catalog.tables import CaptionerEntry


class WordChanges(Changing):
    """Done by a `Writer`."""

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
        """A person gives photos a label, refused before or not; how many had not got it from a
        person.
        """
        return labels.add_own(self.connection, name, photo_ids, self._now)

    def remove_label(self, name: str, photo_ids: Sequence[int]) -> int:
        """Take a label from photos, whoever gave it, and refuse it to them; how many had it."""
        return labels.remove(self.connection, name, photo_ids, self._now)

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

    def rename_album(self, name: str, another: str) -> None:
        """Give an album another name."""
        albums.rename(self.connection, name, another)

    def drop_album(self, name: str) -> None:
        """Forget an album; its photos stay."""
        albums.drop(self.connection, name)
