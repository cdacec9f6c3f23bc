"""All that is known of photos: a page each, or a JSON line each.

In: `KnownPhoto`. Out: names and values below one another, then the captions, a person's first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.labels import labels_line
from imgsearch.display.text import as_json, readable_size, shown
from imgsearch.places import country_names

if TYPE_CHECKING:
    from imgsearch.catalog import CaptionRow, PhotoFacts
    from imgsearch.describing import KnownPhoto
    from imgsearch.places import Place


def known_page(photos: Sequence[KnownPhoto]) -> RenderableType:
    """A page a photo, an empty line between two."""
    pages = [part for photo in photos for part in (Text(), _page(photo))]
    return Group(*pages[1:])


def known_json(photos: Sequence[KnownPhoto]) -> str:
    """One JSON object a line; times in ISO 8601, sizes in bytes, places in degrees."""
    return "".join(as_json(_as_dict(photo)) + "\n" for photo in photos)


def _page(photo: KnownPhoto) -> RenderableType:
    facts = photo.facts
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("photo", f"id:{photo.photo_id}")
    for number, file in enumerate(photo.files):
        state = "" if file.state == "live" else f"  ({file.state})"
        grid.add_row("" if number else "files", Text(f"{shown(file.path)}{state}"))
    if not photo.files:
        grid.add_row("files", "none: another photo has taken its path")
    pixels = f"{facts.width} x {facts.height} pixels"
    grid.add_row("picture", f"{facts.format}, {pixels}, {readable_size(facts.size_bytes)}")
    grid.add_row("taken", _when(facts.taken_at))
    if facts.camera:
        grid.add_row("camera", Text(shown(facts.camera)))
    if facts.lens:
        grid.add_row("lens", Text(shown(facts.lens)))
    if exposure := _exposure(facts):
        grid.add_row("exposure", exposure)
    if photo.place is not None:
        grid.add_row("place", Text(shown(_place_name(photo.place))))
    if facts.latitude is not None and facts.longitude is not None:
        grid.add_row("position", f"{facts.latitude:.5f}, {facts.longitude:.5f}")
    grid.add_row("SHA-256", facts.content_hash)
    grid.add_row("embedded by", Text(", ".join(map(shown, photo.encoders)) or "no encoder"))
    if photo.labels:
        grid.add_row("labels", Text(labels_line(photo.labels)))
    if not photo.captions:
        grid.add_row("captions", "none")
        return grid
    return Group(grid, Text(), _captions(photo.captions))


def _exposure(facts: PhotoFacts) -> str:
    told = (
        (facts.focal_length_mm, "{:g} mm"),
        (facts.f_number, "f/{:g}"),
        (facts.iso, "ISO {}"),
    )
    return ", ".join(form.format(value) for value, form in told if value is not None)


def _place_name(place: Place) -> str:
    country = country_names(place.country)[0]
    return f"{place.name}, {country}" if place.name else country


def _captions(captions: Sequence[CaptionRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("caption", overflow="fold")
    for name in ("language", "from", "log p", "when"):
        table.add_column(name, no_wrap=True)
    for row in captions:
        likely = "" if row.log_probability is None else f"{row.log_probability:.2f}"
        source = row.source if row.captioner is None else row.captioner
        table.add_row(
            Text(shown(row.text) or "(nothing to say)"),
            row.language,
            Text(shown(source)),
            likely,
            _when(row.made_at),
        )
    return table


def _as_dict(photo: KnownPhoto) -> dict[str, object]:
    facts = {**vars(photo.facts), "taken_at": photo.facts.taken_at.isoformat()}
    captions = [
        {
            "text": row.text,
            "language": row.language,
            "source": row.source,
            "captioner": row.captioner,
            "log_probability": row.log_probability,
            "made_at": row.made_at.isoformat(),
        }
        for row in photo.captions
    ]
    place = photo.place
    files = [{"path": str(file.path), "state": file.state} for file in photo.files]
    return {
        "photo_id": photo.photo_id,
        "files": files,
        **facts,
        "city": place.name or None if place else None,
        "country": place.country if place else None,
        "encoders": photo.encoders,
        "labels": [
            {
                "label": row.name,
                "source": row.source,
                "confidence": row.confidence,
                "encoder": row.encoder,
            }
            for row in photo.labels
        ],
        "captions": captions,
    }


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
