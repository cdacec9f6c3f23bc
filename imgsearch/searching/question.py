"""A query and the encoder that answers it: text, picture or photo id in, one unit vector out.

The encoder is loaded only when something must be embedded. A text asked before comes from the
catalog and a photo of the library from its stored embedding, so both are answered without torch.
"""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from imgsearch import prompts
from imgsearch.catalog import EncoderRow
from imgsearch.encoders import DEFAULT, Encoder
from imgsearch.errors import NoEncoderError, PictureError, QueryError
from imgsearch.images import decode
from imgsearch.images.upright import upright_rgb
from imgsearch.library import Library
from imgsearch.vectors import Vectors, ensemble

_LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
_ORIENTATION = 0x0112  # the EXIF tag


class Question:
    """One query to one library; `row` is the encoder that answers it.

    A text comes `cleaned`, with its language; a picture and a photo id have none of their own.
    """

    def __init__(
        self,
        library: Library,
        query: str | Path | int | Image.Image,
        language: str | None,
        encoder: str | Encoder | None,
    ) -> None:
        self._library, self._catalog = library, library.catalog
        self._query = query
        self._language = language
        self._given = None if isinstance(encoder, str) else encoder
        self._is_chosen = encoder is None
        self.row = self._active() if encoder is None else self._named(encoder)

    def vector(self, policy: prompts.Policy) -> Vectors:
        """The query as a (d,) unit vector of this encoder."""
        if isinstance(self._query, str):
            return self._embed_text(self._query, policy)
        if isinstance(self._query, Path | Image.Image):
            return self._embed_picture(self._query)
        return self._stored(int(self._query))

    @property
    def is_overtaken(self) -> bool:
        """Whether the encoder, which nobody named, was dropped from the library since."""
        known = self._catalog.encoder_with_identity(self.row.identity)
        return self._is_chosen and known != self.row

    def _named(self, encoder: str | Encoder) -> EncoderRow:
        row = self._library.find_encoder(encoder)
        if row is None:
            name = encoder if isinstance(encoder, str) else encoder.name
            raise NoEncoderError(
                f"the library {self._library.path} has no photos embedded by {name}; it has "
                f"{_names(answering(self._library).values())}, and this adds another: "
                f"{self._library.command('index', '--encoder', name)}"
            )
        if self._language is not None and self._language not in row.languages:
            raise NoEncoderError(
                f"the encoder {row.name} understands "
                f"{' and '.join(map(_language_name, row.languages))}, the query is "
                f"{_language_name(self._language)}; leave the encoder out, or give the language "
                f"{row.languages[0]} to ask it all the same"
            )
        return row

    def _active(self) -> EncoderRow:
        rows = answering(self._library)
        if self._language is None:  # pictures: any tower will do, English ones are the usual ones
            found = [rows.get(language) for language in prompts.LANGUAGES]
            return next((row for row in found if row is not None), next(iter(rows.values())))
        if self._language not in rows:
            raise not_understood(self._library, self._language)
        return rows[self._language]

    def _load(self) -> Encoder:
        return self._given or self._library.load_encoder(self.row)

    def _embed_text(self, text: str, policy: prompts.Policy) -> Vectors:
        templates = prompts.templates(policy, text, self._language or "en")
        key = prompts.templates_key(templates)
        cached = self._catalog.cached_text(self.row.id, key, text)
        if cached is not None:
            return cached
        vector = ensemble(self._load().embed_texts(prompts.expand(text, templates)))
        self._catalog.cache_text(self.row.id, key, text, vector)
        return vector

    def _embed_picture(self, picture: Path | Image.Image) -> Vectors:
        encoder = self._load()
        if isinstance(picture, Path):
            image = decode(picture, short_side=2 * encoder.image_size)  # as it was indexed
        else:
            image = _upright(picture)
        vector: Vectors = encoder.embed_images([image])[0]
        return vector

    def _stored(self, photo_id: int) -> Vectors:
        known = [photo_id] if abs(photo_id) < 2**63 else []  # SQLite's integers have 64 bits
        ids, vectors = self._catalog.embeddings(self.row.id, photo_ids=known)
        if not len(ids):
            raise QueryError(
                f"the library {self._library.path} has no photo {photo_id} embedded by "
                f"{self.row.name}; `imgsearch search --json` shows the ids of photos"
            )
        vector: Vectors = vectors[0]
        return vector


def cleaned(text: str) -> str:
    """A text with single spaces. Raises QueryError for one that is empty or no text."""
    text = " ".join(text.split())
    if not text:
        raise QueryError("the query is empty; say what to look for: imgsearch search a black cat")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            f"the query {text!r} is not valid text; type it anew, or search for a picture by its "
            "path"
        ) from error
    return text


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
    try:
        return upright_rgb(picture, picture.getexif().get(_ORIENTATION, 1))[0]
    except Exception as error:  # a lazily opened file is read only now, and may hold any garbage
        raise PictureError(f"the picture cannot be decoded: {error}") from error


def _names(rows: Iterable[EncoderRow]) -> str:
    return ", ".join(dict.fromkeys(row.name for row in rows))


def _language_name(language: str) -> str:
    return _LANGUAGE_NAMES.get(language, repr(language))
