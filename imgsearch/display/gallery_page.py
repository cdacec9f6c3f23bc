"""Hits as one page for a browser, with all it needs inside: pictures, search, order.

Hits and what is known of their photos go in, pieces of HTML come out, as photos are decoded. The
page fetches nothing: its policy allows its own script, its own styles (by their hashes) and
pictures inside it, so that no file name or caption can do anything but be read. Without a script it
is still a page of hits.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from PIL import Image

from imgsearch.display.hits import figures
from imgsearch.display.text import readable_size, shown
from imgsearch.errors import PictureError
from imgsearch.images import place_of, read
from imgsearch.words import spans

if TYPE_CHECKING:
    from imgsearch.catalog import PhotoFacts
    from imgsearch.searching import Hit

LARGE, SMALL = 400, 200  # pixels on a picture's longer side
LARGE_ONES = 100  # the page of a thousand hits has some 10 MB
QUALITY = 72


def gallery_page(hits: Iterable[Hit], asked: str, known: Mapping[int, PhotoFacts]) -> Iterator[str]:
    """The page of hits for what was asked, in pieces; `known` are photos by id.

    Each hit links to its file; a photo inside a container to that container. One that cannot be
    decoded has a card that says why.
    """
    style, script = _part("gallery.css"), _part("gallery.js")
    yield _head(asked, style, script)
    for hit in hits:
        yield _figure(hit, known.get(hit.photo_id))
    yield f"</main>\n<script>{script}</script>\n</body>\n</html>\n"


def _head(asked: str, style: str, script: str) -> str:
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    title = _text(asked)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<form hidden>
<label>words <input type="search" name="text" placeholder="/ in names, captions, facts"></label>
<label>least score <input type="number" name="least" min="-1" step="0.01"></label>
<label>sort by <select name="sort">
<option value="rank">rank</option><option value="score">score</option>
<option value="newest">newest first</option><option value="oldest">oldest first</option>
<option value="name">name</option>
</select></label>
<output aria-live="polite"></output>
</form>
</header>
<main>
"""


def _figure(hit: Hit, facts: PhotoFacts | None) -> str:
    value = hit.text_score if hit.score is None else hit.score
    attributes = {"data-rank": str(hit.rank), "data-name": shown(hit.path.name)}
    if value is not None:
        attributes["data-score"] = str(float(value))
    if facts is not None:
        attributes["data-date"] = facts.taken_at.isoformat()
    written = "".join(f' {name}="{escape(text)}"' for name, text in attributes.items())
    caption = "" if hit.caption is None else _marked(hit.caption, hit.matched)
    return f"""<figure{written}>
<a href="{escape(place_of(hit.path).container.as_uri())}">
<span class="picture">{_picture(hit)}</span>
<figcaption><span class="score">{figures(hit)}</span>
<span class="name">{_marked(hit.path.name, hit.matched)}</span>
<span class="caption">{caption}</span></figcaption>
</a>
<p class="facts">{"".join(f"<span>{_text(line)}</span>" for line in _told(hit, facts))}</p>
</figure>
"""


def _picture(hit: Hit) -> str:
    side = LARGE if hit.rank <= LARGE_ONES else SMALL
    try:
        photo, _ = read(hit.path, short_side=side)
    except PictureError as error:
        return f'<span class="reason">no picture: {_text(str(error))}</span>'
    photo.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY, optimize=True)
    coded = base64.b64encode(file.getvalue()).decode()
    said = escape(shown(hit.caption or hit.path.name))
    size = f'width="{photo.width}" height="{photo.height}"'
    return f'<img src="data:image/jpeg;base64,{coded}" {size} alt="{said}" decoding="async">'


def _told(hit: Hit, facts: PhotoFacts | None) -> Iterator[str]:
    """What is shown of a photo when somebody points at it, a line each."""
    yield str(hit.path)
    if facts is None:
        return
    yield f"{facts.taken_at.astimezone():%Y-%m-%d %H:%M}"
    yield f"{facts.width} x {facts.height} {facts.format}, {readable_size(facts.size_bytes)}"
    if facts.camera:
        yield facts.camera
    if facts.latitude is not None and facts.longitude is not None:
        yield f"{facts.latitude:.5f}, {facts.longitude:.5f}"


def _marked(text: str, matched: tuple[str, ...]) -> str:
    parts, end = [], 0
    for start, stop in spans(text, matched):
        parts += [_text(text[end:start]), f"<mark>{_text(text[start:stop])}</mark>"]
        end = stop
    return "".join([*parts, _text(text[end:])])


def _text(text: str) -> str:
    """Text that no browser takes for anything else, and that is valid UTF-8."""
    return escape(shown(text))


def _part(name: str) -> str:
    return (files("imgsearch.display") / name).read_text("utf-8")


def _hash(content: str) -> str:
    """A style or script as a policy names it."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
