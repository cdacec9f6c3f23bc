"""Photos held in memory for training, with the texts that describe them.

In: pairs as `imgsearch.pairs` reads them. Out: per step, augmented pictures, token ids, and a mask
that says which text is right for which picture. Pictures are decoded once (uint8, one square size a
set); crops, flips and brightness are drawn per step for the whole batch at once, which costs less
than one decode would.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgsearch import images, prompts
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, Picture, content

Tokenize = Callable[[str], list[int]]
Token = tuple[int, ...]


@dataclass(frozen=True)
class TrainingSet:
    """n photos and what may be said of them.

    pixels is (n, 3, side, side) uint8. `texts[language][i]` lists the ids of the texts that fit
    photo i; `tokens[language][id]` is a text, as one or more equivalent wordings of which each step
    draws one.
    """

    name: str
    pixels: Tensor
    texts: Mapping[str, Sequence[Sequence[int]]]
    tokens: Mapping[str, Sequence[Sequence[Token]]]

    def __len__(self) -> int:
        return len(self.pixels)

    def draw_texts(
        self, photos: Sequence[int], language: str, rng: random.Random
    ) -> tuple[list[Token], Tensor]:
        """One text for each photo, each text once: (u wordings, (b, u) bool of who fits whom).

        A text drawn for one photo counts as right for every other photo of the batch that it fits.
        """
        texts = self.texts[language]
        drawn = sorted({rng.choice(texts[photo]) for photo in photos})
        column = {text: u for u, text in enumerate(drawn)}
        positives = torch.zeros(len(photos), len(drawn), dtype=torch.bool)
        for row, photo in enumerate(photos):
            positives[row, [column[text] for text in texts[photo] if text in column]] = True
        return [rng.choice(self.tokens[language][text]) for text in drawn], positives


def captioned_set(
    name: str, photos: CaptionedPhotos, side: int, tokenize: Tokenize, languages: Sequence[str]
) -> TrainingSet:
    """Captioned photos as a training set; equal sentences are one text, whoever they were written
    for.

    Sentences under `zh_translated` count as `zh`: what stands before the underscore is the
    language. They are drawn half as often as those under `zh` itself.
    """
    texts: dict[str, list[list[int]]] = {language: [] for language in languages}
    ids: dict[str, dict[Token, int]] = {language: {} for language in languages}
    for captions in photos.captions:
        for language in languages:
            known = ids[language]
            sentences = [
                tuple(tokenize(sentence))
                for key, values in captions.items()
                if key.split("_")[0] == language
                for sentence in values * (2 if key == language else 1)
            ]
            texts[language].append(
                sorted(known.setdefault(tokens, len(known)) for tokens in sentences)
            )
    tokens = {language: [(each,) for each in ids[language]] for language in languages}
    return TrainingSet(name, decode_all(photos.pictures, side), texts, tokens)


def labelled_set(
    name: str, photos: LabelledPhotos, side: int, tokenize: Tokenize, languages: Sequence[str]
) -> TrainingSet:
    """Labelled photos as a training set; the text of a label is any of its names in any template.

    Labels with the same first English name are one label: two sources may both have a "pizza".
    """
    ids: dict[str, int] = {}
    label_id = {
        label: ids.setdefault(photos.names[label]["en"][0].lower(), len(ids))
        for label in sorted(set(photos.labels))
    }
    tokens: dict[str, list[list[Token]]] = {}
    for language in languages:
        wordings: defaultdict[int, list[Token]] = defaultdict(list)
        for label, label_index in label_id.items():
            for class_name in photos.names[label][language]:
                bare = prompts.templates("raw", class_name, language)
                filled = prompts.templates("ensemble", class_name, language)
                # the bare name as often as all templates together: labels are searched bare as well
                for template in (*filled, *bare * len(filled)):
                    wordings[label_index].append(
                        tuple(tokenize(prompts.expand(class_name, [template])[0]))
                    )
        tokens[language] = [wordings[index] for index in range(len(ids))]
    texts = {language: [[label_id[label]] for label in photos.labels] for language in languages}
    return TrainingSet(name, decode_all(photos.pictures, side), texts, tokens)


def texts_of(photos: CaptionedPhotos | LabelledPhotos, languages: Sequence[str]) -> Iterator[str]:
    """Every text a set can draw: all sentences, or all class names in all templates."""
    if isinstance(photos, CaptionedPhotos):
        for captions in photos.captions:
            for texts in captions.values():
                yield from texts
        return
    for names in photos.names.values():
        for language in languages:
            for name in names[language]:
                yield from prompts.expand(name, prompts.templates("ensemble", name, language))


def decode_all(pictures: Sequence[Picture], side: int) -> Tensor:
    """Decode as search does, then squash to (n, 3, side, side) uint8."""

    def pixels(picture: Picture) -> Tensor:
        square = images.decode(content(picture)).resize((side, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(square)).permute(2, 0, 1)  # (3, side, side)

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(pixels, pictures)))


def random_views(
    pixels: Tensor,
    size: int,
    generator: torch.Generator,
    smallest: float = 0.35,
) -> Tensor:
    """A random crop of each picture, maybe mirrored, in other light and colours: (b, 3, size, size)
    float in [0, 1].

    pixels is (b, 3, side, side) uint8. The crop keeps at least the share `smallest` of the area,
    with an aspect ratio between 3:4 and 4:3 (Inception's crop), resampled bilinearly.
    """
    b = len(pixels)
    area, aspect, x, y, brightness, contrast, saturation, flip = torch.rand(
        8, b, generator=generator
    )
    area = smallest + (1 - smallest) * area
    aspect = torch.exp((aspect * 2 - 1) * float(np.log(4 / 3)) / 2)
    width = (area.sqrt() * aspect).clamp(max=1)
    height = (area.sqrt() / aspect).clamp(max=1)
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = width * torch.where(flip < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (x * 2 - 1) * (1 - width)
    theta[:, 1, 2] = (y * 2 - 1) * (1 - height)
    grid = F.affine_grid(theta, [b, 3, size, size], align_corners=False)
    views: Tensor = F.grid_sample(
        pixels.float() / 255, grid, padding_mode="reflection", align_corners=False
    )
    grey = views.mean(dim=1, keepdim=True)  # (b, 1, size, size); every tenth picture is left so
    colour = torch.where(saturation < 0.1, 0.0, 0.5 + saturation).view(b, 1, 1, 1)
    views = grey + (views - grey) * colour
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = (views - mean) * (0.7 + 0.6 * contrast).view(b, 1, 1, 1) + mean
    views = views * (0.7 + 0.6 * brightness).view(b, 1, 1, 1)
    return views.clamp(0, 1)


def cut_mix(views: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
    """A box of each picture filled from the one before it: the pictures, and the share of them that
    is their own.

    views is (b, 3, size, size); box and share are the same for all (Yun et al. 2019, CutMix). The
    right answers of row i are then its own by that share and those of row i - 1 by the rest.
    """
    size = views.shape[-1]
    own, x, y = torch.rand(3, generator=generator).tolist()
    side = round(size * (1 - own) ** 0.5)
    left, top = round(x * (size - side)), round(y * (size - side))
    mixed = views.clone()
    box = (..., slice(top, top + side), slice(left, left + side))
    mixed[box] = views.roll(1, dims=0)[box]
    return mixed, 1 - (side / size) ** 2


def pad(tokens: Sequence[Token], longest: int) -> Tensor:
    """Token ids as (u, t) int64, t the longest text but at most `longest`; cut texts keep their
    last token.
    """
    t = min(longest, max(len(each) for each in tokens))
    padded = torch.zeros(len(tokens), t, dtype=torch.long)
    for row, each in zip(padded, tokens, strict=True):
        kept = each if len(each) <= t else (*each[: t - 1], each[-1])
        row[: len(kept)] = torch.tensor(kept)
    return padded
