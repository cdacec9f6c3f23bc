"""What a person should know of a fine-tuned encoder before using it, as Markdown.

In: what went in, the recipe as it was carried out, what was measured before and after. Out: the
text of MODEL_CARD.md. Everything on it is counted or measured, and it bears no date and no path of
the machine: the same run writes the same card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal

from imgsearch.evaluating import Measurement
from imgsearch.training.events import Evaluated
from imgsearch.training.markdown import in_words, indented, inline, table
from imgsearch.training.recipe import Rates, Recipe, Stage

Role = Literal["learnt from", "validation", "guard"]

RECALL = {
    "text_to_image_recall@1": "text to image R@1",
    "text_to_image_recall@5": "R@5",
    "text_to_image_recall@10": "R@10",
    "text_to_image_mean_recall": "mean",
    "image_to_text_recall@1": "image to text R@1",
    "image_to_text_recall@5": "R@5",
    "image_to_text_recall@10": "R@10",
    "image_to_text_mean_recall": "mean",
}
ZERO_SHOT = {
    "top_1": "top-1",
    "top_5": "top-5",
    "search_map": "mAP of searching for each class by name",
}
SOFT_ONLY = ("temperature", "target temperature", "normalize embeddings", "detach targets")
SCHEDULE_ONLY = {"linear": ("decay",), "plateau": ("plateau patience", "plateau factor")}
UNITS = {
    **dict.fromkeys(("warmup", "decay", "image locked"), "of the run"),
    "evaluations": "an epoch",
    "largest guard loss": "of mean recall",
}


@dataclass(frozen=True)
class PairsOnCard:
    """Pairs as the card counts them: `texts` by language; `unpaired` photos and texts were without
    the other half and left out; `names` of the files and folders they came from.
    """

    role: Role
    photos: int
    texts: Mapping[str, int]
    names: tuple[str, ...] = ()
    unpaired: int = 0


@dataclass(frozen=True)
class Card:
    """All that the card tells. `loading` is Python for the package that made the base encoder; the
    recipe is resolved; `reasons` say why the encoder is not proposed, none where it is.
    """

    name: str
    base: str
    architecture: str
    languages: tuple[str, ...]
    pairs: tuple[PairsOnCard, ...]
    recipe: Recipe
    before: Evaluated
    after: Evaluated
    reasons: tuple[str, ...]
    loading: str


def model_card(card: Card) -> str:
    """The card as Markdown, with a line end at the end."""
    facts = {
        "started from": card.base,
        "architecture": card.architecture,
        "languages": ", ".join(card.languages),
        "photos seen": f"{card.after.photos:,}",
    }
    parts = [
        f"# {inline(card.name)}",
        _verdict(card),
        table(list(facts.items())),
        "## Data",
        pairs_table(card.pairs),
        "## Recipe",
        table(list(recipe_rows(card.recipe))),
        "## Quality",
        *_quality(card),
        "## Use",
        "With imgsearch, FOLDER being the one this card is in:",
        indented(
            "imgsearch index PHOTOS --encoder FOLDER\n"
            "imgsearch rebuild --encoder FOLDER      (in a library that has photos)"
        ),
        "With the package that made the encoder it started from:",
        indented(card.loading.strip("\n")),
    ]
    return "\n\n".join(parts) + "\n"


def recipe_rows(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """The fields of the recipe in words, with their values: all that had a say in this run."""
    unused = set(SOFT_ONLY) if not recipe.objective.loss.startswith("soft") else set()
    for schedule, own in SCHEDULE_ONLY.items():
        if recipe.schedule != schedule:
            unused |= set(own)
    for title, value in _rows_of(recipe, ""):
        if title not in unused:
            yield title, f"{value} {UNITS[title]}" if title in UNITS else value


def _rows_of(value: object, prefix: str) -> Iterator[tuple[str, str]]:
    assert is_dataclass(value)
    for field in fields(value):
        found = getattr(value, field.name)
        title = f"{prefix}{field.name.replace('_', ' ')}"
        if isinstance(found, Rates) and found.every is not None:
            yield from ((f"rate, {part}", f"{rate:g}") for part, rate in found.of_parts.items())
        elif is_dataclass(found):
            yield from _rows_of(found, f"{title}, " if field.name != "objective" else "")
        elif found is not None and found != () and found != {}:
            yield title, _in_words(found)


def _in_words(value: object) -> str:
    if isinstance(value, Stage):
        return f"{value.photos:,} photos at {value.size} px"
    if isinstance(value, tuple):
        return ", then ".join(_in_words(each) for each in value)
    return in_words(value)


def _verdict(card: Card) -> str:
    if card.reasons:
        because = "; ".join(inline(each) for each in card.reasons)
        return f"An encoder of photos and text. **Not proposed**: {because}."
    kept = " and kept what the guard pairs show" if card.after.guard else ""
    return (
        "An encoder of photos and text. **Proposed** in place of the one it started from: it "
        f"measured better on the validation pairs{kept}."
    )


def pairs_table(pairs: Sequence[PairsOnCard]) -> str:
    """What went in, a row a set."""
    rows = []
    for each in pairs:
        texts = ", ".join(f"{count:,} {language}" for language, count in each.texts.items())
        names = ", ".join(each.names)
        rows.append((each.role, f"{each.photos:,}", texts, f"{each.unpaired:,}", names))
    return table(rows, ("", "photos", "texts", "without their other half", "from"))


def _quality(card: Card) -> Iterator[str]:
    sets = (
        ("validation", card.before.validation, card.after.validation),
        ("guard", card.before.guard, card.after.guard),
    )
    measured = [row for _, rows, _ in sets for row in rows]
    if not measured:
        yield "Nothing was held out to measure it on."
        return
    if any(row.task == "retrieval" for row in measured):
        yield (
            "Recall: every text is a query, all photos of the set are the gallery; the other way "
            "round a photo is right when any of its texts is among the first k. The mean is of "
            "recall at 1, 5 and 10."
        )
    if any(row.task == "zero-shot" for row in measured):
        yield "Zero-shot: the class names are the choices, each ensembled over its prompts."
    if card.recipe.keep == "best" and card.before.validation:
        yield (
            f"After is the state that did best on the validation pairs, at {card.after.photos:,} "
            "photos: being chosen by them, it looks a little better on them than on others."
        )
    for title, before, after in sets:
        if before:
            yield _before_and_after(title, before, after)
    if not card.before.guard:
        yield "There were no guard pairs: what it forgot of other photos was not measured."


def _before_and_after(
    title: str, before: Sequence[Measurement], after: Sequence[Measurement]
) -> str:
    metrics = RECALL if "text_to_image_recall@1" in before[0].metrics else ZERO_SHOT
    rows = []
    later = {each.language: each for each in after}
    for old in before:
        new = later[old.language]
        asked = f"{old.language}, {old.texts:,} {'texts' if metrics is RECALL else 'classes'}"
        for when, measured in (("before", old), ("after", new)):
            shares = [f"{measured.metrics[each]:.1%}" for each in metrics]
            rows.append((f"{asked}, {when}", *shares))
        points = [f"{100 * (new.metrics[each] - old.metrics[each]):+.1f}" for each in metrics]
        rows.append((f"{old.language}, points", *points))
    return table(rows, (f"{title}, {before[0].photos:,} photos", *metrics.values()))
