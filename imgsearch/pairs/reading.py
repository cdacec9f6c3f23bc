"""One set of photos with text from any number of paths: the door to every format.

Paths go in, what `kinds` recognised is read, and one set comes out. Captions win over labels within
a path; between paths, captions and classes are refused, since half of them would go unused.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.pairs import caption_lists, chinese_clip, chinese_clip_lmdb, coco, tables
from imgsearch.pairs.class_names import class_names
from imgsearch.pairs.kinds import Source, Table, sources_of
from imgsearch.pairs.members import describe
from imgsearch.pairs.photos import CaptionedPhotos, Found, LabelledPhotos, Unpaired
from imgsearch.pairs.places import Places
from imgsearch.pairs.rows import Row, photos_of
from imgsearch.pairs.sidecars import SENTENCES_SHAPE

READERS: Mapping[Table, Callable[[Path], list[Row]]] = {
    "header": tables.table_rows,
    "json lines": tables.json_rows,
    "caption list": caption_lists.caption_rows,
    "coco": coco.coco_rows,
}


def read_pairs(paths: Sequence[Path]) -> CaptionedPhotos | LabelledPhotos:
    """Read one set from paths of one kind, in the order given; the formats are listed in
    `imgsearch.pairs`.

    A folder of bare pictures given beside a table is where the table's pictures are. Class names
    come from a `classes.json` beside the file or inside the folder (`{label: {"en": [names], "zh":
    [names]}}`, first name first); without one, a label's name is the label with underscores as
    spaces.

    Raises UsageError for a path that does not exist or is none of the formats, a file with a broken
    line, captions and classes in one call, and where no photo has text.
    """
    by_place = {(each.kind, each.path): each for path in paths for each in sources_of(path, paths)}
    sources = list(by_place.values())
    found = _found(sources)
    unpaired = sum((each.unpaired for each in found), Unpaired())
    listed = ", ".join(str(path) for path in paths)
    captioned = [each for each in found if each.has_captions]
    labelled = [each for each in found if each.photos and not each.has_captions]
    if captioned and labelled:
        raise UsageError(
            f"{captioned[0].source} holds captions and {labelled[0].source} classes: give paths of "
            "one kind"
        )
    if captioned:
        return _captioned(captioned, unpaired)
    if labelled:
        return _labelled(labelled, unpaired, class_names_at=paths)
    if any(source.members and source.members.has_sidecars for source in sources):
        raise UsageError(
            f"no sentence beside any photo in {listed} ({_counts(unpaired)}): expected "
            f"{SENTENCES_SHAPE} in <id>.json, or one sentence a line in <id>.txt"
        )
    raise UsageError(
        f"no photo with text in {listed} ({_counts(unpaired)}): expected <id>.jpg beside <id>.json "
        "or <id>.txt, folders named after their class, or a table whose pictures are beside it"
    )


def _found(sources: Sequence[Source]) -> list[Found]:
    lists = [each for each in sources if each.kind == "table"]
    plain = [each.members for each in sources if each.members is not None]
    if lists:
        given = [each.source for each in plain if each.source.is_dir() and not each.has_sidecars]
        plain = [each for each in plain if each.source not in given]
        rows = [(each.path, READERS[each.table](each.path)) for each in lists if each.table]
        found = [photos_of(rows, Places(given))]
    else:
        found = []
    found += describe(plain)
    found += [chinese_clip.read_split(each.path) for each in sources if each.kind == "split"]
    return found + [
        chinese_clip_lmdb.read_lmdb(each.path) for each in sources if each.kind == "lmdb"
    ]


def _captioned(found: Sequence[Found], unpaired: Unpaired) -> CaptionedPhotos:
    photos = [photo for each in found for photo in each.photos]
    kept = [photo for photo in photos if photo.captions]
    labels = tuple(photo.label for photo in kept)
    return CaptionedPhotos(
        tuple(photo.picture for photo in kept),
        tuple(photo.captions for photo in kept),
        labels if any(labels) else (),
        unpaired + Unpaired(pictures=len(photos) - len(kept)),
        tuple(picture for each in found for picture in each.others),
        found[0].ids if len(found) == 1 else None,  # two sources number from 1 both
    )


def _labelled(
    found: Sequence[Found], unpaired: Unpaired, class_names_at: Sequence[Path]
) -> LabelledPhotos:
    photos = [photo for each in found for photo in each.photos]
    labels = tuple(photo.label or "" for photo in photos)  # without captions each has a label
    return LabelledPhotos(
        tuple(photo.picture for photo in photos),
        labels,
        class_names(class_names_at, labels),
        unpaired,
    )


def _counts(unpaired: Unpaired) -> str:
    return f"{unpaired.pictures:,} pictures without text, {unpaired.texts:,} texts without picture"
