"""A RAW photo that tests make: a DNG of a grey sensor, with a JPEG preview in it or without."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

Values = bytes | str | int | list[int] | list[tuple[int, int]]
BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10


def dng(
    path: Path,
    *,
    size: tuple[int, int] = (720, 480),
    preview: Image.Image | None = None,
    orientation: int = 1,
) -> Path:
    """A DNG of mid grey, taken at noon of 1 July 2023 with a Testa Grey at ISO 400."""
    width, height = size
    sensor = np.full((height, width), 20_000, "<u2").tobytes()
    detail = {
        36867: (ASCII, "2023:07:01 12:00:00"),
        36881: (ASCII, "+02:00"),
        34855: (SHORT, 400),
    }
    mosaic = {
        254: (LONG, 0),
        256: (LONG, width),
        257: (LONG, height),
        258: (SHORT, 16),
        259: (SHORT, 1),
        262: (SHORT, 32803),
        277: (SHORT, 1),
        278: (LONG, height),
        33421: (SHORT, [2, 2]),
        33422: (BYTE, bytes([0, 1, 1, 2])),
        50717: (LONG, 65535),
    }
    main = {
        254: (LONG, 1),
        271: (ASCII, "Testa"),
        272: (ASCII, "Testa Grey"),
        274: (SHORT, orientation),
        50706: (BYTE, bytes([1, 4, 0, 0])),
        50708: (ASCII, "Testa Grey"),
        50778: (SHORT, 21),
        50721: (
            SRATIONAL,
            [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)],
        ),
        50728: (RATIONAL, [(1, 1), (1, 1), (1, 1)]),
    }
    jpeg = io.BytesIO()
    if preview is not None:
        preview.save(jpeg, "JPEG", quality=95)
        main |= {256: (LONG, preview.width), 257: (LONG, preview.height), 259: (SHORT, 7)}
        main |= {258: (SHORT, [8, 8, 8]), 262: (SHORT, 6), 277: (SHORT, 3)}
        main |= {278: (LONG, preview.height)}
    content = bytearray(8)
    places = {}
    for name, block in (("sensor", sensor), ("jpeg", jpeg.getvalue())):
        places[name] = len(content)
        content += block + b"\0" * (len(block) % 2)
    mosaic |= {273: (LONG, places["sensor"]), 279: (LONG, len(sensor))}
    if preview is not None:
        main |= {273: (LONG, places["jpeg"]), 279: (LONG, len(jpeg.getvalue()))}
    main |= {330: (LONG, _append(content, mosaic)), 34665: (LONG, _append(content, detail))}
    first = _append(content, main)
    content[:8] = b"II*\0" + struct.pack("<I", first)
    path.write_bytes(content)
    return path


def _append(content: bytearray, tags: dict[int, tuple[int, Values]]) -> int:
    """Add a directory and its values; its place."""
    entries = b""
    for tag, (kind, values) in sorted(tags.items()):
        packed, count = _packed(kind, values)
        if len(packed) > 4:
            place = len(content)
            content += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    place = len(content)
    content += struct.pack("<H", len(tags)) + entries + b"\0" * 4
    return place


def _packed(kind: int, values: Values) -> tuple[bytes, int]:
    if isinstance(values, str):
        values = values.encode() + b"\0"
    if isinstance(values, bytes):
        return values, len(values)
    every = values if isinstance(values, list) else [values]
    code = {SHORT: "H", LONG: "I", RATIONAL: "II", SRATIONAL: "ii"}[kind]
    flat = [each if isinstance(each, tuple) else (each,) for each in every]
    return b"".join(struct.pack(f"<{code}", *each) for each in flat), len(every)
