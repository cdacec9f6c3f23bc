"""Hits in the forms a person or a program asks for; each a pure function of the list of hits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.display.text import as_json, path_bytes, shown
from imgsearch.words import spans

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from imgsearch.images import Place
    from imgsearch.searching import Hit
    from imgsearch.searching.hits import Explanation

LEAST_BM25 = 0.001  # that three decimals show
LEAST_SHARE = 0.005  # that two decimals show


def table(hits: Sequence[Hit]) -> Table:
    """Rank, score and path for a terminal; a click on the path opens the photo where that works.

    Captions stand below the paths, what was found in them highlighted. Beside a score stands what
    keeps the photo, where that is known: how relevant it is, or words. Where words were asked, or
    an explanation was, a column says why each photo is here; where words alone were, the score is
    BM25.
    """
    from rich.table import Table
    from rich.text import Text

    has_cosines = any(hit.score is not None for hit in hits)
    has_words = any(hit.text_rank is not None for hit in hits)
    has_relevances = any(hit.relevance is not None for hit in hits)
    has_reasons = has_words or any(hit.explanation is not None for hit in hits)
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("#", justify="right", style="dim")
    heading = "score" if has_cosines else "BM25" if has_words else ""
    grid.add_column(heading, justify="right", style="cyan")
    if has_relevances:
        grid.add_column("relevant", justify="right", style="cyan")
    grid.add_column("photo", overflow="fold")
    if has_reasons:
        grid.add_column("why", overflow="fold", style="dim")
    for hit in hits:
        photo = Text(shown(hit.path), style=f"link {_opened(hit).as_uri()}")
        if hit.caption is not None:
            photo = Text("\n").join([photo, highlighted(hit.caption, hit.matched)])
        meant = [relevance(hit)] if has_relevances else []
        why = [Text("\n".join(_reasons(hit)))] if has_reasons else []
        grid.add_row(str(hit.rank), score(hit), *meant, photo, *why)
    return grid


def lines(hits: Sequence[Hit]) -> str:
    """The same as text that nothing wraps or cuts: for a pipe, a log, a file.

    Behind the path come the caption, if there is one, and where words were found or an explanation
    was asked for, why.
    """
    width = len(str(len(hits)))
    wide = max((len(relevance(hit)) for hit in hits), default=0)
    rows = []
    for hit in hits:
        parts = [f"{hit.rank:>{width}}", score(hit), f"{relevance(hit):>{wide}}", shown(hit.path)]
        if hit.caption is not None:
            parts.append(shown(hit.caption))
        if hit.text_rank is not None or hit.explanation is not None:
            parts.append(f"[{'; '.join(_reasons(hit))}]")
        rows.append("  ".join(filter(None, parts)) + "\n")
    return "".join(rows)


def heading(query: str, count: int) -> str:
    """The line above the hits of one of several queries."""
    return f"{shown(query)}{'' if count else ': nothing relevant'}\n"


def json_lines(hits: Sequence[Hit], query: str | None = None) -> str:
    """One JSON object a line, with every field of a hit, as `hits.schema.json` has them; with the
    query, where there are several. Scores are not rounded.
    """
    return "".join(as_json(_fields(hit, query)) + "\n" for hit in hits)


def _fields(hit: Hit, query: str | None) -> dict[str, object]:
    place = _place(hit)
    why = hit.explanation
    return {
        **({} if query is None else {"query": query}),
        "rank": hit.rank,
        "score": None if hit.score is None else float(hit.score),
        "relevance": hit.relevance,
        "is_written": hit.is_written,
        "photo_id": int(hit.photo_id),
        "path": str(hit.path),
        "container": None if place is None else str(place.container),
        "member": None if place is None else place.member,
        "seconds": None if place is None else place.seconds,
        "caption": hit.caption,
        "matched": hit.matched,
        "vector_rank": hit.vector_rank,
        "text_rank": hit.text_rank,
        "text_score": hit.text_score,
        "explanation": None if why is None else _explanation(why),
    }


def _explanation(why: Explanation) -> dict[str, object]:
    parts = [{"text": text, "share": share} for text, share in why.parts]
    return {"parts": parts, "template": why.template}


def paths(hits: Sequence[Hit], end: bytes = b"\n") -> bytes:
    """Paths alone, in the bytes the file system uses, each followed by `end`."""
    return b"".join(path_bytes(hit.path) + end for hit in hits)


def score(hit: Hit) -> str:
    """The cosine; where only words were asked, BM25, which of a word of most photos is 1e-6.

    Nothing of a photo that nothing was asked about, as one drawn at random.
    """
    if hit.score is not None:
        return f"{hit.score:.3f}"
    if hit.text_score is None:
        return ""
    return f"{hit.text_score:{'.1e' if 0 < hit.text_score < LEAST_BM25 else '.3f'}}"


def relevance(hit: Hit) -> str:
    """How relevant a hit is, in percent; nothing where it is not known.

    Where a person wrote what was asked the word "words": those keep it, not what its score means.
    """
    if hit.relevance is None:
        return ""
    return "words" if hit.is_written else f"{hit.relevance:.0%}"


def figures(hit: Hit) -> str:
    """What stands below the picture of a hit: its rank, its score and what keeps it."""
    return "   ".join(filter(None, [str(hit.rank), score(hit), relevance(hit)]))


def _opened(hit: Hit) -> Path:
    """The file a click opens: what holds the photo, where it lies inside another."""
    place = _place(hit)
    return hit.path if place is None else place.container


def _place(hit: Hit) -> Place | None:
    """Where a photo is that lies inside another file; None for one that is a file itself."""
    if not any(parent.suffix for parent in hit.path.parents):  # then Pillow need not be loaded
        return None
    from imgsearch.images import place_of

    place = place_of(hit.path)
    return None if place.member is None else place


def _reasons(hit: Hit) -> list[str]:
    """What found a photo: "vector #3", "words #1: dog, beach"; what of the query carried it:
    "dog +0.12, grass -0.01", "as a bad photo of a {}.". Parts that two decimals show as nothing are
    left out: in Chinese, most characters of a sentence.
    """
    reasons = [] if hit.vector_rank is None else [f"vector #{hit.vector_rank}"]
    if hit.text_rank is not None:
        reasons.append(f"words #{hit.text_rank}: {shown(', '.join(hit.matched))}")
    if hit.explanation is not None and hit.explanation.parts:
        told = [part for part in hit.explanation.parts if abs(part[1]) >= LEAST_SHARE]
        parts = ", ".join(f"{shown(name)} {share:+.2f}" for name, share in told)
        reasons.append(parts or "no part by itself")
    if hit.explanation is not None and hit.explanation.template is not None:
        reasons.append(f"as {hit.explanation.template!r}")
    return reasons


def highlighted(caption: str, matched: tuple[str, ...]) -> Text:
    """A caption as a terminal may show it, what was found in it highlighted."""
    from rich.text import Text

    text = Text(style="dim")
    end = 0
    for start, stop in spans(caption, matched):
        text.append(shown(caption[end:start]))
        text.append(shown(caption[start:stop]), style="not dim bold yellow")
        end = stop
    text.append(shown(caption[end:]))
    return text
