"""Tables whose header says what is what: CSV and its kin, JSON lines, a JSON list.

A file goes in, rows come out. The delimiter is the one under which the header names a picture and a
text. Quotes are read as CSV has them; a file that breaks CSV's rules (captions with bare commas and
quotes, as some copies of Flickr8K have them) is read line by line, the caption taking what is left.
So is a file in which a quoted field holds a whole row: two stray quotes swallowed what is between.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.pairs.members import PICTURES
from imgsearch.pairs.places import normal
from imgsearch.pairs.rows import Row
from imgsearch.pairs.sidecars import ending
from imgsearch.pairs.texts import numbered_lines, parsed_json, text_of

DELIMITERS = (",", "\t", "|", ";")
PATH = ("path", "image", "filepath", "file", "filename", "imagepath", "imagename", "imagefile")
CAPTION = ("caption", "captions", "text", "sentence", "title", "comment")
LANGUAGE = ("language", "lang")
LABEL = ("label", "class")
ROW_SHAPE = '{"path": ..., "caption": ...}'
_NUMBERED = re.compile(r"\s*\d+\s+(\S.*)")


@dataclass(frozen=True)
class Header:
    """Which column holds what; `width` columns in all."""

    delimiter: str
    width: int
    path: int
    caption: int | None
    language: int | None
    label: int | None


def header_of(line: str) -> Header | None:
    """The header a first line is, None where it names no picture or neither caption nor label."""
    for delimiter in DELIMITERS:
        names = [_plain(name) for name in next(csv.reader([line], delimiter=delimiter), [])]
        path, caption, language, label = (
            next((names.index(alias) for alias in aliases if alias in names), None)
            for aliases in (PATH, CAPTION, LANGUAGE, LABEL)
        )
        if path is not None and (caption is not None or label is not None):
            return Header(delimiter, len(names), path, caption, language, label)
    return None


def table_rows(path: Path) -> list[Row]:
    """The rows of a CSV, a TSV or a table with another delimiter.

    Raises UsageError naming file and line for a row that lacks its picture or its caption.
    """
    text = text_of(path)
    header = header_of(text.lstrip("\n").partition("\n")[0])
    if header is None:
        raise UsageError(f"{path} has no header that names a path and a caption or a label")
    return [_row(fields, header, path, place) for place, fields in _fields(text, header)[1:]]


def json_rows(path: Path) -> list[Row]:
    """The rows of JSON lines, or of one JSON list of objects.

    Keys are as in a table's header; a caption may be a list of them. Raises UsageError naming file
    and line for what is no such object.
    """
    if _starts_with_bracket(path):
        items = parsed_json(text_of(path), str(path), f"[{ROW_SHAPE}, ...]")
        assert isinstance(items, list)  # it starts with a bracket
        return [
            row
            for place, item in enumerate(items, start=1)
            for row in _described(item, f"{path}, item {place}", place)
        ]
    rows: list[Row] = []
    for place, line in numbered_lines(path):
        where = f"{path}, line {place}"
        rows += _described(parsed_json(line, where, ROW_SHAPE), where, place)
    return rows


def _starts_with_bracket(path: Path) -> bool:
    return next((line.lstrip()[0] == "[" for _, line in numbered_lines(path)), False)


def _fields(text: str, header: Header) -> list[tuple[int, list[str]]]:
    """Line numbers and fields, blank lines left out."""
    lines = text.split("\n")
    quoted = (f"{line}\n" for line in lines)
    reader = csv.reader(quoted, delimiter=header.delimiter, strict=True)
    rows = []
    first = 0
    try:
        for fields in reader:
            if any(_is_row(line, header) for line in lines[first + 1 : reader.line_num]):
                return _line_by_line(lines, header)
            first = reader.line_num
            if any(map(str.strip, fields)):
                rows.append((first, fields))
    except csv.Error:
        return _line_by_line(lines, header)
    return rows


def _is_row(line: str, header: Header) -> bool:
    """Whether a line alone names a picture and fills the columns; the caption may be bare."""
    fields = _fields_of(line, header.delimiter)
    is_full = len(fields) == header.width or (
        len(fields) > header.width and header.caption == header.width - 1
    )
    return is_full and ending(fields[header.path].strip()) in PICTURES


def _line_by_line(lines: Sequence[str], header: Header) -> list[tuple[int, list[str]]]:
    numbered = enumerate(lines, start=1)
    return [(place, _fields_of(line, header.delimiter)) for place, line in numbered if line.strip()]


def _fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line; a quote that opens a field and is never closed is none."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        fields = line.split(delimiter)
    is_lone = line.count('"') == 1
    return [field.removeprefix('"') if is_lone else field for field in fields]


def _row(fields: Sequence[str], header: Header, path: Path, place: int) -> Row:
    if len(fields) > header.width and header.caption == header.width - 1:
        rest = header.delimiter.join(fields[header.width - 1 :])  # bare delimiters in a caption
        fields = [*fields[: header.width - 1], rest]
    if len(fields) == header.width - 1 and (glued := _NUMBERED.fullmatch(fields[-1])):
        fields = [*fields, glued[1]]  # "4   A dog runs": one line of Flickr30k lacks a delimiter
    if len(fields) != header.width:
        raise UsageError(
            f"{path}, line {place} has {len(fields)} fields where the header has {header.width}: "
            f"quote fields that hold a {header.delimiter!r}"
        )
    if not fields[header.path].strip():
        raise UsageError(f"{path}, line {place} names no picture")
    return Row(
        normal(fields[header.path]),
        None if header.caption is None else fields[header.caption],
        place,
        None if header.language is None else language(fields[header.language]),
        None if header.label is None else fields[header.label].strip() or None,
    )


def _described(item: object, where: str, place: int) -> Iterator[Row]:
    if not isinstance(item, dict):
        raise UsageError(f"{where} is no object: expected {ROW_SHAPE}")
    fields = {_plain(str(key)): value for key, value in item.items()}
    name, caption = _first(fields, PATH), _first(fields, CAPTION)
    tongue, label = _first(fields, LANGUAGE), _first(fields, LABEL)
    has_text = any(alias in fields for alias in (*CAPTION, *LABEL))
    if not isinstance(name, str) or not name.strip() or not has_text:
        raise UsageError(f"{where} lacks a path, or both caption and label: expected {ROW_SHAPE}")
    captions = caption if isinstance(caption, list) and caption else [caption]
    for text in captions:
        if text is not None and not isinstance(text, str):
            raise UsageError(f"{where} has the caption {text!r}: expected a text or a list of them")
        said = text if text is not None or not any(alias in fields for alias in CAPTION) else ""
        yield Row(
            normal(name),
            said,
            place,
            language(tongue) if isinstance(tongue, str) else None,
            str(label).strip() or None if label is not None else None,
        )


def _first(fields: Mapping[str, object], aliases: Sequence[str]) -> object:
    return next((fields[alias] for alias in aliases if fields.get(alias) is not None), None)


def language(text: str) -> str | None:
    """A language as captions are kept under it: "zh-CN" is zh; None for an empty cell."""
    return text.strip().lower().partition("-")[0] or None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower().removeprefix("\ufeff")
