"""Which of the formats a path is, by what is in it; a name decides only where formats fix names.

A path goes in, its kind and the place to read come out. Nobody is asked for a flag, so nothing is
guessed either: a folder with two sets in it is refused with both named.
"""

import json
import re
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from imgsearch.errors import UsageError
from imgsearch.pairs import caption_lists, chinese_clip, chinese_clip_lmdb
from imgsearch.pairs.class_names import CLASSES
from imgsearch.pairs.hidden import is_hidden
from imgsearch.pairs.members import Members, list_members
from imgsearch.pairs.sidecars import stem
from imgsearch.pairs.tables import header_of
from imgsearch.pairs.texts import text_head, text_of

T = TypeVar("T")
Table: TypeAlias = Literal["header", "json lines", "caption list", "coco"]
TABLE_ENDINGS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".token", ".txt"})
EXPECTED = (
    "a folder or tar of photos with .txt or .json beside them, or of class folders; a CSV, TSV or "
    "JSON lines with a header that names a path and a caption or label; Flickr's, COCO's or "
    "Chinese-CLIP's files"
)
_TAR = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$", re.IGNORECASE)
_COCO = re.compile(r'"(images|annotations)"\s*:')


@dataclass(frozen=True)
class Source:
    """A path and how to read it; `table` says which kind a table is."""

    kind: Literal["members", "table", "split", "lmdb"]
    path: Path
    table: Table | None = None
    members: Members | None = None


def sources_of(path: Path, given: Collection[Path] = ()) -> list[Source]:
    """What a path holds: one source, or one for each tar of a folder of tars.

    A folder one of whose tables is among the `given` paths is where pictures are. Raises UsageError
    for a path that does not exist, is none of the formats, or holds several sets.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist: give {EXPECTED}")
    return _of_folder(path, given) if path.is_dir() else [_of_file(path)]


def table_of(path: Path) -> Table | None:
    """Which kind of table a file is, None for none."""
    head = text_head(path)
    if head is None or not head.strip():
        return None
    lines = head.lstrip("\ufeff \n\t").split("\n")
    whole = lines[:-1] or lines  # the last may be cut
    if lines[0][:1] in "[{":
        return _of_json(lines[0], head)
    if header_of(lines[0]) is not None:
        return "header"
    return "caption list" if caption_lists.is_caption_list(whole) else None


def _of_json(first: str, head: str) -> Table | None:
    try:
        document = json.loads(first)
    except (ValueError, RecursionError):
        if _COCO.search(head) and first.startswith("{"):
            return "coco"
        return "json lines" if first.startswith("[") or '":' in first else None
    is_coco = isinstance(document, dict) and "images" in document and "annotations" in document
    return "coco" if is_coco else "json lines"


def _of_file(path: Path) -> Source:
    if _TAR.search(path.name):
        return Source("members", path, members=list_members(path))
    split = chinese_clip.split_of(path)
    table = table_of(path)
    if split is not None and table != "header":
        return Source("split", split)
    if table is not None:
        return Source("table", path, table)
    if tarfile.is_tarfile(path):
        return Source("members", path, members=list_members(path))
    if path.suffix.lower() in TABLE_ENDINGS:
        text_of(path)  # a table in another encoding is told so
    raise UsageError(f"{path} is none of what is read as photos with text: give {EXPECTED}")


def _of_folder(path: Path, given: Collection[Path]) -> list[Source]:
    if chinese_clip_lmdb.is_lmdb(path):
        return [Source("lmdb", path)]
    splits = chinese_clip.splits_in(path)
    if splits:
        return [Source("split", _only(path, splits, [f"{each}_texts.jsonl" for each in splits]))]
    databases = chinese_clip_lmdb.lmdb_splits_in(path)
    if databases:
        return [Source("lmdb", _only(path, databases, [str(each) for each in databases]))]
    members = list_members(path)
    if members.has_sidecars:
        return [Source("members", path, members=members)]
    if not members.pictures and (tars := _visible(path, "*.tar")):
        return [Source("members", each, members=list_members(each)) for each in tars]
    tables = _tables_in(path, members)
    if tables and not {table.path for table in tables} & set(given):
        return [_only(path, tables, [str(each.path) for each in tables])]
    return [Source("members", path, members=members)]


def _tables_in(path: Path, members: Members) -> list[Source]:
    """The tables of a folder, at its top or in `annotations`, where COCO has them.

    Tables of labels count only where folders name no classes.
    """
    stems = {Path(name).name for name in members.pictures}
    stems |= {stem(name) for name in stems}
    found = []
    for file in [*_visible(path, "*"), *_visible(path, "annotations/*")]:
        is_candidate = file.suffix.lower() in TABLE_ENDINGS and file.name != CLASSES
        table = table_of(file) if is_candidate and file.is_file() else None
        if table is not None and _is_about(file, table, stems, len(members.classes)):
            found.append(Source("table", file, table))
    return found


def _visible(folder: Path, pattern: str) -> list[Path]:
    return sorted(each for each in folder.glob(pattern) if not is_hidden(each.name))


def _is_about(file: Path, table: Table, stems: Collection[str], classes: int) -> bool:
    head = (text_head(file) or "").lstrip("\ufeff \n\t").split("\n")
    if table == "header":
        header = header_of(head[0])
        return header is not None and (header.caption is not None or classes < 2)
    if table == "caption list":
        names = caption_lists.listed_names(head[:1])
        return all(name in stems or stem(name) in stems for name in names)
    return table == "coco" or file.suffix.lower() in (".jsonl", ".ndjson")


def _only(path: Path, found: list[T], names: list[str]) -> T:
    if len(found) > 1:
        raise UsageError(f"{path} holds several sets: give one of {', '.join(names)}")
    return found[0]
