"""train_captioner(): from pairs and an encoder to a captioner in the library, and what stops it."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import imgsearch
from conftest import ColourEncoder, draw
from imgsearch import captioning
from imgsearch.captioning.tokenizers import write_vocabulary
from imgsearch.errors import LibraryLockedError, NoEncoderError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training import Material
from imgsearch.training.captioner import (
    CaptionerRecipe,
    LanguageModel,
    Mapper,
    forget,
    study_prefix_lengths,
    train_captioner,
)
from imgsearch.training.captioner import events as told
from imgsearch.training.captioner.events import (
    Began,
    Embedded,
    Evaluated,
    Event,
    Finished,
    Stepped,
    Studied,
)
from learning import shapes
from runs import CountingEncoder
from small_language_models import gpt2

COLOURS = {"red": "红", "green": "绿", "blue": "蓝"}
TINY = CaptionerRecipe(
    mapper=Mapper(prefix_length=2),
    language_model=LanguageModel(width=32, layers=1, heads=2, dropout=0.0),
    epochs=12,
    batch_size=16,
    learning_rate=1e-2,
    evaluations=0,  # after each, curves are drawn, which takes longer than such an epoch
    precision="fp32",
)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def pairs(tmp_path: Path) -> CaptionedPhotos:
    """Thirty plain pictures, each with a sentence of its colour in both languages and a bad
    translation."""
    pictures, captions = [], []
    for number in range(10):
        for place, (colour, chinese) in enumerate(COLOURS.items()):
            shade = tuple(255 - 4 * number if channel == place else 3 for channel in range(3))
            pictures.append(draw(tmp_path / "photos" / f"{number}-{colour}.png", shade, (8, 8)))
            captions.append(
                {
                    "en": (f"a {colour} picture",),
                    "zh": (f"一张{chinese}色的图",),
                    "zh_translated": (f"图是{chinese}",),
                }
            )
    return CaptionedPhotos(tuple(pictures), tuple(captions))


def finished(events: list[Event]) -> Finished:
    (last,) = [each for each in events if isinstance(each, Finished)]
    return last


def test_a_captioner_says_what_its_encoder_sees_in_both_languages(
    library: Library, pairs: CaptionedPhotos
) -> None:
    encoder = ColourEncoder()
    material = Material(pairs, validation=0.3)
    recipe = replace(TINY, noise=0.1, mix=0.1, epochs=40, evaluations=0.05)
    events = list(
        imgsearch.train_captioner(library, material, name="colours", encoder=encoder, recipe=recipe)
    )
    assert isinstance(events[0], Began)
    assert (events[0].photos, events[0].validation) == (21, 9)
    assert events[0].captions == {"en": 21, "zh": 21}  # nobody asked for what is translated
    done = finished(events)
    assert done.folder == library.path / "captioners" / "colours"
    captioner = captioning.load("colours", captioners=library.captioners_folder)
    assert captioner.languages == ("en", "zh")
    captioner.check(encoder.name, encoder.identity, 3)
    with pytest.raises(NoEncoderError, match="toy/colour"):
        captioner.check("toy/other", "another", 3)
    seen = np.eye(3, dtype=np.float32)
    english = [each.text for each in captioner.caption(seen, "en")]
    assert english == ["a red picture.", "a green picture.", "a blue picture."]
    chinese = [each.text for each in captioner.caption(seen, "zh")]
    assert chinese == ["一张红色的图。", "一张绿色的图。", "一张蓝色的图。"]
    assert [row.language for row in done.scores] == ["en", "zh"]
    assert all(row.bleu[0] == pytest.approx(1) for row in done.scores)
    assert done.kept is not None and set(done.kept.losses) == {"en", "zh"}
    files = {file.name for file in done.folder.iterdir()}
    assert {"MODEL_CARD.md", "metrics.jsonl", "curves.png", "captioner.json", "vocab.txt"} <= files
    card = (done.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| reads embeddings of | toy/colour, 3 dimensions |" in card
    assert "| learnt from | 21 | 21 en, 21 zh |" in card  # and nothing of what it was not taught
    assert "| betas | 0.9, 0.98 |" in card and "| longest gradient | 1 (0: no limit) |" in card
    assert not (library.path / "training-captioners" / "colours").exists()
    kept = [each for each in told.read(done.folder / "metrics.jsonl") if each in events]
    assert kept == [each for each in events if not isinstance(each, Began | Embedded)]


def test_an_interrupted_run_gives_the_same_captioner_and_embeds_nothing_again(
    library: Library, pairs: CaptionedPhotos
) -> None:
    encoder = CountingEncoder()
    dropping = replace(TINY.language_model, dropout=0.1)
    recipe = replace(TINY, noise=0.3, language_model=dropping, epochs=8, evaluations=0.15)
    material = Material(pairs, validation=6)

    def run(name: str) -> Iterator[Event]:
        return train_captioner(library, material, name=name, encoder=encoder, recipe=recipe)

    whole = list(run("whole"))
    assert encoder.seen == 30
    events = run("parts")
    begun = list(itertools.islice(events, 25))
    assert any(isinstance(each, Evaluated) for each in begun)
    events.close()  # type: ignore[attr-defined]  # a generator
    assert encoder.seen == 60
    assert not (library.captioners_folder / "parts").exists()
    rest = list(run("parts"))
    assert encoder.seen == 60
    assert isinstance(rest[0], Began) and rest[0].goes_on_from > 0
    one, other = (library.captioners_folder / name for name in ("whole", "parts"))
    weights = "model.safetensors"
    assert (one / weights).read_bytes() == (other / weights).read_bytes()
    steps = [each.step for each in [*begun, *rest] if isinstance(each, Stepped)]
    assert steps == [each.step for each in whole if isinstance(each, Stepped)]
    assert finished(rest).scores == finished(whole).scores
    assert finished(rest).kept == finished(whole).kept


def test_views_of_a_photo_are_embedded_once_and_learnt_from(
    library: Library, tmp_path: Path
) -> None:
    material = Material(shapes(tmp_path / "photos"), validation=6)
    recipe = replace(TINY, views=2, epochs=2)
    events = train_captioner(library, material, name="views", recipe=recipe)
    begun = list(itertools.islice(events, 4))
    events.close()  # type: ignore[attr-defined]
    assert [type(each) for each in begun] == [Began, Embedded, Embedded, Stepped]
    folder = library.path / "training-captioners" / "views" / "embeddings" / "learnt"
    (block,) = folder.glob("*.npy")
    views = np.load(block)
    assert views.shape == (3, 18, 256) and views.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(views.astype(np.float32), axis=2), 1, atol=1e-3)
    likeness = (views[0].astype(np.float32) * views[1]).sum(1)
    assert likeness.min() > 0.2 and likeness.max() < 0.9999  # another look at the same photo
    written = block.stat().st_mtime_ns
    list(train_captioner(library, material, name="views2", recipe=replace(recipe, epochs=1)))
    assert block.stat().st_mtime_ns == written
    with pytest.raises(UsageError, match="toy/colour has not got; leave --views out"):
        next(train_captioner(library, material, name="toy", encoder=ColourEncoder(), recipe=recipe))


def test_embeddings_that_the_catalog_holds_are_not_computed_again(
    library: Library, pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    encoder = CountingEncoder()
    list(index(library, tmp_path / "photos", encoder=encoder))
    assert encoder.seen == 30
    material = Material(pairs, validation=6)
    recipe = replace(TINY, epochs=1)
    list(train_captioner(library, material, name="known", encoder=encoder, recipe=recipe))
    assert encoder.seen == 30


def test_another_recipe_does_not_go_on_from_an_unfinished_run(
    library: Library, pairs: CaptionedPhotos
) -> None:
    def run(recipe: CaptionerRecipe, validation: int = 6) -> Iterator[Event]:
        material = Material(pairs, validation)
        return train_captioner(
            library, material, name="mine", encoder=ColourEncoder(), recipe=recipe
        )

    events = run(TINY)
    list(itertools.islice(events, 5))
    with pytest.raises(LibraryLockedError):
        next(run(TINY))
    with pytest.raises(LibraryLockedError):
        forget(library, "mine")
    events.close()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"differs in: recipe\. .* --restart"):
        next(run(replace(TINY, seed=1)))
    with pytest.raises(UsageError, match="differs in: recipe, learnt from, validation"):
        next(run(TINY, validation=5))
    forget(library, "mine")
    began = next(run(replace(TINY, seed=1)))
    assert isinstance(began, Began) and began.goes_on_from == 0


def test_a_frozen_language_model_stays_as_it_was_and_only_the_mapper_learns(
    library: Library, pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    folder = tmp_path / "gpt2-chinese"
    folder.mkdir()
    texts = [text for each in pairs.captions for text in each["zh"]]
    write_vocabulary([f"{text}。" for text in texts], [], folder / "vocab.txt")
    gpt2(folder, len((folder / "vocab.txt").read_text("utf-8").splitlines()))
    recipe = replace(
        TINY,
        mapper=Mapper("transformer", 3, clip_length=2, layers=2, heads=4),
        language_model=LanguageModel(str(folder), is_frozen=True),
        languages=("zh",),
        epochs=2,
    )
    events = train_captioner(
        library, Material(pairs, 6), name="frozen", encoder=ColourEncoder(), recipe=recipe
    )
    begun = list(itertools.islice(events, 4))
    events.close()  # type: ignore[attr-defined]
    assert isinstance(begun[0], Began)
    assert begun[0].learnt < begun[0].parameters
    state = torch.load(
        library.path / "training-captioners" / "frozen" / "checkpoint.pt", weights_only=True
    )
    assert all(name.startswith("mapper.") for name in state["learnt"])
    events = train_captioner(
        library, Material(pairs, 6), name="frozen", encoder=ColourEncoder(), recipe=recipe
    )
    done = finished(list(events))
    captioner = captioning.load("frozen", captioners=library.captioners_folder)
    from safetensors.torch import load_file

    before = load_file(folder / "model.safetensors")["transformer.h.1.mlp.c_fc.weight"]
    after = captioner.model.language_model.transformer.h[1].mlp.c_fc.weight
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)  # it is saved in half
    assert captioner.model.language_model.config.n_head == 4
    assert captioner.speech.openings == {"zh": ()}  # nothing has to tell one language apart
    card = (done.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| language model, is frozen | yes |" in card
    assert "| betas | 0.9, 0.999 |" in card and "| longest gradient | 0 (0: no limit) |" in card


def test_a_gpt2_of_byte_pairs_learns_to_end_its_sentences(
    library: Library, pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    folder = tmp_path / "gpt2"
    folder.mkdir()
    texts = [f"a {colour} picture." for colour in COLOURS]
    tokenizer = pytest.importorskip("tokenizers").ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        texts, vocab_size=300, min_frequency=1, special_tokens=["<|endoftext|>"]
    )
    tokenizer.save_model(str(folder))
    gpt2(folder, tokenizer.get_vocab_size(), is_prefixed=False)
    recipe = replace(
        TINY, language_model=LanguageModel(str(folder), dropout=0.0), languages=("en",)
    )
    events = train_captioner(
        library, Material(pairs, 6), name="bytes", encoder=ColourEncoder(), recipe=recipe
    )
    list(events)
    captioner = captioning.load("bytes", captioners=library.captioners_folder)
    captions = captioner.caption(np.eye(3, dtype=np.float32), "en")
    assert [each.text for each in captions] == texts


def test_a_captioner_goes_on_from_another_and_is_measured_before(
    library: Library, pairs: CaptionedPhotos
) -> None:
    material, encoder = Material(pairs, 6), ColourEncoder()
    list(train_captioner(library, material, name="first", encoder=encoder, recipe=TINY))
    gentle = replace(TINY, learning_rate=1e-4, epochs=1, mapper=Mapper(prefix_length=7))
    events = list(
        train_captioner(
            library, material, name="second", encoder=encoder, start="first", recipe=gentle
        )
    )
    before = next(each for each in events if isinstance(each, Evaluated))
    assert before.step == 0 and before.quality[0] > 1  # it had learnt already
    assert finished(events).prefix_length == 2  # its shape stays
    with pytest.raises(NoEncoderError, match="reads embeddings of toy/colour"):
        next(
            train_captioner(
                library, material, name="third", encoder=ColourEncoder("toy/b"), start="first"
            )
        )
    with pytest.raises(UsageError, match="first writes en, zh and cannot be taught fr"):
        french = CaptionedPhotos(pairs.pictures, tuple({"fr": ("une image",)} for _ in range(30)))
        next(
            train_captioner(library, Material(french, 6), name="d", encoder=encoder, start="first")
        )


def test_a_study_trains_a_captioner_for_each_prefix_length_and_embeds_once(
    library: Library, pairs: CaptionedPhotos
) -> None:
    encoder, material = CountingEncoder(), Material(pairs, 6)
    recipe = replace(TINY, epochs=2)

    def study(recipe: CaptionerRecipe = recipe) -> Iterator[Event]:
        return study_prefix_lengths(
            library, material, [3, 1], name="study", encoder=encoder, recipe=recipe
        )

    events = study()
    for event in events:
        if isinstance(event, Finished):
            break
    next(events)  # the second has begun
    events.close()  # type: ignore[attr-defined]
    assert [each.name for each in library.captioners_folder.iterdir()] == ["study-k1"]
    with pytest.raises(UsageError, match="differs in: recipe"):
        next(study(replace(recipe, seed=3)))
    rest = list(study())
    assert isinstance(rest[-1], Studied)
    assert [(each.name, each.prefix_length) for each in rest[-1].finished] == [
        ("study-k1", 1),
        ("study-k3", 3),
    ]
    assert encoder.seen == 30
    assert not (library.path / "training-captioners" / "study").exists()
    there = (
        r"captioners that there are already: .*study-k1, .*study-k3; compare them with imgsearch "
        "eval DATA --captioner study-k1 --captioner study-k3, use another --name, or"
    )
    with pytest.raises(UsageError, match=there):
        next(study())


def test_a_study_begins_anew_only_where_none_of_its_captioners_is(
    library: Library, pairs: CaptionedPhotos
) -> None:
    recipe = replace(TINY, epochs=1)
    folder = library.path / "training-captioners" / "study"

    def study(lengths: list[int]) -> Iterator[Event]:
        return study_prefix_lengths(
            library,
            Material(pairs, 6),
            lengths,
            name="study",
            encoder=ColourEncoder(),
            recipe=recipe,
        )

    events = study([1, 2])
    for event in events:
        if isinstance(event, Finished):
            break
    events.close()  # type: ignore[attr-defined]  # a generator
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match=r"study-k1; leave --restart out to go on with the study"):
        forget(library, "study", [1, 2])
    assert sorted(folder.rglob("*")) == before
    single = train_captioner(
        library, Material(pairs, 6), name="study", encoder=ColourEncoder(), recipe=recipe
    )
    with pytest.raises(UsageError, match="holds an unfinished run under the name 'study'"):
        next(single)
    first = library.captioners_folder / "study-k1"
    shutil.rmtree(first)  # a captioner that somebody deleted is finished again, not trained again
    again = [type(each) for each in study([1, 2])]
    assert again.count(Finished) == 2 and again[-1] is Studied
    assert again[: again.index(Finished)].count(Stepped) == 0
    assert any(isinstance(each, Evaluated) for each in told.read(first / "metrics.jsonl"))
    shutil.rmtree(first)
    with pytest.raises(UsageError, match=r"already: \S*study-k2; use another --name, or delete"):
        forget(library, "study", [1, 2])
    shutil.rmtree(library.captioners_folder / "study-k2")
    forget(library, "study", [1, 2])
    with pytest.raises(UsageError, match="cannot be the name"):
        next(study_prefix_lengths(library, Material(pairs, 6), [1, 2], name="../study"))
    assert not (library.path / "study").exists()


def test_a_run_that_is_stopped_while_its_captioner_is_measured_finishes_all_the_same(
    library: Library, pairs: CaptionedPhotos
) -> None:
    recipe = replace(TINY, epochs=1)

    def run() -> Iterator[Event]:
        return train_captioner(
            library, Material(pairs, 6), name="late", encoder=ColourEncoder(), recipe=recipe
        )

    events = run()
    stopped = [next(events) for _ in range(3)]  # began, and all photos are embedded
    assert isinstance(stopped[-1], Embedded)
    events.close()  # type: ignore[attr-defined]  # a generator
    left = library.path / "training-captioners" / "late" / "captioner"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half of it")
    done = finished(list(run()))
    assert done.folder.is_dir() and done.kept is not None


def test_photos_that_cannot_be_read_are_left_out_and_named_at_the_end(
    library: Library, pairs: CaptionedPhotos
) -> None:
    broken = pairs.pictures[0]
    assert isinstance(broken, Path)
    broken.write_bytes(broken.read_bytes()[:40])
    events = train_captioner(
        library,
        Material(pairs, 6),
        name="most",
        encoder=ColourEncoder(),
        recipe=replace(TINY, epochs=1),
    )
    done = finished(list(events))
    assert len(done.unreadable) == 1 and broken.name in done.unreadable[0]
    card = (done.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| photos left out | 1, which could not be decoded |" in card


def test_without_validation_the_last_state_comes_out_unmeasured(
    library: Library, pairs: CaptionedPhotos
) -> None:
    events = train_captioner(
        library,
        Material(pairs, 0),
        name="all",
        encoder=ColourEncoder(),
        recipe=replace(TINY, epochs=1),
    )
    done = finished(list(events))
    assert done.kept is None and done.scores == ()
    assert "Nothing was held out" in (done.folder / "MODEL_CARD.md").read_text("utf-8")


def test_what_does_not_fit_together_is_refused(
    library: Library, pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    encoder = ColourEncoder()

    def refused(message: str, material: Material, recipe: CaptionerRecipe = TINY) -> None:
        with pytest.raises(UsageError, match=message):
            list(train_captioner(library, material, name="no", encoder=encoder, recipe=recipe))

    labelled = LabelledPhotos(pairs.pictures, tuple("x" for _ in pairs.pictures), {"x": {}})
    refused("these pairs have classes", Material(labelled, 0))
    refused("leave the guard out", Material(pairs, 6, guard=pairs))
    french = replace(TINY, languages=("fr",))
    refused("no sentences in 'fr', only in en", Material(pairs, 6), french)
    german = replace(pairs, captions=tuple({"de": ("ein Bild",)} for _ in pairs.captions))
    refused("validation photos have no sentence in en, zh", Material(pairs, german))
    frozen = replace(TINY, language_model=LanguageModel(is_frozen=True))
    refused("starts from nothing has to learn", Material(pairs, 6), frozen)
    nowhere = replace(TINY, language_model=LanguageModel(str(tmp_path / "nowhere")))
    refused("no language model is called", Material(pairs, 6), nowhere)
    with pytest.raises(UsageError, match="has no 3 heads of one size"):
        LanguageModel(width=32, heads=3)
    with pytest.raises(UsageError, match="mapper 'lstm' is unknown; it is one of mlp"):
        Mapper("lstm")  # type: ignore[arg-type]
    for name in ("", "a/b", "builtin", ".hidden"):
        with pytest.raises(UsageError, match="cannot be the name of a captioner"):
            next(train_captioner(library, Material(pairs), name=name))
    for name in ("a" * 101, "花" * 34):
        with pytest.raises(UsageError, match="is too long for a captioner: at most 100 characters"):
            next(train_captioner(library, Material(pairs), name=name))


def test_a_run_that_diverges_ends_with_what_to_do_and_makes_no_captioner(
    library: Library, pairs: CaptionedPhotos
) -> None:
    recipe = replace(TINY, learning_rate=1e30, warmup=0, evaluations=0)
    for validation in (0, 6):
        events = train_captioner(
            library,
            Material(pairs, validation),
            name=f"lost-{validation}",
            encoder=ColourEncoder(),
            recipe=recipe,
        )
        message = r"the loss is (nan|inf) after \d+ captions; use a lower --learning-rate"
        with pytest.raises(UsageError, match=message):
            list(events)
    assert not library.captioners_folder.exists()
