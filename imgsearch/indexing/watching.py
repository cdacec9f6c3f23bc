"""watch: a library kept up to date as files change, in small transactions.

Paths go in, outcomes come out for as long as the caller goes on: first those of `index`, which
catches what happened while nobody watched, then those of every batch of changes. Only what changed
is looked at: a batch costs in proportion to itself and not to the library. The library is locked
while a batch is taken in and free in between, so that other commands have their turn.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imgsearch import images
from imgsearch.images import Finding
from imgsearch.indexing.changes import Attention, Changes
from imgsearch.indexing.choosing import Wanted, choose
from imgsearch.indexing.comparing import Comparison
from imgsearch.indexing.gone import FEW_FILES
from imgsearch.indexing.outcomes import Intake, Notice, Outcome, Watching
from imgsearch.indexing.roots import find_roots
from imgsearch.indexing.running import bring_up_to_date, build_due, index, released, warn
from imgsearch.library import Library, recorded


def watch(
    library: Library,
    paths: Sequence[Path | str] | Path | str = (),
    *,
    encoder: Wanted = None,
    intake: Intake = Intake(),  # noqa: B008  # frozen
    device: str = "auto",
    attention: Attention | None = None,
    notify: Callable[[Notice], None] | None = None,
) -> Iterator[Outcome]:
    """Index the photos at or under `paths`, then keep up with what changes there.

    Arguments, outcomes and errors are those of `index`; without any path, all that were given
    before are watched. A library that another run is writing to is waited for. What is gone is
    missing at once, unless it looks like an unmounted drive. Ends when `attention.stop` is set, and
    with its caller.

    Raises UsageError where the system cannot watch the folders, and what `index` raises.
    """
    notify, attention = notify or warn, attention or Attention()
    roots = find_roots(library, paths, intake.listed).compared
    # From before the first run on, so that nothing falls between the two.
    with contextlib.closing(Changes(roots, library.path, attention)) as changes:
        with library.lock(wait=True):
            if encoder is not None:  # loaded once
                chosen = choose(library, encoder, device, notify, roots)
                encoder = [each.encoder for each in chosen]
            yield from index(
                library, paths, encoder=encoder, intake=intake, device=device, notify=notify
            )
        notify(Watching(tuple(roots)))
        for changed in changes.settled():
            with library.lock(wait=True):
                chosen = choose(library, encoder, device, notify, roots)
                comparison = Comparison(library.catalog, changed, chosen)
                findings = [
                    finding
                    for finding in images.find_changed(
                        changed, roots, intake.exclude, intake.containers
                    )
                    if finding.path not in changes.unsettled
                ]
                if findings or comparison.unseen:
                    yield from _take_in(library, comparison, findings, intake, notify)


def _take_in(
    library: Library,
    comparison: Comparison,
    findings: Sequence[Finding],
    intake: Intake,
    notify: Callable[[Notice], None],
) -> Iterator[Outcome]:
    """One batch, noted as a run of its own."""
    if sum(map(images.is_gone, comparison.live)) >= FEW_FILES:
        # Whether it was a drive shows on the whole of a root, not on what has changed.
        files = library.catalog.files_under(library.catalog.roots())
        comparison.live = [name for name, file in files.items() if file.state == "live"]
    with recorded(library, "watch") as counts, released():
        for outcome in bring_up_to_date(library, comparison, findings, (), intake, notify):
            counts[type(outcome).__name__.lower()] += 1
            yield outcome
        build_due(library, comparison.encoders, notify)
