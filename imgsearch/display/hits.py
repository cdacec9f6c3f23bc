"""Hits in the forms a person or a program asks for; each a pure function of the list of hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, path_bytes, shown
from imgsearch.words import spans

if TYPE_CHECKING:
    from imgsearch.searching import Hit

LEAST_BM25 = 0.001  # that three decimals show


def table(hits: Sequence[Hit]) -> Table:
    """Rank, score and path for a terminal; a click on the path opens the photo where that works.

    Captions stand below the paths, what was found in them highlighted. Where words were asked, a
    column says why each photo is here; where they alone were, the score is BM25.
    """
    has_cosines = any(hit.score is not None for hit in hits)
    has_words = any(hit.text_rank is not None for hit in hits)
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("#", justify="right", style="dim")
    heading = "score" if has_cosines else "BM25" if has_words else ""
    grid.add_column(heading, justify="right", style="cyan")
    grid.add_column("photo", overflow="fold")
    if has_words:
        grid.add_column("why", overflow="fold", style="dim")
    for hit in hits:
        photo = Text(shown(hit.path), style=f"link {hit.path.as_uri()}")
        if hit.caption is not None:
            photo = Text("\n").join([photo, highlighted(hit.caption, hit.matched)])
        why = [Text("\n".join(_reasons(hit)))] if has_words else []
        grid.add_row(str(hit.rank), score(hit), photo, *why)
    return grid


def lines(hits: Sequence[Hit]) -> str:
    """The same as text that nothing wraps or cuts: for a pipe, a log, a file.

    Behind the path come the caption, if there is one, and where words were found, why.
    """
    width = len(str(len(hits)))
    rows = []
    for hit in hits:
        parts = [f"{hit.rank:>{width}}", score(hit), shown(hit.path)]
        if hit.caption is not None:
            parts.append(shown(hit.caption))
        if hit.text_rank is not None:
            parts.append(f"[{'; '.join(_reasons(hit))}]")
        rows.append("  ".join(filter(None, parts)) + "\n")
    return "".join(rows)


def json_lines(hits: Sequence[Hit]) -> str:
    """One JSON object a line, with every field of a hit. Scores are not rounded."""
    return "".join(
        as_json(
            {
                "rank": hit.rank,
                "score": None if hit.score is None else float(hit.score),
                "photo_id": int(hit.photo_id),
                "path": str(hit.path),
                "caption": hit.caption,
                "matched": hit.matched,
                "vector_rank": hit.vector_rank,
                "text_rank": hit.text_rank,
                "text_score": hit.text_score,
            }
        )
        + "\n"
        for hit in hits
    )


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


def _reasons(hit: Hit) -> list[str]:
    """What found a photo: "vector #3", "words #1: dog, beach"."""
    reasons = [] if hit.vector_rank is None else [f"vector #{hit.vector_rank}"]
    if hit.text_rank is not None:
        reasons.append(f"words #{hit.text_rank}: {shown(', '.join(hit.matched))}")
    return reasons


def highlighted(caption: str, matched: tuple[str, ...]) -> Text:
    """A caption as a terminal may show it, what was found in it highlighted."""
    text = Text(style="dim")
    end = 0
    for start, stop in spans(caption, matched):
        text.append(shown(caption[end:start]))
        text.append(shown(caption[start:stop]), style="not dim bold yellow")
        end = stop
    text.append(shown(caption[end:]))
    return text
