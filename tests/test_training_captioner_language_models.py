"""The language models that a captioner begins with: what is read of their files, how they learn
behind every mapper, and that a frozen one does not.
"""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import ColourEncoder, draw
from imgsearch import captioning
from imgsearch.captioning.gpt2 import Gpt2
from imgsearch.captioning.mappers import Kind
from imgsearch.captioning.tokenizers import write_vocabulary
from imgsearch.errors import UsageError
from imgsearch.library import Library, open_library
from imgsearch.pairs import CaptionedPhotos
from imgsearch.training import Material
from imgsearch.training.captioner import (
    CaptionerRecipe,
    LanguageModel,
    Mapper,
    train_captioner,
)
from imgsearch.training.captioner.batches import Batches
from imgsearch.training.captioner.events import Began, Finished
from imgsearch.training.captioner.ground import ground_of
from imgsearch.training.captioner.language_models import open_tokenizer, read_gpt2
from imgsearch.training.captioner.loop import Run
from imgsearch.training.captioner.run_folder import open_run
from imgsearch.weights import filling
from small_captioners import byte_pairs
from small_language_models import HEADS, gpt2

COLOURS = ("red", "green", "blue")
KINDS: tuple[Kind, ...] = ("mlp", "linear", "transformer", "bert")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def pairs(tmp_path: Path) -> CaptionedPhotos:
    """Twelve plain pictures, each with a sentence of its colour."""
    named = [(number, colour) for number in range(4) for colour in COLOURS]
    return CaptionedPhotos(
        tuple(draw(tmp_path / "photos" / f"{n}-{each}.png", each, (8, 8)) for n, each in named),
        tuple({"en": (f"a {each} picture",)} for _, each in named),
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A GPT-2 with the words of the pairs beside it."""
    folder = tmp_path / "gpt2"
    folder.mkdir()
    write_vocabulary([f"a {each} picture." for each in COLOURS] * 4, [], folder / "vocab.txt")
    return gpt2(folder, open_tokenizer(folder).size)


def recipe_of(
    weights: Path, kind: Kind = "mlp", *, dropout: float = 0.0, is_frozen: bool = False
) -> CaptionerRecipe:
    """Two steps."""
    return CaptionerRecipe(
        mapper=Mapper(kind, 3, clip_length=2, layers=1, heads=4),
        language_model=LanguageModel(str(weights), dropout=dropout, is_frozen=is_frozen),
        epochs=1,
        batch_size=6,
        learning_rate=1e-2,
        warmup=0,
        precision="fp32",
    )


def test_a_head_of_its_own_leaves_the_token_table_as_it_is(tmp_path: Path) -> None:
    file = gpt2(tmp_path, 40, is_tied=False) / "model.safetensors"
    config, state = read_gpt2(file)
    assert not config.tie_word_embeddings and config.n_head == HEADS
    model = Gpt2(config)
    filling.fill(model, state, str(file))
    stored = load_file(file)
    assert torch.equal(model.lm_head.weight, stored["lm_head.weight"])
    assert torch.equal(model.transformer.wte.weight, stored["transformer.wte.weight"])
    stored["lm_head.weight"] = stored["transformer.wte.weight"].clone()
    save_file(stored, file)  # as old files have it: a copy of the table is no head of its own
    assert read_gpt2(file)[0].tie_word_embeddings


@pytest.mark.parametrize("kind", KINDS)
def test_every_mapper_learns_and_speaks_before_a_language_model_that_does_not(
    kind: Kind, library: Library, pairs: CaptionedPhotos, weights: Path
) -> None:
    def trained(name: str, recipe: CaptionerRecipe) -> dict[str, torch.Tensor]:
        events = list(
            train_captioner(
                library, Material(pairs, 0), name=name, encoder=ColourEncoder(), recipe=recipe
            )
        )
        began, done = events[0], events[-1]
        assert isinstance(began, Began) and isinstance(done, Finished)
        assert done.prefix_length == 3
        captioner = captioning.load(name, captioners=library.captioners_folder)
        assert captioner.model.mapper_config.kind == kind
        captions = captioner.caption(np.eye(3, dtype=np.float32), "en")
        assert len(captions) == 3 and all(np.isfinite(each.log_probability) for each in captions)
        mapper = sum(each.numel() for each in captioner.model.mapper.parameters())
        assert began.learnt == (mapper if recipe.language_model.is_frozen else began.parameters)
        return load_file(done.folder / "model.safetensors")

    recipe = recipe_of(weights, kind, is_frozen=True)
    frozen = trained("frozen", recipe)
    for name, tensor in load_file(weights / "model.safetensors").items():
        if not name.endswith(".attn.bias"):
            assert torch.equal(frozen[f"gpt.{name}"].float(), tensor), name
    dropped = trained("dropped", recipe_of(weights, kind, dropout=0.9, is_frozen=True))
    assert all(torch.equal(frozen[name], dropped[name]) for name in frozen)  # nothing is dropped
    still = trained("still", replace(recipe, learning_rate=0.0))
    changed = [name for name in frozen if not torch.equal(frozen[name], still[name])]
    assert "clip_project." in {name[: len("clip_project.")] for name in changed}
    free = trained("free", recipe_of(weights, kind))
    table = "gpt.transformer.wte.weight"
    assert not torch.equal(free[table], frozen[table])


def test_a_gradient_is_cut_to_the_longest_that_the_recipe_allows(
    library: Library, pairs: CaptionedPhotos, weights: Path, tmp_path: Path
) -> None:
    def length(longest: float | None) -> float:
        recipe = replace(recipe_of(weights), longest_gradient=longest)
        folder = tmp_path / f"run-{longest}"
        folder.mkdir()
        ground = ground_of(library, Material(pairs, 0), ColourEncoder(), recipe, folder, "cpu")
        list(ground.embed())
        opened = open_run("x", folder, ground, recipe, None)
        model = opened.captioner.model
        batches = Batches(opened.sentences, 6, 0)
        run = Run(model, batches, ground.learnt_embeddings, opened.recipe, folder)
        (betas,) = {group["betas"] for group in run.optimiser.param_groups}
        assert betas == (0.9, 0.999)  # the published ones: the language model has weights
        run.take_step()
        found = [each.grad.norm() for each in model.parameters() if each.grad is not None]
        return float(torch.stack(found).norm())

    whole = length(0.0)
    assert length(None) == whole > 0.01
    assert length(0.01) == pytest.approx(0.01, rel=1e-3)


def test_the_words_of_gpt2_may_be_named_by_their_folder_or_their_file(tmp_path: Path) -> None:
    file = byte_pairs(tmp_path / "tokenizer.json")
    by_file, by_folder = open_tokenizer(file), open_tokenizer(tmp_path)
    assert by_file.encode("a dog.") == by_folder.encode("a dog.")
    assert by_file.files == by_folder.files == (file,)


def test_words_of_a_file_of_any_name_are_saved_with_the_captioner(
    library: Library, pairs: CaptionedPhotos, weights: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    (weights / "vocab.txt").rename(words)
    small = LanguageModel(tokenizer=str(words), width=16, layers=1, heads=2)
    recipe = replace(recipe_of(weights), language_model=small, mapper=Mapper(prefix_length=2))
    events = train_captioner(
        library, Material(pairs, 0), name="named", encoder=ColourEncoder(), recipe=recipe
    )
    assert isinstance(list(events)[-1], Finished)
    captioner = captioning.load("named", captioners=library.captioners_folder)
    assert captioner.tokenizer.encode("a red picture.") == open_tokenizer(words).encode(
        "a red picture."
    )


def test_rows_of_a_token_table_that_stand_for_no_word_are_never_said(
    library: Library, pairs: CaptionedPhotos, weights: Path, tmp_path: Path
) -> None:
    words = open_tokenizer(weights).size
    gpt2(weights, words + 3)
    recipe = recipe_of(weights)
    ground = ground_of(library, Material(pairs, 0), ColourEncoder(), recipe, tmp_path, "cpu")
    opened = open_run("padded", tmp_path, ground, recipe, None)
    assert opened.captioner.model.language_model.config.vocab_size == words + 3
    barred = set(opened.captioner.speech.barred)
    assert {words, words + 1, words + 2} <= barred and max(barred) == words + 2


def test_a_run_does_not_go_on_with_other_weights_or_words_of_the_same_name(
    library: Library, pairs: CaptionedPhotos, weights: Path
) -> None:
    def began() -> Began:
        events = train_captioner(
            library,
            Material(pairs, 0),
            name="swapped",
            encoder=ColourEncoder(),
            recipe=replace(recipe_of(weights, is_frozen=True), epochs=20),
        )
        first = next(events)
        list(itertools.islice(events, 2))  # the photos are embedded, and a step is taken
        events.close()  # type: ignore[attr-defined]  # a generator
        assert isinstance(first, Began)
        return first

    began()
    assert began().goes_on_from > 0
    file = weights / "model.safetensors"
    before, stored = file.read_bytes(), load_file(file)
    stored["transformer.wte.weight"] += 1
    save_file(stored, file)
    with pytest.raises(UsageError, match=r"differs in: (start, )?language model\. "):
        began()
    file.write_bytes(before)
    began()
    words = (weights / "vocab.txt").read_text("utf-8").splitlines()
    (weights / "vocab.txt").write_text("\n".join([*words[:-2], words[-1], words[-2]]) + "\n")
    with pytest.raises(UsageError, match=r"differs in: (start, )?language model\. "):
        began()


def test_the_card_names_what_it_began_with_by_name_and_hash_and_bears_no_path(
    library: Library, pairs: CaptionedPhotos, weights: Path, tmp_path: Path
) -> None:
    def card(name: str, recipe: CaptionerRecipe, start: str | None = None) -> str:
        events = train_captioner(
            library,
            Material(pairs, 0),
            name=name,
            encoder=ColourEncoder(),
            start=start,
            recipe=recipe,
        )
        done = list(events)[-1]
        assert isinstance(done, Finished)
        text = (done.folder / "MODEL_CARD.md").read_text("utf-8")
        assert str(tmp_path) not in text
        return text

    recipe = recipe_of(weights)
    words = tmp_path / "words.txt"
    words.write_bytes((weights / "vocab.txt").read_bytes())
    named = replace(recipe.language_model, tokenizer=str(words))
    text = card("first", replace(recipe, language_model=named))
    of_weights, of_words = (
        hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in (weights / "model.safetensors", words)
    )
    assert f"| started from | GPT-2 (gpt2, {of_weights}) |" in text
    assert f"| language model, source | gpt2, {of_weights} |" in text
    assert f"| language model, tokenizer | words.txt, {of_words} |" in text
    first = library.captioners_folder / "first"
    identity = captioning.load(str(first)).identity[:12]
    text = card("second", CaptionerRecipe(epochs=1), start=str(first))
    assert f"| started from | first ({identity}) |" in text
    # It keeps its shape and its words: the recipe of a captioner that goes on tells theirs.
    assert "| mapper, prefix length | 3 |" in text and "| language model, dropout | 0 |" in text
    assert f"| language model, source | first ({identity}) |" in text
