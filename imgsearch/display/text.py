"""Paths and other people's strings as text that is safe to show and safe to write."""

import json
import os
from pathlib import Path

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def shown(value: object) -> str:
    """Text a terminal shows as it is: control codes, and bytes that are no text, escaped."""
    text = str(value)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not valid text, as Python carries it in a path
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def as_json(value: object) -> str:
    """One line of JSON. Text is left readable, unless a path holds bytes that are no text.

    Such a byte becomes a lone surrogate escape ("\\udce9"), which Python reads back to the very
    path.
    """
    readable = json.dumps(value, ensure_ascii=False)
    try:
        readable.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return readable


def readable_size(size_bytes: int) -> str:
    """Bytes as a person reads them: 1.2 MB."""
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit else f"{size_bytes} bytes"


def path_bytes(path: Path) -> bytes:
    """The path as the file system knows it: what `xargs` and a shell loop need."""
    return os.fsencode(path)
