"""What a person should know of a captioner before believing it, as Markdown.

In: what went in, the recipe as it was carried out, what was measured. Out: the text of
MODEL_CARD.md. Everything on it is counted or measured, and it bears no date and no path of the
machine: the same run writes the same card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass

from imgsearch.captioning import Captioner
from imgsearch.evaluating import CaptionScores
from imgsearch.training.captioner.events import Finished
from imgsearch.training.captioner.recipe import SMALL, CaptionerRecipe
from imgsearch.training.markdown import in_words, indented, inline, table
from imgsearch.training.model_card import PairsOnCard, pairs_table

SCORES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr", "different", "words")
UNITS = {
    "learning rate": "at its highest",
    "warmup": "steps",
    "evaluations": "an epoch",
    "noise": "of an embedding's length, on average",
    "mix": "of another photo's embedding, at most",
    "batch size": "captions a step",
    "longest gradient": "(0: no limit)",
}
UNUSED_BY_MLP = ("mapper, clip length", "mapper, layers", "mapper, heads")
OF_SMALL = ("language model, width", "language model, layers", "language model, heads")


@dataclass(frozen=True)
class Card:
    """All that the card tells; the recipe is resolved, `start` what the weights came from."""

    finished: Finished
    captioner: Captioner
    start: str
    pairs: tuple[PairsOnCard, ...]
    recipe: CaptionerRecipe


def model_card(card: Card) -> str:
    """The card as Markdown, with a line end at the end."""
    captioner, finished = card.captioner, card.finished
    trained_on = captioner.trained_on
    parameters = sum(each.numel() for each in captioner.model.parameters())
    facts = {
        "reads embeddings of": f"{' or '.join(trained_on.encoders)}, {trained_on.dim} dimensions",
        "identity of that encoder": trained_on.identity or "unknown",
        "writes": ", ".join(captioner.languages),
        "started from": card.start,
        "parameters": f"{parameters:,}",
        "words": f"{captioner.tokenizer.size:,}",
    }
    if finished.kept is not None:
        facts["captions seen"] = f"{finished.kept.captions:,}"
    if finished.unreadable:
        facts["photos left out"] = f"{len(finished.unreadable):,}, which could not be decoded"
    parts = [
        f"# {inline(finished.name)}",
        "A captioner: it writes a sentence about a photo from the photo's embedding alone "
        "(ClipCap; Mokady, Hertz and Bermano 2021).",
        table(list(facts.items())),
        "## Data",
        pairs_table(card.pairs),
        "## Recipe",
        table(list(recipe_rows(card.recipe))),
        "## Quality",
        *_quality(finished, card.recipe),
        "## Limits",
        "It has seen what the captions above tell of and nothing else: of other photos it says the "
        "nearest thing it knows, in the same confident voice. It counts badly, reads no text in a "
        "picture and knows nobody's name. It is of no use on embeddings of another encoder.",
        "## Use",
        "With imgsearch, FOLDER being the one this card is in:",
        indented("imgsearch caption --captioner FOLDER"),
    ]
    return "\n\n".join(parts) + "\n"


def recipe_rows(recipe: CaptionerRecipe) -> Iterator[tuple[str, str]]:
    """The fields of the recipe in words, with their values: all that had a say in this run."""
    unused: set[str] = set()
    if recipe.mapper.kind in ("mlp", "linear"):
        unused |= set(UNUSED_BY_MLP)
    if recipe.mapper.kind == "bert":
        unused.add("mapper, clip length")
    if recipe.language_model.source != SMALL:
        unused |= set(OF_SMALL)
    if not recipe.views:
        unused.add("smallest crop")
    for title, value in _rows_of(recipe, ""):
        if title not in unused:
            yield title, f"{value} {UNITS[title]}" if title in UNITS else value


def _rows_of(value: object, prefix: str) -> Iterator[tuple[str, str]]:
    assert is_dataclass(value)
    for field in fields(value):
        found = getattr(value, field.name)
        title = f"{prefix}{field.name.replace('_', ' ')}"
        if is_dataclass(found):
            yield from _rows_of(found, f"{title}, ")
        elif found is not None and found != ():
            several = found if isinstance(found, tuple) else (found,)
            yield title, ", ".join(in_words(each) for each in several)


def _quality(finished: Finished, recipe: CaptionerRecipe) -> Iterator[str]:
    if not finished.scores:
        yield "Nothing was held out to measure it on."
        return
    photos = finished.scores[0].photos
    yield (
        f"On {photos:,} validation photos, x100, one beam-search caption each against all "
        "sentences of its own language, as coco-caption scores them; words of Chinese are "
        "characters. `different` is how many different captions there are, `words` how long they "
        "are on average."
    )
    yield scores_table(finished.scores)
    if finished.kept is not None:
        losses = ", ".join(f"{loss:.3f} {name}" for name, loss in finished.kept.losses.items())
        yield f"Loss on the validation captions, in nats a token: {losses}."
    if recipe.keep == "best":
        yield (
            "It is the state whose greedy captions had the best CIDEr on these photos: being "
            "chosen by them, it looks a little better on them than on others."
        )


def scores_table(scores: Sequence[CaptionScores]) -> str:
    """A row a language."""
    rows = []
    for each in scores:
        shares = [f"{100 * value:.1f}" for value in (*each.bleu, each.rouge_l, each.cider)]
        rows.append((each.language, *shares, f"{each.distinct:,}", f"{each.length:.1f}"))
    return table(rows, ("captions", *SCORES))
