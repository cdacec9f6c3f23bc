"""`imgsearch explain-prefix`: what a captioner passes on to its language model, as words.

A photo goes in; its captions and the words nearest to each vector of its prefix come out. A photo
of the library is answered from its stored embedding where the captioner reads that encoder's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame, showing
from imgsearch.errors import NoLibraryError, QueryError

if TYPE_CHECKING:
    from imgsearch.captioning import Caption, Captioner, NearWord
    from imgsearch.catalog import EncoderRow
    from imgsearch.encoders import Encoder
    from imgsearch.library import Library
    from imgsearch.vectors import Vectors


def explain_prefix(
    context: typer.Context,
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A picture (./cat.jpg), or a photo (id:123).")
    ],
    captioner: Annotated[
        str,
        typer.Option("--captioner", metavar="NAME", help="A name or path, such as builtin."),
    ] = "builtin",
    k: Annotated[
        int, typer.Option("-k", "--k", metavar="N", min=1, help="How many words a vector.")
    ] = 3,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="LANG", help="Of the caption: en or zh; else all it speaks."
        ),
    ] = None,
    tokenizer: frame.TokenizerOption = None,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Show what a captioner reads in a photo: the words nearest to each vector of its prefix.

    \b
    imgsearch explain-prefix ./cat.jpg
    imgsearch explain-prefix id:123 --captioner flickr -k 5
    imgsearch explain-prefix ./cat.jpg --captioner coco_weights.pt --json

    The numbers are cosines. A prefix is no sentence: where the language model was trained along
    with the mapper, its words need not make sense (ClipCap, section 4.3).
    """
    with showing.status("loading"):
        from imgsearch.captioning import explained, load

    with _library(context, library) as opened:
        folder = None if opened is None else opened.captioners_folder
        with showing.status(f"looking at {photo}"):
            loaded = load(captioner, device=device, captioners=folder, tokenizer=tokenizer)
            vectors = _embedding(photo, loaded, opened, device)
    captions = {
        each: loaded.caption(vectors, each)[0]
        for each in ([language] if language else loaded.languages)
    }
    prefix = explained(loaded, vectors, k)[0]
    if json:
        frame.write(_json(photo, loaded, captions, prefix))
    else:
        frame.write(_lines(captions, prefix))


def _library(context: typer.Context, given: Path | None) -> Library | nullcontext[None]:
    """The library, or none: a picture and a path to a captioner need no library."""
    try:
        return frame.existing_library(context, given)
    except NoLibraryError:
        if given is not None:
            raise
        return nullcontext()


def _embedding(photo: str, captioner: Captioner, library: Library | None, device: str) -> Vectors:
    """The photo as its captioner reads it, (1, d)."""
    from imgsearch.cli.queries import asked_for
    from imgsearch.queries import PhotoId, Picture

    terms = asked_for(photo).terms
    subject = terms[0].subject if len(terms) == 1 else None
    if isinstance(subject, PhotoId):
        return _stored(subject.id, captioner, library)
    if not isinstance(subject, Picture):
        raise QueryError(f"{photo!r} is no picture; give the path of one, or id:123 for a photo")
    from imgsearch.images import decode

    encoder = _encoder(captioner, library, device)
    return encoder.embed_images([decode(subject.path, short_side=2 * encoder.image_size)])


def _encoder(captioner: Captioner, library: Library | None, device: str) -> Encoder:
    """The encoder a captioner reads: the library's own, whatever its name there; else by name."""
    from imgsearch import encoders

    if library is not None:
        for row in _read_by(captioner, library):
            if row.source is not None:
                return library.load_encoder(row, device)
    models = None if library is None else library.models_folder
    encoder = encoders.load(captioner.trained_on.encoders[0], device=device, models=models)
    captioner.check(encoder.name, encoder.identity, encoder.dim)
    return encoder


def _read_by(captioner: Captioner, library: Library) -> list[EncoderRow]:
    rows = library.catalog.encoders()
    return [row for row in rows if captioner.reads(row.name, row.identity, row.dim)]


def _stored(photo_id: int, captioner: Captioner, library: Library | None) -> Vectors:
    if library is None:
        raise QueryError(
            f"there is no library to look photo {photo_id} up in; name one with --library, or give "
            "the path of a picture"
        )
    for row in _read_by(captioner, library):
        known = [photo_id] if photo_id < 2**63 else []  # SQLite's integers have 64 bits
        ids, vectors = library.catalog.embeddings(row.id, photo_ids=known)
        if len(ids):
            return vectors
    name = captioner.trained_on.encoders[0]
    raise QueryError(
        f"the library {library.path} has no photo {photo_id} embedded by {name}, whose embeddings "
        f"{captioner.name} reads; this adds them: {library.command('index', '--encoder', name)}"
    )


def _lines(captions: dict[str, Caption], prefix: Sequence[Sequence[NearWord]]) -> str:
    from imgsearch.display.text import shown

    lines = [f"{language}  {shown(caption.text)}" for language, caption in captions.items()]
    for number, words in enumerate(prefix, 1):
        near = "  ".join(f"{shown(each.word.strip())} {each.score:.2f}" for each in words)
        lines.append(f"{number:>2}  {near}")
    return "".join(f"{line}\n" for line in lines)


def _json(
    photo: str,
    captioner: Captioner,
    captions: dict[str, Caption],
    prefix: Sequence[Sequence[NearWord]],
) -> str:
    from imgsearch.display.text import as_json

    found = {
        "photo": photo,
        "captioner": captioner.name,
        "captions": {language: dataclasses.asdict(each) for language, each in captions.items()},
        "prefix": [[dataclasses.asdict(each) for each in words] for words in prefix],
    }
    return as_json(found) + "\n"
