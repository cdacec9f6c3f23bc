"""Batches: epochs without gaps, steps that stand for themselves, photos that cannot be used."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imgsearch.pairs import CaptionedPhotos
from imgsearch.training.batches import Batch, Batches
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe, Stage, Variation
from imgsearch.training.sets import TrainingSet, captioned_set
from imgsearch.training.squares import Squares, square_of
from imgsearch.training.views import CHANCES, cut_mix, random_views, still_views
from learning import shapes

RECIPE = Recipe(stages=(Stage(16, 32), Stage(32, 64)), batch_size=5)


def a_set(pairs: CaptionedPhotos, name: str = "shapes") -> TrainingSet:
    return captioned_set(name, pairs, Squares(pairs.pictures, 36), ("en", "zh"))


def batches(found: TrainingSet, recipe: Recipe = RECIPE, ranks: Ranks = Ranks()) -> Batches:  # noqa: B008
    return Batches([found], recipe, ranks)


def test_every_photo_is_seen_once_an_epoch_and_each_epoch_in_another_order(tmp_path: Path) -> None:
    found = a_set(shapes(tmp_path))
    epochs = [found.photos(24 * epoch, 24, seed=0) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert found.photos(0, 24, seed=1) != epochs[0]


def test_a_batch_across_two_epochs_holds_no_photo_twice(tmp_path: Path) -> None:
    found = a_set(shapes(tmp_path, copies=1))
    for start in range(0, 60, 7):
        drawn = found.photos(start, 7, seed=0)
        assert len(set(drawn)) == len(drawn)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.views, other.views) and one.texts == other.texts


def test_a_step_is_the_same_whatever_came_before_it(tmp_path: Path) -> None:
    found = a_set(shapes(tmp_path))
    all_steps = dict(batches(found).steps(0, 5))
    (late,) = dict(batches(found).steps(4, 5)).values()
    assert same(all_steps[4], late)
    assert not same(all_steps[3], late)


def test_pictures_grow_from_stage_to_stage(tmp_path: Path) -> None:
    sizes = [batch.views.shape[-1] for _, batch in batches(a_set(shapes(tmp_path))).steps(5, 9)]
    assert sizes == [16, 16, 32, 32]  # step 6 begins after 30 photos of 32


def test_a_photo_that_cannot_be_decoded_is_left_out_and_named(tmp_path: Path) -> None:
    pairs = shapes(tmp_path, copies=1)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    pairs = replace(pairs, pictures=(*pairs.pictures[:3], broken, *pairs.pictures[4:]))
    found = a_set(pairs)
    (batch,) = dict(batches(found, replace(RECIPE, batch_size=12)).steps(0, 1)).values()
    assert batch.count == len(batch.views) == 11
    assert pairs.captions[3]["en"][0] not in batch.texts
    assert list(found.squares.bad) == [3]
    assert "broken.jpg" in found.squares.bad[3]
    assert len(batch.contrasts[0].rows) == 11


def test_a_photo_without_a_text_in_a_language_is_not_compared_in_it(tmp_path: Path) -> None:
    pairs = shapes(tmp_path, copies=1)
    captions = tuple(
        {"en": each["en"]} if row % 2 else dict(each) for row, each in enumerate(pairs.captions)
    )
    found = a_set(replace(pairs, captions=captions))
    (batch,) = dict(batches(found, replace(RECIPE, batch_size=12)).steps(0, 1)).values()
    english, chinese = batch.contrasts
    assert (len(english.rows), len(chinese.rows)) == (12, 6)
    photos = found.photos(0, 12, seed=0)
    assert [photos[row] % 2 for row in chinese.rows] == [0] * 6
    assert english.weight == chinese.weight == 0.5


def test_a_sentence_of_two_photos_is_right_for_both(tmp_path: Path) -> None:
    pairs = shapes(tmp_path, copies=1)
    captions = tuple({"en": ("a shape" if row < 4 else f"{row}",)} for row in range(12))
    found = captioned_set(
        "s", replace(pairs, captions=captions), Squares(pairs.pictures, 36), ("en",)
    )
    (batch,) = dict(batches(found, replace(RECIPE, batch_size=12)).steps(0, 1)).values()
    drawn = batch.contrasts[0].drawn
    column = drawn.texts.index("a shape")
    assert drawn.positives.sum(0)[column] == 4
    assert drawn.positives.sum() == 12
    assert len(drawn.texts) == 9


def test_labels_make_the_texts_of_a_class_right_for_all_of_it(tmp_path: Path) -> None:
    pairs = replace(shapes(tmp_path, copies=1), labels=("a", "a", None, None, *"bcdefghi"[:8]))
    squares = Squares(pairs.pictures, 36)
    found = captioned_set("s", pairs, squares, ("en",), by_label=True)
    (batch,) = dict(batches(found, replace(RECIPE, batch_size=12)).steps(0, 1)).values()
    drawn = batch.contrasts[0].drawn
    assert drawn.positives.sum() == 12 + 2  # the two of label a; those without one stay alone


def test_several_processes_see_one_batch_between_them(tmp_path: Path) -> None:
    found = a_set(shapes(tmp_path))
    whole = dict(batches(found).steps(0, 1))[0]
    parts = [
        batches(found, ranks=Ranks())._parts(0)[0],
        *(batches(found, ranks=Ranks(rank, 2))._parts(0)[0] for rank in range(2)),
    ]
    assert torch.equal(torch.cat([parts[1].squares, parts[2].squares]), parts[0].squares)
    assert parts[1].photos == parts[2].photos == parts[0].photos
    assert whole.count == 5


def test_a_crop_of_everything_is_the_picture_itself(tmp_path: Path) -> None:
    squares, _ = a_set(shapes(tmp_path, copies=1)).squares.take(range(4))
    plain = Variation(smallest_crop=1, mirror=False, light_and_colour=False)
    views = random_views(squares, 36, plain, torch.rand(CHANCES, 4))
    assert (views - squares / 255).abs().max() < 1e-5
    assert (still_views(squares, 36) - squares / 255).abs().max() < 1e-5


def test_mixed_pictures_keep_the_share_that_is_said(tmp_path: Path) -> None:
    views = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 20, 20)
    for seed in range(5):
        mixed, own = cut_mix(views, torch.Generator().manual_seed(seed))
        assert (mixed[2] == 2).float().mean().item() == pytest.approx(own)
        assert (mixed[2] == 1).float().mean().item() == pytest.approx(1 - own)
        assert 0 < own <= 1


def test_squares_beyond_the_memory_allowed_are_decoded_each_time(tmp_path: Path) -> None:
    pairs = shapes(tmp_path, copies=1)
    held, passing = Squares(pairs.pictures, 36), Squares(pairs.pictures, 36, held_bytes=0)
    for each in (held, passing):
        first, _ = each.take([3, 1, 3])
        again, is_decoded = each.take([3, 1, 3])
        assert torch.equal(first, again)
        assert is_decoded == [True] * 3
        assert torch.equal(first[0], first[2])
    assert torch.equal(held.take(range(12))[0], passing.take(range(12))[0])


@pytest.mark.parametrize("fit", ["squash", "shortest", "longest"])
def test_a_square_is_made_as_the_encoder_makes_it(tmp_path: Path, fit: str) -> None:
    import numpy as np
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8))
    transform = image_transform_v2(
        PreprocessCfg(size=32, mean=(0, 0, 0), std=(1, 1, 1), resize_mode=fit), is_train=False
    )
    ours = np.asarray(square_of(wide, 32, fit), np.float32) / 255  # type: ignore[arg-type]
    theirs = transform(wide).permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).mean() < 0.02  # rounding of the middle, at most
