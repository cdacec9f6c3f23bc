"""Measurements side by side: what stands next to what, what is marked, what fits 80 letters."""

import re

import pytest
from rich.console import Console, RenderableType

from imgsearch.display.measurements import measurements_table, score_table
from imgsearch.evaluating import Measurement, Score
from imgsearch.prompts import Policy

NAME = "open_clip/ViT-B-32/laion2b_s34b_b79k"
RETRIEVAL = [
    f"{way}_{each}"
    for way in ("text_to_image", "image_to_text")
    for each in ("recall@1", "recall@5", "recall@10", "mean_recall", "median_rank", "map")
]
CLASSES = ["top_1", "top_5", "mean_per_class_top_1", "search_map"]


def rendered(result: RenderableType, width: int = 80, marked: bool = False) -> list[str]:
    """The lines as drawn; bold is <b> where it is to be seen."""
    console = Console(
        width=width,
        highlight=False,
        color_system="standard" if marked else None,
        force_terminal=marked,
    )
    with console.capture() as captured:
        console.print(result)
    drawn = captured.get().replace("\x1b[2m", "").replace("\x1b[0m", "")
    drawn = re.sub(r"\x1b\[1m( *)", r"\1<b>", drawn)  # a number's padding is bold as well
    return [line.rstrip() for line in drawn.splitlines()]


def retrieval(
    encoder: str, values: list[float], language: str = "en", prompt: Policy = "auto"
) -> Measurement:
    metrics = dict(zip(RETRIEVAL, values, strict=True))
    return Measurement(encoder, "retrieval", language, prompt, 1000, 5000, metrics)


def classes(encoder: str, values: list[float], prompt: Policy = "auto") -> Measurement:
    metrics = dict(zip(CLASSES, values, strict=True))
    return Measurement(encoder, "zero-shot", "en", prompt, 10_000, 200, metrics)


def test_all_shares_of_a_measurement_and_its_encoder_fit_a_terminal_of_80_letters() -> None:
    row = retrieval(NAME, [0.93, 0.94, 0.95, 0.96, 1234, 1.0, 0.98, 0.99, 1.0, 0.97, 5000, 0.92])
    assert rendered(measurements_table([row])) == [
        "retrieval, en, prompt auto: 1,000 photos, 5,000 texts",
        "text to image                          R@1   R@5   R@10  mean median    mAP",
        f"{NAME} 93.0% 94.0%  95.0% 96.0%  1,234 100.0%",
        "image to text                          R@1   R@5   R@10  mean median    mAP",
        f"{NAME} 98.0% 99.0% 100.0% 97.0%  5,000  92.0%",
    ]


def test_encoders_of_a_language_stand_next_to_one_another_and_the_best_is_marked() -> None:
    one = [0.1, 0.2, 0.4, 0.3, 7.0, 0.5] * 2
    two = [0.3, 0.1, 0.4, 0.2, 1.5, 0.5] * 2
    rows = [
        retrieval("one", one),
        retrieval("one", one, "zh"),
        retrieval("two", two),
        retrieval("two", two, "zh"),
    ]
    lines = rendered(measurements_table(rows), marked=True)
    assert [line.split()[0] for line in lines if line] == [
        *("retrieval,", "text", "one", "two", "image", "one", "two"),
    ] * 2
    assert lines[2].split() == ["one", "10.0%", "<b>20.0%", "40.0%", "<b>30.0%", "7", "50.0%"]
    assert lines[3].split() == ["two", "<b>30.0%", "10.0%", "40.0%", "20.0%", "<b>1.5", "50.0%"]
    assert lines[7] == "", "a blank line between the languages"
    assert "<b>" not in "".join(rendered(measurements_table(rows[:2]), marked=True))


def test_several_prompts_are_a_column_with_the_encoders_of_each_together() -> None:
    policies: list[Policy] = ["raw", "ensemble"]
    rows = [
        classes(name, [value, 0.5, value, 0.25], policy)
        for name, value in (("one", 0.1), ("two", 0.2))
        for policy in policies
    ]
    lines = rendered(measurements_table(rows))
    assert lines[0] == "zero-shot, en: 10,000 photos, 200 texts"
    assert lines[1].split() == ["encoder", "prompt", "top-1", "top-5", "by", "class", "mAP"]
    assert [line.split()[:3] for line in lines[2:]] == [
        ["one", "raw", "10.0%"],
        ["two", "raw", "20.0%"],
        ["one", "ensemble", "10.0%"],
        ["two", "ensemble", "20.0%"],
    ]


@pytest.mark.parametrize("width", [60, 80])
def test_a_long_name_is_folded_and_no_share_is_cut(width: int) -> None:
    values = [0.93, 0.94, 1.0, 0.96, 1234, 1.0] * 2
    rows = [retrieval(NAME, values, prompt=policy) for policy in ("raw", "ensemble")]
    lines = rendered(measurements_table(rows), width)
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= width
    assert "ensemble 93.0% 94.0% 100.0% 96.0%  1,234 100.0%" in "\n".join(lines)


def test_a_score_is_shown_to_two_digits() -> None:
    lines = rendered(score_table(Score("image_to_text", 1014, 75.333333, 56.87, 81.2, 100.0)))
    assert lines[0].split() == ["R@1", "R@5", "R@10", "mean"]
    assert lines[1] == "image to text, 1,014 queries 56.87% 81.20% 100.00% 75.33%"
