"""Files that `export_captions` wrote, read back, also as another program saved them again.

A path goes in, rows of people's sentences and a count of generated ones come out. A file is told by
what it says and not by its bytes: a table or JSON whose rows have a `source` with one of the
catalog's words in it, whatever the delimiter, the quotes, the line ends, the mark at its start, the
order of columns and which of them are left. What a captioner generated is no person's sentence for
having been through a spreadsheet.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from imgsearch.errors import UsageError
from imgsearch.pairs.tables import CAPTION, PATH, Header, header_of, language
from imgsearch.pairs.texts import UTF_16_MARKS, bytes_of
from imgsearch.prompts import language_of

SOURCES = ("generated", "sidecar", "user")
HEAD_BYTES = 1 << 16
SHAPE = "columns path, language, text and source, as `imgsearch caption --export` writes them"
_TOLD = re.compile(rf'"source"\s*:\s*"({"|".join(SOURCES)})"', re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN = re.compile(r"[\s,\[\]]*")  # JSON lines, one list, or objects one after another

Fields = Mapping[str, object]  # by column, in small letters


class ExportedRow(NamedTuple):
    """A person's sentence about a photo; `content_hash` is the photo's, where the file has it."""

    path: Path
    language: str
    text: str
    content_hash: str | None


@dataclass(frozen=True)
class ReadExport:
    """What people say in an export, and how many generated captions it has."""

    rows: tuple[ExportedRow, ...]
    generated: int


def read_export(path: Path) -> ReadExport | None:
    """The sentences of an export; None for any other file, and for a folder.

    Raises UsageError naming file and line for a row that is cut or changed out of shape.
    """
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        head = _decoded(file.read(HEAD_BYTES), errors="replace")
    if head.lstrip(" \t\r\n[").startswith("{"):
        text = _decoded(bytes_of(path))
        fields = _objects(path, text) if _TOLD.search(text) else iter(())
    elif (header := _header_of(head)) is not None:
        fields = _lines(path, _decoded(bytes_of(path)), header)
    else:
        return None
    every = list(fields)
    if not any(_source(each) in SOURCES for _, each in every):
        return None
    rows = [_row(path, place, each) for place, each in every if _source(each) != "generated"]
    return ReadExport(tuple(rows), len(every) - len(rows))


def _decoded(content: bytes, errors: str = "surrogateescape") -> str:
    """A path may hold bytes that are no text, and is written as it is."""
    encoding = "utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig"
    return content.decode(encoding, "replace" if encoding == "utf-16" else errors)


def _header_of(head: str) -> Header | None:
    first = re.split(r"[\r\n]", head, maxsplit=1)[0]
    header = header_of(first)
    if header is None or header.caption is None or "source" not in _names(first, header):
        return None
    return header


def _names(line: str, header: Header) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([line], delimiter=header.delimiter))]


def _lines(path: Path, text: str, header: Header) -> Iterator[tuple[int, Fields]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=header.delimiter)
    names: list[str] = []
    try:
        for values in reader:
            if not names:
                names = [value.strip().lower() for value in values]
            elif len(values) == header.width:
                yield reader.line_num, dict(zip(names, values, strict=True))
            elif values:
                raise UsageError(
                    f"{path}, line {reader.line_num} has {len(values)} fields where the header "
                    f"has {header.width}: quote fields that hold a {header.delimiter!r}"
                )
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {reader.line_num} does not read ({error}): expected {SHAPE}"
        ) from error


def _objects(path: Path, text: str) -> Iterator[tuple[int, Fields]]:
    decoder = json.JSONDecoder()
    place, at, counted = 1, 0, 0
    while (at := _after(text, at)) < len(text):
        place, counted = place + text.count("\n", counted, at), at
        try:
            found, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {place} is no JSON ({error})") from error
        if not isinstance(found, dict):
            raise UsageError(f"{path}, line {place} is no object: expected {SHAPE}")
        yield place, {key.strip().lower(): value for key, value in found.items()}


def _after(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _source(fields: Fields) -> str:
    return str(fields.get("source")).strip().lower()


def _row(path: Path, place: int, fields: Fields) -> ExportedRow:
    name, text = (
        next((value for alias in aliases if (value := fields.get(alias)) is not None), None)
        for aliases in (PATH, CAPTION)
    )
    where = f"{path}, line {place}"
    if not isinstance(name, str) or not isinstance(text, str) or not name:
        raise UsageError(f"{where} lacks its path or its text: expected {SHAPE}")
    if "\0" in name:
        raise UsageError(f"{where} has a path with a NUL in it, which no file has: {name!r}")
    tongue = fields.get("language")
    told = tongue if isinstance(tongue, str) else ""
    if _SURROGATE.search(text + told):
        raise UsageError(f"{where} has a text that is no Unicode: save the file as UTF-8")
    digest = fields.get("sha256")
    return ExportedRow(
        path.parent / name,  # an absolute one stays as it is
        language(told) or language_of(text),
        text,
        digest.strip().lower() if isinstance(digest, str) and digest.strip() else None,
    )
