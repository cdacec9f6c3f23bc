"""The encoder that comes with the package: small, bilingual, and open_clip's own to load."""

from typing import Any

import numpy as np
import open_clip
import pytest
import torch

import imgsearch.encoders as encoders
from imgsearch import prompts
from imgsearch.encoders import families
from small_encoders import furthest, pictures, unit

FOLDER = families.BUILTIN / "2"
TEXTS = [
    "a dog",
    "一只狗",
    "a car",
    "一辆汽车",
    "two dogs run on the beach",
    "T恤 and 牛仔裤, 3.14!",
]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return encoders.load("builtin/2", device="cpu")


def test_its_rows_are_of_length_one_and_it_reads_both_languages(encoder: Any) -> None:
    assert encoder.name == encoder.source == "builtin/2"
    assert encoder.languages == ("en", "zh")
    images = pictures(3)
    texts, photos = encoder.embed_texts(TEXTS), encoder.embed_images(images)
    assert photos.shape == (3, encoder.dim)
    for rows in (texts, photos):
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    dog, hound, car, motorcar = texts[:4]
    assert dog @ hound > dog @ motorcar
    assert car @ motorcar > car @ hound


def test_its_identity_stays_what_libraries_have_on_disk(encoder: Any) -> None:
    expected = "a824b0565ad5202990612ebc98c4f3d84a02638941df95dd4f4c03cdadd55636"
    assert encoder.identity == expected  # another one, and every library is embedded anew


def test_open_clip_itself_gives_the_same_rows_from_the_folder(encoder: Any) -> None:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    tokenizer = open_clip.SimpleTokenizer(
        bpe_path=str(FOLDER / "bpe.txt.gz"), context_length=model.context_length
    )
    images = [*pictures(2), *pictures(1, (640, 90))]
    with torch.inference_mode():
        photos = model.eval().encode_image(torch.stack([transform(image) for image in images]))
        texts = model.encode_text(tokenizer([prompts.space_han(text) for text in TEXTS]))
    assert furthest(encoder.embed_images(images), unit(photos)) < 1e-5
    assert furthest(encoder.embed_texts(TEXTS), unit(texts)) < 1e-5


def test_its_weights_stay_small_enough_to_come_with_the_package() -> None:
    assert (FOLDER / "open_clip_model.safetensors").stat().st_size <= 16_000_000


def test_it_is_listed_with_its_languages_and_size_and_nothing_to_download(encoder: Any) -> None:
    row = next(row for row in encoders.known() if row.name == "builtin/2")
    assert (row.dim, row.languages, row.is_cached) == (encoder.dim, ("en", "zh"), True)
    assert row.size_bytes == sum(file.stat().st_size for file in FOLDER.iterdir())
    assert max(families.builtin_versions()) >= 1


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("builtin/2", 2),
        ("builtin-12", 12),
        ("builtin", None),
        ("builtin/", None),
        ("builtin/x", None),
        ("builtin/²", None),
        ("builtin-1.tmp", None),
    ],
)
def test_a_bundled_name_says_its_version(name: str, version: int | None) -> None:
    assert families.builtin_version(name) == version
