"""The pictures and the queries of a set as an encoder sees them: arrays of unit rows.

In: encoded pictures or texts, an encoder. Out: (n, d) vectors. A query is embedded as `search`
embeds it, so that what is measured is what a person gets.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from imgsearch import images, prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import PictureError
from imgsearch.pairs import Picture, content
from imgsearch.vectors import Vectors, ensemble

PROMPTS = 4096  # prompts embedded at once: 15,000 sentences in 179 templates are 2.7 million


def embed_pictures(
    pictures: Sequence[Picture],
    encoder: Encoder,
    progress: Callable[[int, int], None] | None = None,
) -> Vectors:
    """Decode and embed, (n, d) unit float32; pictures are decoded in parallel, one batch ahead.

    `progress` is told after each batch how many are embedded, and how many there are. Raises
    PictureError, saying which picture it is, for one that cannot be decoded.
    """

    def decode(index: int) -> Image.Image:
        try:
            return images.decode(content(pictures[index]))
        except PictureError as error:
            place = f"picture {index + 1} of {len(pictures)}"
            raise PictureError(f"{place}: {error}; leave it out of the set") from error

    rows = [np.zeros((0, encoder.dim), np.float32)]
    indices = range(len(pictures))
    with ThreadPoolExecutor() as pool:
        ahead = [pool.submit(decode, index) for index in indices[: encoder.batch_size]]
        for start in range(0, len(pictures), encoder.batch_size):
            current = ahead
            following = indices[start + encoder.batch_size :][: encoder.batch_size]
            ahead = [pool.submit(decode, index) for index in following]
            rows.append(encoder.embed_images([future.result() for future in current]))
            if progress is not None:
                progress(start + len(current), len(pictures))
    return np.concatenate(rows)


def embed_queries(
    texts: Sequence[str], encoder: Encoder, language: str, policy: prompts.Policy
) -> Vectors:
    """Each text as `search` embeds it: filled into the policy's templates, ensembled; (n, d).

    A prompt longer than the text tower reads is cut to what it reads, as the papers do it.
    """
    sets = [prompts.templates(policy, text, language.split("_")[0]) for text in texts]
    step = max(1, PROMPTS // max(map(len, sets), default=1))
    rows = [np.zeros((0, encoder.dim), np.float32)]
    for start in range(0, len(texts), step):
        chunk = slice(start, start + step)
        filled = [prompts.expand(*each) for each in zip(texts[chunk], sets[chunk], strict=True)]
        flat = encoder.embed_texts([encoder.shorten(prompt) for each in filled for prompt in each])
        ends = np.cumsum([len(each) for each in filled])[:-1]
        rows.append(np.stack([ensemble(each) for each in np.split(flat, ends)]))
    return np.concatenate(rows)
