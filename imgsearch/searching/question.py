"""A query and the encoder that answers it: a sum of texts, pictures and photos in, one unit vector
out.

Each term is a unit vector of its own, a text by its own templates; the query is their weighted sum,
scaled to length 1, so that its score stays a cosine. One encoder answers the whole of it, since
vectors of two do not add up.

The encoder is loaded only when something must be embedded. A text asked before comes from the
catalog and a photo of the library from its stored embedding, so both are answered without torch.
All texts that are new, of however many questions, are embedded at once, and so are all pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgsearch import prompts
from imgsearch.catalog import EncoderRow
from imgsearch.encoders import DEFAULT, Encoder, Runtime
from imgsearch.errors import NoEncoderError, PictureError, QueryError
from imgsearch.library import Library, Text, embed_texts
from imgsearch.queries import Address, Asked, PhotoId, Picture, Term, Words, query_of
from imgsearch.vectors import Vectors, normalise

if TYPE_CHECKING:
    from PIL import Image

_LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
_ORIENTATION = 0x0112  # the EXIF tag
_NOTHING_LEFT = 1e-3  # of the lengths of the terms: less is what rounding leaves


class Question:
    """One query to one library; `row` is the encoder that answers it, `language` the one it is
    answered in, None for a query without words, `terms` are what it is the sum of.

    Without a language given, a sum with a Chinese text is Chinese; its encoder must then know the
    languages of all its texts. Raises QueryError for a query that has conditions alone.
    """

    def __init__(
        self,
        library: Library,
        asked: Asked,
        language: str | None,
        encoder: str | Encoder | None,
    ) -> None:
        self.library, self._catalog = library, library.catalog
        self.terms = query_of(asked).terms
        if not self.terms:
            raise QueryError(
                "the query has conditions alone, and nothing that photos could be like; add words, "
                "a picture or a photo: imgsearch search a black cat year:2023"
            )
        self._given_language = language
        self._languages = (language,) if language else languages_of(self.terms)
        self.language = next(iter(self._languages), None)
        self._given = None if isinstance(encoder, str) else encoder
        self._is_chosen = encoder is None
        self.row = self._active() if encoder is None else self._named(encoder)

    def vector(self, policy: prompts.Policy) -> Vectors:
        """The query as a (d,) unit vector of this encoder. Raises QueryError for a sum that cancels
        out."""
        return embed_together([self], policy)[0]

    @property
    def is_overtaken(self) -> bool:
        """Whether the encoder, which nobody named, was dropped from the library since."""
        known = self._catalog.encoder_with_identity(self.row.identity)
        return self._is_chosen and known != self.row

    @property
    def is_of_words(self) -> bool:
        """Whether every term is a text, and some text is added."""
        are_words = all(isinstance(term.subject, Words) for term in self.terms)
        return are_words and bool(self.added)

    @property
    def added(self) -> list[int]:
        """The places of the terms that are not subtracted."""
        return [place for place, term in enumerate(self.terms) if term.weight > 0]

    def encoder(self, runtime: Runtime = "auto") -> Encoder:
        """The encoder itself: one that the library holds for any device, else on the CPU, where
        one text is embedded before a GPU is set up; torch's, for those who look inside, where it
        is fastest."""
        device = "cpu" if runtime == "auto" else "auto"
        return self._given or self.library.load_encoder(self.row, device, runtime=runtime)

    def texts(self, policy: prompts.Policy) -> Iterator[Text]:
        """The texts of the sum, each with its templates."""
        for term in self.terms:
            if isinstance(term.subject, Words):
                yield self._text(term.subject, policy)

    def pictures(self) -> Iterator[Image.Image]:
        """The pictures of the sum, decoded as they were indexed."""
        for term in self.terms:
            if not isinstance(term.subject, (Words, PhotoId)):
                yield self._decoded(term.subject)

    def mixture(
        self,
        policy: prompts.Policy,
        texts: Mapping[Text, Vectors],
        pictures: Iterator[Vectors],
    ) -> Vectors:
        """As `vector`, where the vectors of the texts are there already, and those of its pictures
        come next.
        """
        total = self._weighted(policy, texts, pictures).sum(axis=0)
        if np.linalg.norm(total) < _NOTHING_LEFT * sum(abs(term.weight) for term in self.terms):
            raise QueryError(
                "the terms of the query cancel each other out, and nothing is left to look for; "
                "leave one out, or change a weight: horse - 0.5:pony"
            )
        return normalise(total)

    def parts(self, policy: prompts.Policy) -> npt.NDArray[np.float64]:
        """What each of the t terms brings to the vector: (t, d), their sum is of length 1."""
        rows = self._weighted(policy, _embed_texts([self], policy), _embed_pictures([self]))
        parts: npt.NDArray[np.float64] = rows / np.linalg.norm(rows.sum(axis=0))
        return parts

    def _weighted(
        self,
        policy: prompts.Policy,
        texts: Mapping[Text, Vectors],
        pictures: Iterator[Vectors],
    ) -> npt.NDArray[np.float64]:
        rows = np.empty((len(self.terms), self.row.dim))
        for row, term in zip(rows, self.terms, strict=True):
            if isinstance(term.subject, Words):
                vector = texts[self._text(term.subject, policy)]
            elif isinstance(term.subject, PhotoId):
                vector = self._stored(term.subject.id)
            else:
                vector = next(pictures)
            row[:] = term.weight * vector.astype(np.float64)
        return rows

    def _text(self, words: Words, policy: prompts.Policy) -> Text:
        language = self._given_language or prompts.language_of(words.text)
        return words.text, prompts.templates(policy, words.text, language)

    def _named(self, encoder: str | Encoder) -> EncoderRow:
        row = self.library.find_encoder(encoder)
        if row is None:
            name = encoder if isinstance(encoder, str) else encoder.name
            raise NoEncoderError(
                f"the library {self.library.path} has no photos embedded by {name}; it has "
                f"{_names(answering(self.library).values())}, and this adds another: "
                f"{self.library.command('index', '--encoder', name)}"
            )
        if not set(row.languages).issuperset(self._languages):
            raise NoEncoderError(
                f"the encoder {row.name} understands {_all_of(row.languages)}, the query is "
                f"{_all_of(self._languages)}; leave the encoder out, or give the language "
                f"{row.languages[0]} to ask it all the same"
            )
        return row

    def _active(self) -> EncoderRow:
        rows = answering(self.library)
        if not self._languages:  # pictures: any tower will do, English ones are the usual ones
            found = [rows.get(language) for language in prompts.LANGUAGES]
            return next((row for row in found if row is not None), next(iter(rows.values())))
        known = [rows[language] for language in self._languages if language in rows]
        if len(self._languages) > 1:
            known = [row for row in known if set(row.languages).issuperset(self._languages)]
        if not known and len(self._languages) > 1:
            raise NoEncoderError(
                f"the terms of the query are {_all_of(self._languages)}, and no encoder of the "
                f"library {self.library.path} understands both (it has {_names(rows.values())}); "
                f"write all terms in one language, or give the language {self._languages[0]} to "
                "have all of them taken for it"
            )
        if not known:
            raise not_understood(self.library, self._languages[0])
        return known[0]

    def _decoded(self, picture: Picture | Address | Image.Image) -> Image.Image:
        if not isinstance(picture, (Picture, Address)):
            return _upright(picture)
        from imgsearch.images import decode  # words need neither Pillow nor the network
        from imgsearch.searching.addresses import fetch

        if isinstance(picture, Picture):
            source: Path | bytes = picture.path
        else:
            source = fetch(picture.url) if picture.content is None else picture.content
        return decode(source, short_side=2 * self.encoder().image_size)

    def _stored(self, photo_id: int) -> Vectors:
        known = [photo_id] if abs(photo_id) < 2**63 else []  # SQLite's integers have 64 bits
        ids, vectors = self._catalog.embeddings(self.row.id, photo_ids=known)
        if not len(ids):
            raise QueryError(
                f"the library {self.library.path} has no photo {photo_id} embedded by "
                f"{self.row.name}; `imgsearch search --json` shows the ids of photos"
            )
        vector: Vectors = vectors[0]
        return vector


def embed_together(questions: Sequence[Question], policy: prompts.Policy) -> list[Vectors]:
    """The (d,) unit vector of each question, all to one library; each encoder embeds the texts of
    all its questions that are new to the library in one batch, and their pictures in another.

    Raises QueryError for a sum that cancels out, an unknown photo and a text that is too long.
    """
    of_encoders: dict[int, list[Question]] = {}
    for question in questions:
        of_encoders.setdefault(question.row.id, []).append(question)
    texts = {row_id: _embed_texts(each, policy) for row_id, each in of_encoders.items()}
    pictures = {row_id: _embed_pictures(each) for row_id, each in of_encoders.items()}
    return [
        question.mixture(policy, texts[question.row.id], pictures[question.row.id])
        for question in questions
    ]


def _embed_pictures(questions: Sequence[Question]) -> Iterator[Vectors]:
    """The vectors of all pictures of questions to one encoder, in their order."""
    pictures = [picture for question in questions for picture in question.pictures()]
    return iter(questions[0].encoder().embed_images(pictures) if pictures else ())


def _embed_texts(questions: Sequence[Question], policy: prompts.Policy) -> dict[Text, Vectors]:
    """The vectors of all texts of questions to one encoder."""
    first = questions[0]
    texts = (text for question in questions for text in question.texts(policy))
    return embed_texts(first.library.catalog, first.row, texts, first.encoder)


def languages_of(terms: Iterable[Term]) -> tuple[str, ...]:
    """The languages that the texts of a sum are in, the one it is answered in first."""
    texts = [term.subject.text for term in terms if isinstance(term.subject, Words)]
    found = {prompts.language_of(text) for text in texts}
    return tuple(language for language in ("zh", "en") if language in found)


def answering(library: Library) -> dict[str, EncoderRow]:
    """Language -> encoder. Each has embedded something; QueryError where there is no photo."""
    rows = library.catalog.active_encoders()
    if not rows:
        raise QueryError(
            f"the library {library.path} holds no photos yet; this adds some: "
            f"{library.command('index', 'FOLDER')}"
        )
    return rows


def not_understood(library: Library, language: str) -> NoEncoderError:
    """The error for a language that no encoder of the library answers."""
    name = DEFAULT.get(language, "NAME")
    return NoEncoderError(
        f"no encoder of the library {library.path} understands {_language_name(language)} "
        f"(it has {_names(answering(library).values())}); this adds one: "
        f"{library.command('index', '--encoder', name)}"
    )


def _upright(picture: Image.Image) -> Image.Image:
    from imgsearch.images.upright import upright_rgb

    try:
        return upright_rgb(picture, picture.getexif().get(_ORIENTATION, 1))[0]
    except Exception as error:  # a lazily opened file is read only now, and may hold any garbage
        raise PictureError(f"the picture cannot be decoded: {error}") from error


def _names(rows: Iterable[EncoderRow]) -> str:
    return ", ".join(dict.fromkeys(row.name for row in rows))


def _all_of(languages: Iterable[str]) -> str:
    return " and ".join(map(_language_name, languages))


def _language_name(language: str) -> str:
    return _LANGUAGE_NAMES.get(language, repr(language))
