"""Chinese-CLIP's LMDB: `pairs` maps a number to a pickled (image id, text id, text), `imgs` an
image id to its picture in base64.

A split's folder goes in, captioned photos come out. A pickle can run any program, so these are
opened by an unpickler that knows no name at all: numbers, texts and tuples need none.

One process may have an LMDB open only once; it is opened for each read and closed again.
"""

import io
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.errors import PictureError, UsageError
from imgsearch.pairs.chinese_clip import Sentences, captioned
from imgsearch.pairs.hidden import is_hidden
from imgsearch.pairs.photos import Found
from imgsearch.pairs.pictures import Picture, from_base64

if TYPE_CHECKING:
    import lmdb

PAIRS, IMAGES = "pairs", "imgs"
COUNTS = (b"num_samples", b"num_images")
FILE = "data.mdb"

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class LmdbValue:
    """Base64 text under a key of an LMDB."""

    path: Path
    key: bytes

    def read(self) -> bytes:
        """The decoded bytes."""
        with _opened(self.path, PictureError) as transaction:
            value = transaction.get(self.key)
        if value is None:
            raise PictureError(f"{self.path} no longer has the picture {self.key.decode()!r}")
        return from_base64(value, str(self.path))


def is_lmdb(folder: Path) -> bool:
    """Whether a folder is one split."""
    return all((folder / each / FILE).is_file() for each in (PAIRS, IMAGES))


def lmdb_splits_in(folder: Path) -> list[Path]:
    """The splits a folder has, one a sub-folder."""
    found = (each for each in sorted(folder.iterdir()) if not is_hidden(each.name))
    return [each for each in found if each.is_dir() and is_lmdb(each)]


def read_lmdb(folder: Path) -> Found:
    """The photos of a split. Raises UsageError for an LMDB that cannot be read or holds others."""
    with _opened(folder / IMAGES) as transaction:
        keys = [bytes(key) for key in transaction.cursor().iternext(values=False)]
    pictures: dict[str, Picture] = {
        key.decode("utf-8", "replace"): LmdbValue(folder / IMAGES, key)
        for key in keys
        if key not in COUNTS
    }
    sentences: Sentences = {}
    useful: set[object] = set()
    texts: set[object] = set()
    with _opened(folder / PAIRS) as transaction:
        count = _count(transaction.get(COUNTS[0]), folder)
        for number in range(count):
            value = transaction.get(str(number).encode())
            image_id, text_id, text = _pair(value, f"{folder / PAIRS}, pair {number}")
            texts.add(text_id)
            if text.strip() and str(image_id) in pictures:
                named = f"pair {number}" if text_id is None else str(text_id)
                sentences.setdefault(str(image_id), []).append((named, text))
                useful.add(text_id)
    return captioned(str(folder), pictures, sentences, len(texts - useful))


@contextmanager
def _opened(path: Path, kind: type[UsageError] = UsageError) -> "Iterator[lmdb.Transaction]":
    try:
        import lmdb
    except ImportError as error:
        raise kind(f"{path} is an LMDB; to read it: pip install lmdb") from error
    try:
        with (
            _one_at_a_time,
            lmdb.open(str(path), readonly=True, lock=False, create=False) as environment,
            environment.begin() as transaction,
        ):
            yield transaction
    except lmdb.Error as error:
        raise kind(f"{path} is no LMDB that can be read ({error})") from error


def _count(value: bytes | None, folder: Path) -> int:
    if value is None or not value.isdigit():
        raise UsageError(
            f"{folder / PAIRS} has no {COUNTS[0].decode()}: it was not written to its end"
        )
    return int(value)


class _NoNames(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _pair(value: bytes | None, where: str) -> tuple[object, object, str]:
    if value is None:
        raise UsageError(f"{where} is missing: the LMDB was not written to its end")
    try:
        pair = _NoNames(io.BytesIO(value)).load()
    except Exception as error:  # a broken pickle raises anything: IndexError, struct.error ...
        raise UsageError(f"{where} is no pickle of plain values ({error})") from error
    match pair:
        case (int() | str() as image_id, int() | str() | None as text_id, str() as text):
            return image_id, text_id, text
    raise UsageError(f"{where} holds {pair!r:.80}: expected (image id, text id, text)")
