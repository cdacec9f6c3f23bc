"""finetune(): from pairs and an encoder to a better one in the library, and what stops it."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import imgsearch
from imgsearch import encoders
from imgsearch.cli import app
from imgsearch.errors import CollapsedError, LibraryLockedError, NoEncoderError, UsageError
from imgsearch.library import Library, open_library
from imgsearch.library.lock import Lock
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training import (
    FromScratch,
    Material,
    Objective,
    Rates,
    Recipe,
    Variation,
    finetune,
    forget,
)
from imgsearch.training.events import Began, Evaluated, Event, Finished, Stepped
from learning import VIT, shapes

SCRATCH = Recipe(
    epochs=3,
    batch_size=12,
    rates=Rates(every=3e-3),
    variation=Variation(0.8),
    evaluations=0,  # after each, curves are drawn, which takes longer than such an epoch
)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return open_library(tmp_path / "library")


@pytest.fixture
def tiny(tmp_path: Path) -> FromScratch:
    """An architecture that learns in a second."""
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps(VIT), "utf-8")
    return FromScratch(path)


def finished(events: list[Event]) -> Finished:
    (last,) = [each for each in events if isinstance(each, Finished)]
    return last


def test_a_fine_tuned_encoder_is_measured_before_and_after_and_loads_by_its_name(
    library: Library, tmp_path: Path
) -> None:
    pairs = shapes(tmp_path / "photos", copies=4)
    recipe = Recipe(epochs=2, batch_size=24, rates=Rates(every=1e-3), keep="last", evaluations=0)
    events = list(
        imgsearch.finetune(
            library, Material(pairs, validation=0.25), name="shapes-v1", recipe=recipe
        )
    )
    assert isinstance(events[0], Began)
    assert (events[0].learnt, events[0].validation, events[0].guard) == (36, 12, 0)
    assert isinstance(events[1], Evaluated)
    assert events[1].step == 0
    done = finished(events)
    assert done.folder == library.path / "models" / "shapes-v1"
    before, after = done.before.score, done.after.score
    assert before is not None and after is not None
    assert after > before
    assert done.is_proposed
    loaded = encoders.load("shapes-v1", models=library.models_folder)
    assert loaded.name == "shapes-v1"
    builtin = encoders.load("builtin")
    assert loaded.identity != builtin.identity
    assert not np.allclose(loaded.embed_texts(["a red disc"]), builtin.embed_texts(["a red disc"]))
    files = {file.name for file in done.folder.iterdir()}
    assert {"MODEL_CARD.md", "metrics.jsonl", "curves.png", "open_clip_config.json"} <= files
    card = (done.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "builtin" in card and "shapes-v1" in card
    assert not (library.path / "training" / "shapes-v1").exists()
    assert not library.catalog.encoders()  # nothing of what answers was touched


def test_an_interrupted_run_gives_the_same_encoder_as_an_uninterrupted_one(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    material = Material(shapes(tmp_path / "photos"), validation=6)
    recipe = replace(SCRATCH, evaluations=0.5)
    whole = list(finetune(library, material, name="whole", start=tiny, recipe=recipe))
    events = finetune(library, material, name="parts", start=tiny, recipe=recipe)
    begun = list(itertools.islice(events, 6))
    assert [type(each) for each in begun].count(Evaluated) == 2
    events.close()  # type: ignore[attr-defined]  # a generator
    assert not (library.models_folder / "parts").exists()
    rest = list(finetune(library, material, name="parts", start=tiny, recipe=recipe))
    one, other = (library.models_folder / name for name in ("whole", "parts"))
    weights = "open_clip_model.safetensors"
    assert (one / weights).read_bytes() == (other / weights).read_bytes()
    steps = [each.step for each in [*begun, *rest] if isinstance(each, Stepped)]
    assert steps == [each.step for each in whole if isinstance(each, Stepped)]
    assert finished(rest).before == finished(whole).before
    assert finished(rest).after == finished(whole).after


def test_another_recipe_does_not_go_on_from_an_unfinished_run(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    material = Material(shapes(tmp_path / "photos"), validation=6)
    events = finetune(library, material, name="mine", start=tiny, recipe=SCRATCH)
    list(itertools.islice(events, 3))  # began, measured, a step
    events.close()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"differs in: recipe\. .* --restart"):
        next(finetune(library, material, name="mine", start=tiny, recipe=replace(SCRATCH, seed=1)))
    other = replace(material, validation=5)
    with pytest.raises(UsageError, match="differs in: recipe, learnt from, validation"):
        next(finetune(library, other, name="mine", start=tiny, recipe=SCRATCH))
    went_on = finetune(
        library, material, name="mine", start=tiny, recipe=replace(SCRATCH, micro_batch=6)
    )
    began = next(went_on)
    assert isinstance(began, Began)
    assert began.goes_on_from == 12
    went_on.close()  # type: ignore[attr-defined]


def test_forgetting_a_run_touches_nothing_else(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in (str(victim), "..", "../models"):
        with pytest.raises(UsageError, match="cannot be the name of an encoder"):
            forget(library, name)
    assert victim.exists() and library.path.exists()
    material = Material(shapes(tmp_path / "photos"), validation=6)
    events = finetune(library, material, name="mine", start=tiny, recipe=SCRATCH)
    list(itertools.islice(events, 3))
    with pytest.raises(LibraryLockedError):
        forget(library, "mine")
    events.close()  # type: ignore[attr-defined]
    assert (library.path / "training" / "mine" / "checkpoint.pt").exists()
    forget(library, "mine")
    assert not (library.path / "training" / "mine" / "checkpoint.pt").exists()
    forget(library, "never-heard-of")


def test_an_encoder_that_forgets_the_guard_is_kept_but_not_proposed(
    library: Library, tmp_path: Path
) -> None:
    pairs = shapes(tmp_path / "photos")
    wrong = tuple({"en": each["en"]} for each in pairs.captions[::-1])  # what training unlearns
    guard = CaptionedPhotos(pairs.pictures, wrong)
    recipe = Recipe(
        epochs=2,
        batch_size=24,
        rates=Rates(every=1e-3),
        keep="last",
        largest_guard_loss=0.0,
        evaluations=0,
    )
    material = Material(pairs, validation=pairs, guard=guard)
    done = finished(list(finetune(library, material, name="forgetful", recipe=recipe)))
    assert not done.is_proposed
    assert any("forgot what the guard" in each for each in done.reasons)
    assert done.folder.is_dir()


def test_photos_with_a_class_are_learnt_through_templates(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    captioned = shapes(tmp_path / "photos")
    labels = tuple(str(path).split("-")[-2] for path in captioned.pictures)
    names = {label: {"en": (label,)} for label in set(labels)}
    pairs = LabelledPhotos(captioned.pictures, labels, names)
    events = list(finetune(library, Material(pairs, 0.25), name="c", start=tiny, recipe=SCRATCH))
    assert set(finished(events).after.validation[0].metrics) >= {"top_1", "top_5"}


def test_photos_that_cannot_be_read_are_left_out_and_named_at_the_end(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    pairs = shapes(tmp_path / "photos")
    validation = shapes(tmp_path / "validation", copies=1)
    for broken in (pairs.pictures[5], validation.pictures[2]):
        assert isinstance(broken, Path)
        broken.write_bytes(b"no picture")
    events = list(
        finetune(library, Material(pairs, validation), name="b", start=tiny, recipe=SCRATCH)
    )
    done = finished(events)
    assert [str(pairs.pictures[5]) in each for each in done.unreadable] == [False, True]
    assert str(validation.pictures[2]) in done.unreadable[0]
    assert done.after.validation[0].photos == 11


def test_pairs_of_which_no_photo_can_be_read_are_refused(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    pairs = shapes(tmp_path / "photos", copies=1)
    validation = shapes(tmp_path / "validation", copies=1)
    for broken in pairs.pictures:
        assert isinstance(broken, Path)
        broken.write_bytes(b"no picture")
    with pytest.raises(UsageError, match="no photo of a batch can be decoded"):
        list(finetune(library, Material(pairs, validation), name="b", start=tiny, recipe=SCRATCH))
    with pytest.raises(UsageError, match="none of these photos can be decoded"):
        list(finetune(library, Material(validation, pairs), name="c", start=tiny, recipe=SCRATCH))


def test_the_guard_is_what_is_neither_learnt_from_nor_measured_on(
    library: Library, tmp_path: Path, tiny: FromScratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = shapes(tmp_path / "photos")
    for path, captions in zip(pairs.pictures, pairs.captions, strict=True):
        assert isinstance(path, Path)
        path.with_suffix(".txt").write_text(captions["en"][0], "utf-8")
    list(imgsearch.index(library, tmp_path / "photos", encoder="builtin"))
    monkeypatch.chdir(tmp_path)
    half = tmp_path / "half"
    half.mkdir()
    learnt = CaptionedPhotos(
        tuple(Path("photos") / Path(str(each)).name for each in pairs.pictures[:10]),
        pairs.captions[:10],
    )
    began = next(finetune(library, Material(learnt, 2), name="g", start=tiny, recipe=SCRATCH))
    assert isinstance(began, Began)
    assert (began.learnt, began.validation, began.guard) == (8, 2, 14)


def test_without_pairs_the_librarys_own_captions_are_learnt_from(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    with pytest.raises(UsageError, match=r"no photo of .* has a \.txt or \.json beside it"):
        next(finetune(library, Material(), name="own", start=tiny, recipe=SCRATCH))
    pairs = shapes(tmp_path / "photos")
    for path, captions in zip(pairs.pictures[:20], pairs.captions, strict=False):
        assert isinstance(path, Path)
        path.with_suffix(".txt").write_text(captions["en"][0], "utf-8")
    list(imgsearch.index(library, tmp_path / "photos", encoder="builtin"))
    began = next(finetune(library, Material(), name="own", start=tiny, recipe=SCRATCH))
    assert isinstance(began, Began)
    assert (began.learnt, began.validation, began.guard) == (18, 2, 0)


def test_halves_left_out_are_counted_whatever_is_set_apart(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    pairs = shapes(tmp_path / "photos")
    for path, captions in zip(pairs.pictures[1:], pairs.captions[1:], strict=True):
        assert isinstance(path, Path)
        path.with_suffix(".txt").write_text(captions["en"][0], "utf-8")
    (tmp_path / "photos" / "lonely.txt").write_text("a text without a picture", "utf-8")
    material = Material([tmp_path / "photos"], 0.25)
    began = next(finetune(library, material, name="h", start=tiny, recipe=SCRATCH))
    assert isinstance(began, Began)
    assert (began.pictures_without_text, began.texts_without_picture) == (1, 1)


def test_one_photo_is_nothing_to_learn_from(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    pairs = shapes(tmp_path / "photos", copies=1)
    one = CaptionedPhotos(pairs.pictures[:1], pairs.captions[:1])
    with pytest.raises(UsageError, match="at least two"):
        next(finetune(library, Material(one, pairs), name="one", start=tiny, recipe=SCRATCH))
    with pytest.raises(UsageError, match="plateau schedule follows the validation loss"):
        recipe = replace(SCRATCH, schedule="plateau")
        next(finetune(library, Material(pairs, 0), name="p", start=tiny, recipe=recipe))


def test_a_collapsed_run_leaves_nothing_in_the_library(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    material = Material(shapes(tmp_path / "photos", copies=4), validation=8)
    recipe = replace(
        SCRATCH,
        epochs=60,
        rates=Rates(every=3.0),
        schedule="constant",
        batch_size=40,
    )
    with pytest.raises(CollapsedError, match="try a tenth"):
        list(finetune(library, material, name="hot", start=tiny, recipe=recipe))
    assert not (library.models_folder / "hot").exists()


def test_a_language_the_encoder_does_not_know_is_refused(library: Library, tmp_path: Path) -> None:
    pairs = shapes(tmp_path / "photos")
    french = replace(pairs, captions=tuple({"fr": each["en"]} for each in pairs.captions))
    with pytest.raises(NoEncoderError, match="the pairs are in fr"):
        next(finetune(library, Material(french), name="f"))


@pytest.mark.parametrize("name", ["", "a/b", "../x", "builtin", "builtin-9", ".hidden", "-x"])
def test_a_name_that_is_no_name_is_refused(library: Library, name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name of an encoder"):
        next(finetune(library, Material(shapes(tmp_path / "p")), name=name))


def test_a_name_that_is_taken_is_refused(library: Library, tmp_path: Path) -> None:
    (library.models_folder / "mine").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"an encoder .mine. .* already"):
        next(finetune(library, Material(shapes(tmp_path / "p")), name="mine"))


def test_recipes_that_make_no_sense_are_refused(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    material = Material(shapes(tmp_path / "photos"))
    mixed = Recipe(objective=Objective("clip"), variation=Variation(cut_mix=0.5))
    with pytest.raises(UsageError, match="mixed in pairs"):
        next(finetune(library, material, name="a", start=tiny, recipe=mixed))
    with pytest.raises(UsageError, match="needs pairs with labels"):
        recipe = Recipe(objective=Objective("same-label"))
        next(finetune(library, material, name="b", start=tiny, recipe=recipe))
    with pytest.raises(UsageError, match="loss 'hinge' is unknown; it is one of auto, clip"):
        Objective("hinge")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="nothing is left to learn"):
        Recipe(freeze="text", image_locked=0.5)


def test_two_runs_under_one_name_are_refused(
    library: Library, tmp_path: Path, tiny: FromScratch
) -> None:
    folder = library.path / "training" / "mine"
    folder.mkdir(parents=True)
    with Lock(folder / "run.lock").held(), pytest.raises(LibraryLockedError):
        next(finetune(library, Material(shapes(tmp_path / "p")), name="mine", start=tiny))


def test_the_command_says_what_it_did_and_what_to_type_next(tmp_path: Path) -> None:
    pairs = shapes(tmp_path / "photos")
    for path, captions in zip(pairs.pictures, pairs.captions, strict=True):
        assert isinstance(path, Path)
        path.with_suffix(".json").write_text(
            json.dumps({key: list(value) for key, value in captions.items()}), "utf-8"
        )
    words = ["--library", str(tmp_path / "library"), "--name", "shapes-v1", "--val", "0.25"]
    words += ["--epochs", "1", "--batch-size", "12", "--learning-rate", "1e-3", "--keep", "last"]
    result = CliRunner().invoke(app, ["finetune", str(tmp_path / "photos"), *words])
    assert result.exit_code == 0, result.stderr
    assert "validation: 6 photos" in result.stdout
    assert "text to image R@1" in result.stdout
    assert "rebuild --library" in result.stdout and "--encoder shapes-v1" in result.stdout
    assert "before:" in result.stderr and "after 24 photos" in result.stderr
    again = CliRunner().invoke(app, ["finetune", str(tmp_path / "photos"), *words])
    assert again.exit_code == 2
    assert "already" in again.stderr
