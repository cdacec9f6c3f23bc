"""The card of a fine-tuned encoder: every number on it is one that went in."""

from dataclasses import fields, replace

import pytest

from imgsearch.evaluating import Measurement
from imgsearch.training.events import Evaluated
from imgsearch.training.model_card import Card, PairsOnCard, model_card, recipe_rows
from imgsearch.training.recipe import Objective, Rates, Recipe, Stage

RECALL = ("recall@1", "recall@5", "recall@10", "mean_recall")


def retrieval(language: str, share: float) -> Measurement:
    metrics = {
        f"{way}_{name}": share + 0.1 * place + 0.01 * (way == "image_to_text")
        for way in ("text_to_image", "image_to_text")
        for place, name in enumerate(RECALL)
    }
    return Measurement("flowers", "retrieval", language, "raw", 80, 400, metrics)


def zero_shot(top_1: float) -> Measurement:
    metrics = {"top_1": top_1, "top_5": 0.75, "mean_per_class_top_1": top_1, "search_map": 0.5}
    return Measurement("flowers", "zero-shot", "en", "auto", 60, 6, metrics)


BEFORE = Evaluated(0, 0, (retrieval("en", 0.1), retrieval("zh", 0.2)), (zero_shot(0.5),), 3, None)
AFTER = Evaluated(
    9, 1152, (retrieval("en", 0.15), retrieval("zh", 0.19)), (zero_shot(0.48),), 2, None
)
CARD = Card(
    name="flowers-v1",
    base="builtin/1",
    architecture="ResNet-10 and a causal transformer, 7.70 M parameters",
    languages=("en", "zh"),
    pairs=(
        PairsOnCard("learnt from", 1200, {"en": 6000, "zh": 1200}, ("flowers", "more.csv"), 3),
        PairsOnCard("validation", 80, {"en": 400, "zh": 80}),
    ),
    recipe=Recipe(rates=Rates(every=2e-4), stages=(Stage(64, 1152),)),
    before=BEFORE,
    after=AFTER,
    reasons=(),
    loading='import open_clip\nmodel = open_clip.create_model("local-dir:FOLDER")',
)


def cells(card: Card, first: str) -> list[str]:
    """The first row of the card that begins so."""
    line = next(each for each in model_card(card).splitlines() if each.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_before_after_and_the_difference_in_points() -> None:
    before = ["10.0%", "20.0%", "30.0%", "40.0%", "11.0%", "21.0%", "31.0%", "41.0%"]
    assert cells(CARD, "en, 400 texts, before") == before
    assert cells(CARD, "en, 400 texts, after")[:2] == ["15.0%", "25.0%"]
    assert cells(CARD, "en, points") == ["+5.0"] * 8
    assert cells(CARD, "zh, points") == ["-1.0"] * 8
    assert cells(CARD, "validation, 80 photos")[0] == "text to image R@1"


def test_classes_have_their_own_table() -> None:
    guard = model_card(CARD).split("| guard, 60 photos |")[1]
    assert "| en, 6 classes, before | 50.0% | 75.0% | 50.0% |" in guard
    assert "| en, points | -2.0 | +0.0 | +0.0 |" in guard


def test_what_was_learnt_from_is_counted() -> None:
    assert cells(CARD, "learnt from") == ["1,200", "6,000 en, 1,200 zh", "3", "flowers, more.csv"]
    assert cells(CARD, "validation") == ["80", "400 en, 80 zh", "0", ""]
    assert cells(CARD, "started from") == ["builtin/1"]


def test_whether_it_is_proposed_is_said_first_and_why_not() -> None:
    assert "**Proposed**" in model_card(CARD).split("##")[0]
    refused = replace(CARD, reasons=("it is no better: 12% after", "it forgot the guard"))
    opening = model_card(refused).split("##")[0]
    assert "**Not proposed**: it is no better: 12% after; it forgot the guard." in opening


def test_every_field_that_had_a_say_is_on_the_card() -> None:
    objective = Objective("soft", 0.5, normalize_embeddings=True)
    recipe = replace(
        CARD.recipe,
        micro_batch=16,
        batches={"pairs": 96, "classes": 32},
        head_decay=0.2,
        objective=objective,
        stages=(Stage(32, 2000), Stage(64, 1000)),
        rates=Rates(every=1e-4, heads=1e-3),
    )
    rows = dict(recipe_rows(recipe))
    of_schedules = ("decay", "plateau_patience", "plateau_factor")
    for field in fields(Recipe):
        if field.name not in ("objective", "rates", "variation", *of_schedules):
            assert field.name.replace("_", " ") in rows
    assert rows["loss"] == "soft" and rows["temperature"] == "0.5"
    assert rows["normalize embeddings"] == "yes" and rows["detach targets"] == "no"
    assert rows["stages"] == "2,000 photos at 32 px, then 1,000 photos at 64 px"
    assert rows["batches"] == "pairs 96, classes 32"
    rates = [rows[f"rate, {part}"] for part in ("image", "text", "heads")]
    assert rates == ["0.0001", "0.0001", "0.001"]
    assert rows["variation, smallest crop"] == "0.6"
    assert len(rows) == len(list(recipe_rows(recipe))), "no title twice"


def test_what_had_no_say_is_not_on_the_card() -> None:
    cosine, linear, plateau = (
        dict(recipe_rows(replace(CARD.recipe, schedule=each)))
        for each in ("cosine", "linear", "plateau")
    )
    assert "temperature" not in cosine and "decay" not in cosine
    assert linear["decay"] == "0.4 of the run" and "plateau factor" not in linear
    assert plateau["plateau factor"] == "0.8" and "decay" not in plateau


def test_what_was_not_measured_is_said() -> None:
    bare = replace(CARD, before=Evaluated(0, 0, (), (), None, None))
    assert "Nothing was held out to measure it on." in model_card(bare)
    unguarded = replace(CARD, before=replace(BEFORE, guard=()), after=replace(AFTER, guard=()))
    text = model_card(unguarded)
    assert "There were no guard pairs" in text
    assert "kept what the guard pairs show" not in text
    assert "looks a little better" in text
    assert "looks a little better" not in model_card(
        replace(CARD, recipe=replace(CARD.recipe, keep="last"))
    )


def test_it_says_how_to_load_it_with_both_packages() -> None:
    use = model_card(CARD).split("## Use")[1]
    assert "--encoder FOLDER" in use
    assert '    import open_clip\n    model = open_clip.create_model("local-dir:FOLDER")\n' in use


@pytest.mark.parametrize("name", ["a|b.csv", "a\nb.csv"])
def test_a_file_name_cannot_break_a_table(name: str) -> None:
    pairs = (PairsOnCard("learnt from", 5, {"en": 5}, (name,)),)
    lines = model_card(replace(CARD, pairs=pairs)).splitlines()
    [line] = [each for each in lines if each.startswith("| learnt from |")]
    assert line.replace(r"\|", "").count("|") == 6 and line.endswith("csv |")


def test_the_same_run_writes_the_same_card() -> None:
    assert model_card(CARD) == model_card(replace(CARD))
    assert model_card(CARD).startswith("# flowers-v1\n\n")
    assert model_card(CARD).endswith("\n") and not model_card(CARD).endswith("\n\n")
