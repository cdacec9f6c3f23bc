"""What a run begins with: a captioner whose mapper has learnt nothing, or one that has.

Ground, a recipe and words go in, or the name of a captioner; out comes what is to be trained.
"""

from __future__ import annotations

from dataclasses import replace

from imgsearch import captioning
from imgsearch.captioning.captioner import Captioner, TrainedOn
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.model import ClipCap
from imgsearch.errors import UsageError
from imgsearch.evaluating.captions import spoken
from imgsearch.training.captioner.ground import Ground
from imgsearch.training.captioner.language_models import Words
from imgsearch.training.captioner.recipe import CaptionerRecipe, LanguageModel, Mapper
from imgsearch.training.captioner.sentences import Sentences, speech_of, tokenized
from imgsearch.weights import filling

ROOM = 64  # tokens of a sentence that a language model from nothing has room for, at most


def fresh(
    name: str, ground: Ground, recipe: CaptionerRecipe, words: Words
) -> tuple[Captioner, Sentences]:
    """A captioner whose mapper has learnt nothing, and what it is to learn."""
    tokenizer, mapper = words.tokenizer, recipe.mapper
    languages = tuple(dict.fromkeys(spoken(each) for each in ground.languages))
    rows = None if words.weights is None else words.weights[0].vocab_size
    speech = speech_of(tokenizer, languages, rows)
    room = ROOM if words.weights is None else words.weights[0].n_positions - mapper.prefix_length
    if room < 1:
        raise UsageError(
            f"the language model has room for {words.weights and words.weights[0].n_positions} "
            f"positions, and the prefix takes {mapper.prefix_length}: use a smaller --prefix-length"
        )
    sentences = tokenized(ground.learnt, ground.languages, tokenizer, speech, room)
    longest = int(sentences.lengths.max())
    speech = replace(speech, longest=longest)
    config = _config(recipe, tokenizer.size, longest) if words.weights is None else words.weights[0]
    model = ClipCap(
        mapper.config(ground.encoder.dim, config.n_embd),
        replace(config, dropout=recipe.language_model.dropout),
    )
    if words.weights is not None:
        filling.fill(model.language_model, words.weights[1], recipe.language_model.source)
    trained_on = TrainedOn((ground.encoder.name,), ground.encoder.identity, ground.encoder.dim)
    captioner = Captioner(
        model, tokenizer, speech, trained_on, name=name, identity="", device=str(ground.device)
    )
    return captioner, sentences


def _config(recipe: CaptionerRecipe, words: int, longest: int) -> Gpt2Config:
    """A language model from nothing, with room for the longest caption and a few words more."""
    own = recipe.language_model
    return Gpt2Config(
        vocab_size=words,
        n_positions=recipe.mapper.prefix_length + max(longest, ROOM),
        n_embd=own.width,
        n_layer=own.layers,
        n_head=own.heads,
    )


def started(name: str, ground: Ground, start: str) -> Captioner:
    """A captioner that has learnt something, to learn more; under a new name."""
    encoder = ground.encoder
    found = captioning.load(
        start, device=str(ground.device), captioners=ground.library.captioners_folder
    )
    found.check(encoder.name, encoder.identity, encoder.dim)
    foreign = {spoken(each) for each in ground.languages} - set(found.languages)
    if foreign:
        raise UsageError(
            f"{start} writes {', '.join(found.languages)} and cannot be taught "
            f"{', '.join(sorted(foreign))}; choose with --language, or train one from nothing"
        )
    found.name = name
    found.trained_on = replace(
        found.trained_on, encoders=(encoder.name,), identity=encoder.identity
    )
    return found


def kept(recipe: CaptionerRecipe, captioner: Captioner, base: str) -> CaptionerRecipe:
    """The recipe of what goes on from a captioner: its shape is what the captioner has."""
    mapper, model = captioner.model.mapper_config, captioner.model.language_model.config
    return replace(
        recipe,
        mapper=Mapper(
            mapper.kind, mapper.prefix_length, mapper.clip_length, mapper.layers, mapper.heads
        ),
        language_model=LanguageModel(
            source=base,
            width=model.n_embd,
            layers=model.n_layer,
            heads=model.n_head,
            dropout=model.dropout,
            is_frozen=recipe.language_model.is_frozen,
        ),
    )
