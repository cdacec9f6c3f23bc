"""Which encoder answers the queries of a language: at the end of a run, and when told to.

The encoders a caller named go in. One that covers more photos than the active one takes its place;
one that covers as many does so only if the active one is bundled, which is a start and not a
choice. Between two real encoders of equal reach a person chooses: that is `switch`. Every change is
noted in the commit that makes it, so that `rollback` can take it back.
"""

from collections.abc import Iterable

from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.encoders.families import builtin_version
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.library import Library


def take_over(library: Library, chosen: Iterable[ChosenEncoder]) -> None:
    """Let each of these encoders answer the languages that it can answer better.

    Photos without a live file do not count: no search finds them.
    """
    catalog = library.catalog
    active = catalog.active_encoders()
    answers: dict[str, EncoderRow] = {}
    for each in chosen:
        for language in each.row.languages:
            now = answers.get(language) or active.get(language)
            if now is None or now.id == each.row.id:
                continue
            more = catalog.live_photo_count(each.row.id) - catalog.live_photo_count(now.id)
            if more > 0 or (more == 0 and builtin_version(now.name) is not None):
                answers[language] = each.row
    with catalog.write() as writer:
        writer.switch_answers("index", {name: row.id for name, row in answers.items()})


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
            writer.switch_answers("switch", dict.fromkeys(row.languages, row.id))
        return row


def rollback(library: Library) -> dict[str, EncoderRow]:
    """Take back the last change of who answers: by `switch`, `rebuild`, or an encoder that `index`
    let take over. Language -> encoder, as it is now.

    A second one takes back the change before. Every encoder kept its embeddings and its index, so
    nothing is computed; photos that came since are found once `index` has shown them to it.

    Raises UsageError when there is nothing to take back, and LibraryLockedError when another
    process is writing.
    """
    with library.lock():
        with library.catalog.write() as writer:
            is_undone = writer.undo_switch()
        now = library.catalog.active_encoders()
        if not is_undone:
            names = ", ".join(f"{row.name} for {language}" for language, row in now.items())
            raise UsageError(
                f"{library.path} has no switch to take back: {names or 'nobody'} answered from the "
                f"start, or `prune` dropped what was before. To let another encoder answer: "
                f"{library.command('switch', 'NAME')}"
            )
        return now


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
