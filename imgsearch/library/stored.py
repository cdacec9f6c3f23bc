"""StoredEmbeddings: what an encoder has embedded, as an index is built of it.

A catalog and an encoder go in, chunks of ids and vectors come out, in the order of arrival: a
million of 512 dimensions are 2 GB, of which 32 MB are in memory at a time.
"""

from collections.abc import Iterator

from imgsearch.catalog import Catalog, EncoderRow, Ids
from imgsearch.vectors import Vectors

ROWS_AT_ONCE = 16_384


class StoredEmbeddings:
    """The embeddings of an encoder that are later than the id `after`, up to `last`; whoever builds
    of them holds the library's lock, so that none comes meanwhile.
    """

    def __init__(self, catalog: Catalog, encoder: EncoderRow, after: int = 0) -> None:
        self._catalog, self._encoder_id, self._after = catalog, encoder.id, after
        self.dim = encoder.dim
        self.count = catalog.embeddings_after(encoder.id, after)
        self.last = catalog.last_embedding_id(encoder.id)

    def chunks(self) -> Iterator[tuple[Ids, Vectors]]:
        """All of them, each once: photo ids (n,) and unit rows (n, d). Those that are dropped
        meanwhile are not waited for."""
        last, left = self._after, self.count
        while left:
            ids, vectors, last = self._catalog.embeddings_and_last(
                self._encoder_id, after=last, limit=min(left, ROWS_AT_ONCE)
            )
            if not len(ids):
                return
            left -= len(ids)
            yield ids, vectors

    def sample(self, most: int) -> tuple[Ids, Vectors]:
        """About `most` of them spread evenly over all, all where there are no more."""
        ids, vectors, _ = self._catalog.sample_embeddings(self._encoder_id, most, after=self._after)
        return ids, vectors
