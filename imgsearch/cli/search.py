"""`imgsearch search`: words, pictures, photos of the library and conditions in, hits out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import filter_options, frame, showing
from imgsearch.cli import search_options as options
from imgsearch.cli.previews import PreviewAsOption, PreviewOption

if TYPE_CHECKING:
    from imgsearch.library import Library
    from imgsearch.prompts import Policy
    from imgsearch.queries import Query
    from imgsearch.searching import Mode, Order

NOTHING_FOUND = 1


def search(
    context: typer.Context,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Words, a picture (./cat.jpg), a photo (id:123), conditions (year:2023); "
            "+ and - add and subtract.",
        ),
    ] = None,
    add: options.AddOption = None,
    subtract: options.SubtractOption = None,
    queries: options.QueriesOption = None,
    allow_url: options.AllowUrlOption = False,
    k: showing.KOption = 10,
    everything: options.AllOption = False,
    min_score: options.MinScoreOption = None,
    sort: options.SortOption = "score",
    diverse: options.DiverseOption = False,
    mode: options.ModeOption = "auto",
    prompt: options.PromptOption = "auto",
    language: options.LanguageOption = None,
    encoder: options.EncoderOption = None,
    device: frame.DeviceOption = "auto",
    path: showing.PathOption = None,
    explain: options.ExplainOption = False,
    paths_only: options.PathsOption = False,
    null: options.NullOption = False,
    json: frame.JsonOption = False,
    contact_sheet: options.SheetOption = None,
    html: showing.HtmlOption = None,
    preview: PreviewOption = False,
    preview_as: PreviewAsOption = None,
    library: frame.LibraryOption = None,
) -> None:
    """Find the photos that fit a query best; only those that are relevant, unless --all.

    \b
    imgsearch search two dogs playing in snow
    imgsearch search 日落时的海滩 -k 20 year:2021-2023
    imgsearch search ./cat.jpg + snow --path ~/Pictures/2023
    imgsearch search horse + stripes - 0.5:grass
    imgsearch search id:123 --diverse --contact-sheet like-123.png
    imgsearch search "camera:canon*" country:France --sort date
    imgsearch search --portrait --year 2023
    imgsearch search receipt -0 | xargs -0 cp -t receipts/
    """
    # Before numpy loads: the products of one query are small, and threads that wait for their part
    # of one by spinning take twenty times as long as one alone where other programs run too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from imgsearch.cli.queries import hits_of, nothing_found, with_terms
    from imgsearch.searching import Filters, Manner

    words = with_terms(query or (), add or (), subtract or ())
    filtered = filter_options.written(context, path)
    texts, asked = _asked(words, queries, filtered, allows_addresses=allow_url)
    is_cut = not everything and min_score is None and mode != "text"
    filters = Filters(path, min_score, conditions=filter_options.conditions(context))
    manner = Manner(
        cast("Mode", mode),
        language,
        cast("Policy", prompt),
        encoder,
        filters,
        cast("Order", sort),
        diverse,
    )
    shown = showing.Shown(
        json=json,
        preview=preview,
        preview_as=preview_as,
        html=html,
        paths_only=paths_only,
        null=null,
        contact_sheet=contact_sheet,
    )
    with frame.existing_library(context, library) as opened:
        with showing.status("searching"):
            if device != "auto" and mode != "text":
                _load_on(device, opened, asked, encoder or language)
            if explain:
                from imgsearch.searching.addresses import fetched

                asked = [fetched(each) for each in asked]  # once, of which three are in need
            found = hits_of(opened, asked, k, manner, is_cut=is_cut)
            maps = {}
            if explain:
                from imgsearch.searching import explaining

                found = [
                    explaining.explain(opened, each, hits, manner)
                    for each, hits in zip(asked, found, strict=True)
                ]
                if contact_sheet is not None:
                    maps = explaining.heats(opened, asked[0], found[0], manner)
        showing.show_answers(opened, list(zip(texts, found, strict=True)), shown, maps)
        if not any(found):
            only = is_cut and len(asked) == 1  # of several it would take as many lines
            said = nothing_found(opened, asked[0], manner, is_cut=only)
            frame.complain(said, style="yellow")
            raise typer.Exit(NOTHING_FOUND)


def _asked(
    words: Sequence[str], queries: Path | None, filtered: str, *, allows_addresses: bool
) -> tuple[list[str], list[Query]]:
    """The queries of a call, as a person wrote them and as they are meant; filters alone are one.

    Raises QueryError for none.
    """
    from imgsearch.cli.queries import asked_for, queries_in, text_of
    from imgsearch.errors import QueryError
    from imgsearch.queries import Query

    asked: list[tuple[str, Query]] = []
    if words:
        text = text_of(words)
        asked.append((text, asked_for(text, allows_addresses=allows_addresses)))
    if queries is not None:
        asked += queries_in(queries, allows_addresses=allows_addresses)
    if not asked and filtered:
        asked.append((filtered, Query()))  # whatever the filters let through
    if not asked:
        raise QueryError("no query was given; say what to look for: imgsearch search a black cat")
    return [text for text, _ in asked], [query for _, query in asked]


def _load_on(device: str, library: Library, asked: Sequence[Query], chosen: str | None) -> None:
    """Load the encoders that may answer onto a device; `search_all` then finds them loaded."""
    from imgsearch.prompts import language_of
    from imgsearch.queries import Words

    active = library.catalog.active_encoders()
    names = {chosen} if chosen is not None else set()
    for term in (term for query in asked for term in query.terms):
        if chosen is None and isinstance(term.subject, Words):
            names.add(language_of(term.subject.text))
    rows = [active.get(name) or library.catalog.encoder_named(name) for name in names]
    for row in rows if names else active.values():
        if row is not None:  # else `search_all` says what there is
            library.keep_encoder(library.load_encoder(row, device))
