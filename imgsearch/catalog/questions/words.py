"""WordQuestions: what is said of photos, by people and by captioners and encoders.

Photo ids and words go in, rows come out.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine

from imgsearch.catalog import captions, full_text, labels
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.rows import (
    SOURCES,
    CaptionerRow,
    CaptionRow,
    LabelRow,
    LabelTally,
    Source,
    WordMatch,
)
from imgsearch.words import Term


class WordQuestions:
    """Asked of a `Catalog`."""

    engine: Engine

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

    def labels_refused(self, names: Sequence[str]) -> dict[str, set[int]]:
        """Name of a label -> the photos that a person took it from; without any, it is absent."""
        return labels.refused(self.engine, names)
