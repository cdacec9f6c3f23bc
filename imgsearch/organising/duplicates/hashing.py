"""The perceptual hashes that photos of a library lack, as those of an older one all do.

They are committed batch by batch: an interrupt loses one batch. A photo that cannot be read stays
without, and is tried again the next time.
"""

from collections.abc import Callable

from imgsearch.catalog import hashes
from imgsearch.images import perceptual
from imgsearch.library import Library
from imgsearch.organising.duplicates.looking import Looking
from imgsearch.organising.duplicates.progress import Looked, Unread
from imgsearch.organising.duplicates.ranking import Ranking

BATCH = 256


def hash_lacking(
    library: Library, ranking: Ranking, notify: Callable[[Looked | Unread], None]
) -> None:
    """Hash those of the photos that have no hash, and keep the hashes."""
    lacking = sorted(photo.photo_id for photo in ranking.photos if photo.perceptual_hash is None)
    looking = Looking(ranking, perceptual.perceptual_hash)
    for start in range(0, len(lacking), BATCH):
        notify(Looked("hashing photos", start, len(lacking)))
        found = dict(looking.at(lacking[start : start + BATCH]))
        with library.catalog.write() as writer:
            hashes.put(writer, found)
    if looking.unread:
        notify(Unread(len(looking.unread), next(iter(looking.unread.values()))))
