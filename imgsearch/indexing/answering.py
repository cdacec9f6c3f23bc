"""Which encoder answers the queries of a language: at the end of a run, and when told to.

The encoders a caller named go in. One that covers more photos than the active one takes its place;
one that covers as many does so only if the active one is bundled, which is a start and not a
choice. Between two real encoders of equal reach a person chooses: that is `switch`.
"""

from collections.abc import Iterable

from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.encoders.families import builtin_version
from imgsearch.errors import NoEncoderError
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.library import Library


def take_over(library: Library, chosen: Iterable[ChosenEncoder]) -> None:
    """Let each of these encoders answer the languages that it can answer better.

    Photos without a live file do not count: no search finds them.
    """
    catalog = library.catalog
    for each in chosen:
        for language in each.row.languages:
            active = catalog.active_encoder(language)
            if active is None or active.id == each.row.id:
                continue
            more = catalog.live_photo_count(each.row.id) - catalog.live_photo_count(active.id)
            if more > 0 or (more == 0 and builtin_version(active.name) is not None):
                with catalog.write() as writer:
                    writer.activate(language, each.row.id)


def switch(library: Library, encoder: str | Encoder) -> EncoderRow:
    """Let an encoder of the library answer the queries of all its languages from now on.

    Named, or the object itself. What it has not embedded yet cannot be found: `index --encoder`
    first. Raises NoEncoderError where the library has no such encoder or no embeddings of it, and
    LibraryLockedError when another process is writing.
    """
    with library.lock():
        row = library.find_encoder(encoder)
        if row is None or not library.catalog.photo_count(row.id):
            raise unknown_encoder(library, encoder)
        with library.catalog.write() as writer:
            for language in row.languages:
                writer.activate(language, row.id)
        return row


def unknown_encoder(library: Library, wanted: str | Encoder | None) -> NoEncoderError:
    """The error that says which encoders have embeddings, and how to add another."""
    catalog = library.catalog
    there = [row.name for row in catalog.encoders() if catalog.photo_count(row.id)]
    name = wanted if wanted is None or isinstance(wanted, str) else wanted.name
    return NoEncoderError(
        f"{library.path} has no photos embedded by {name or 'any encoder'}; it has "
        f"{', '.join(there) or 'none'}. Add one: "
        f"{library.command('index', '--encoder', name or 'NAME')}"
    )
