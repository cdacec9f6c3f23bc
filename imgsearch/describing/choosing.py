"""Which photos a captioning run is about, and which encoder's embeddings it reads.

A captioner and a selection go in; the encoder's row, and per language a plan and photo ids, come
out. A caption is a function of captioner, embedding and decoding, so who made it is the captioner
and the decoding together: what was made in exactly this way is up to date and not made again, which
is all that a run needs to go on where it was stopped.
"""

import hashlib
import json
from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from imgsearch.captioning import Captioner, Decoding
from imgsearch.catalog import EncoderRow, Ids
from imgsearch.describing.events import Plan
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.library import Library


@dataclass(frozen=True)
class Selection:
    """Which photos are captioned: those with a live file, or `only` these, without a caption in the
    language.

    `everything` takes also those with a caption of a person's, which stays beside the new one.
    `recaption` names a captioner, or a family such as "builtin": what it generated is made anew,
    unless it was made by the captioner of this run in this very way.
    """

    only: Ids | None = None
    everything: bool = False
    recaption: str | None = None


def encoder_for(library: Library, captioner: Captioner) -> EncoderRow:
    """The encoder of the library whose embeddings a captioner reads.

    Raises NoEncoderError where there is none with embeddings, naming the command that makes some.
    """
    trained = captioner.trained_on
    if trained.identity is not None:
        rows = [library.catalog.encoder_with_identity(trained.identity)]
    else:  # weights that do not tell are taken at their name's word
        rows = [library.catalog.encoder_named(name) for name in trained.encoders]
    for row in rows:
        if row is not None and library.catalog.photo_count(row.id):
            captioner.check(row.name, row.identity, row.dim)
            return row
    raise NoEncoderError(
        f"the captioner {captioner.name} reads embeddings of {' or '.join(trained.encoders)}, and "
        f"{library.path} has none. This makes them: {embed_command(library, captioner)}"
    )


def embed_command(library: Library, captioner: Captioner) -> str:
    """What a person types to have the photos embedded by a captioner's encoder."""
    return library.command("index", "--encoder", captioner.trained_on.encoders[0])


def maker(captioner: Captioner, decoding: Decoding) -> str:
    """The identity that captions are kept under: the captioner's, with what is not usual about the
    decoding.
    """
    usual = vars(Decoding())
    given = {name: each for name, each in vars(decoding).items() if each != usual[name]}
    if not given:
        return captioner.identity
    text = f"{captioner.identity} {json.dumps(given, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()


def check_languages(captioner: Captioner, languages: tuple[str, ...]) -> None:
    """Raises UsageError for a language that the captioner does not speak."""
    for language in languages:
        if language not in captioner.languages:
            raise UsageError(
                f"the captioner {captioner.name} speaks {' and '.join(captioner.languages)}, not "
                f"{language!r}; use another --language or --captioner"
            )


class Chooser:
    """The photos of one selection, language by language."""

    def __init__(
        self, library: Library, encoder: EncoderRow, identity: str, selection: Selection
    ) -> None:
        self._catalog = library.catalog
        self._selection = selection
        self._selected = selected(library, selection.only)
        self._embedded = _array(self._catalog.embedded_photo_ids(encoder.id))
        self._captioners = {row.id: row for row in self._catalog.captioners()}
        self._identity = identity
        self._replaced = self._to_replace(selection.recaption)

    def choose(self, language: str, told: Set[int]) -> tuple[Plan, Ids]:
        """What is to be done in a language, and the photos to caption, ascending.

        `told` are the photos with a sidecar's caption in it.
        """
        mine: set[int] = set()
        others: dict[int, set[int]] = {}
        for captioner_id, photo_ids in self._catalog.generated_by(language).items():
            if self._captioners[captioner_id].identity == self._identity:
                mine = photo_ids
            else:
                others[captioner_id] = photo_ids
        by_people = self._catalog.captioned_photo_ids(language, sources=["user"])
        wanted = self._selected
        if not self._selection.everything:
            wanted = _without(wanted, by_people | told)
        theirs = {i: photo_ids for i, photo_ids in others.items() if i not in self._replaced}
        made = _without(wanted, mine.union(*theirs.values()))
        again = [others[i] for i in self._replaced if i in others]
        due = np.union1d(made, np.intersect1d(self._selected, _array(set().union(*again))))
        ids = np.intersect1d(due, self._embedded)
        left: dict[str, int] = {}
        for captioner_id, photo_ids in theirs.items():
            if count := len(np.intersect1d(wanted, _array(photo_ids))):
                name = self._captioners[captioner_id].name
                left[name] = left.get(name, 0) + count
        plan = Plan(
            language,
            photos=len(ids),
            unembedded=len(due) - len(ids),
            by_people=len(_without(self._selected, set(wanted.tolist()) | set(due.tolist()))),
            up_to_date=len(np.intersect1d(wanted, _array(mine))),
            by_others=left,
        )
        return plan, ids

    def _to_replace(self, name: str | None) -> set[int]:
        if name is None:
            return set()
        rows = self._captioners.values()
        found = [row for row in rows if row.name == name or row.name.startswith(f"{name}/")]
        if not found:
            there = ", ".join(dict.fromkeys(row.name for row in rows)) or "none yet"
            raise UsageError(
                f"no caption here was generated by {name!r}; the captioners of this library are: "
                f"{there}"
            )
        return {row.id for row in found if row.identity != self._identity}


def selected(library: Library, only: Ids | None) -> Ids:
    """Ids of the photos with a live file, or `only` these, ascending."""
    return library.catalog.photo_ids() if only is None else np.unique(only)


def _array(photo_ids: Set[int]) -> Ids:
    return np.array(sorted(photo_ids), np.int64)


def _without(photo_ids: Ids, others: Set[int]) -> Ids:
    return np.setdiff1d(photo_ids, _array(others), assume_unique=True)
