"""A map of photos as one page for a browser: zoom, move, point at a photo, search.

Points go in, pieces of HTML come out, as photos are decoded. All is inside the page: its policy
allows its own script, its own styles (by their hashes) and pictures inside it. What is told of the
photos is data that the script shows as text, never as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from imgsearch.display.map_picture import thumbnail
from imgsearch.display.text import shown

if TYPE_CHECKING:
    from imgsearch.organising import PhotoMap, Point

SIDE = 72  # pixels of a thumbnail: some 2 kB
QUALITY = 70

Progress = Callable[[int, int], None]


def map_page(photos: PhotoMap, title: str, progress: Progress | None = None) -> Iterator[str]:
    """The page of a map, in pieces; `progress` is told of each photo."""
    style, script = _part("map.css"), _part("map.js")
    yield _head(title, style)
    for done, point in enumerate(photos.points, 1):
        yield ("" if done == 1 else ",\n") + _coded(point)
        if progress is not None:
            progress(done, len(photos.points))
    yield f"]</script>\n<script>{script}</script>\n</body>\n</html>\n"


def _head(title: str, style: str) -> str:
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(_part('map.js'))}; base-uri 'none'; form-action 'none'"
    )
    title = escape(shown(title))
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
<form>
<label>words <input type="search" name="text" placeholder="/ in names, captions, labels"></label>
<button type="button" name="whole">whole map</button>
<output aria-live="polite"></output>
</form>
</header>
<canvas aria-label="the map: drag to move, wheel to zoom, point at a photo"></canvas>
<aside hidden><img alt=""><p class="name"></p><p class="caption"></p><p class="labels"></p></aside>
<noscript>The map is drawn by a script of this page, which this browser does not run.</noscript>
<script type="application/json" id="points">[
"""


def _coded(point: Point) -> str:
    """A point as JSON that closes no element, whatever a file or a caption is called."""
    file = io.BytesIO()
    thumbnail(point.path, SIDE).save(file, "JPEG", quality=QUALITY, optimize=True)
    told = {
        "x": round(point.x, 4),
        "y": round(point.y, 4),
        "name": shown(point.path),
        "caption": shown(point.caption),
        "labels": ", ".join(map(shown, point.labels)),
        "picture": base64.b64encode(file.getvalue()).decode(),
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _part(name: str) -> str:
    return (files("imgsearch.display") / name).read_text("utf-8")


def _hash(content: str) -> str:
    """A style or script as a policy names it."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
