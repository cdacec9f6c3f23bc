"""Captioners side by side: what stands next to what, what is marked, what fits 80 letters."""

import json

from imgsearch.display.caption_scores import caption_scores_json, caption_scores_table
from imgsearch.evaluating import CaptionScores
from test_measurement_tables import rendered

ONE = CaptionScores(
    *("builtin/1", "builtin/2", "en", 1000),
    *((0.6123, 0.4, 0.25, 0.121), 0.45, 1.31, 1000, 9.44),
)
OTHER = CaptionScores(
    *("holidays-v2", "builtin/2", "en", 1000),
    *((0.7, 0.4, 0.2, 0.1), 0.5, 0.312, 12, 8.0),
)
CHINESE = CaptionScores(
    *("builtin/1", "builtin/2", "zh_translated", 7), *((0.0,) * 4, 0.0, 0.0, 1, 0.0)
)


def test_scores_are_printed_as_the_papers_print_them() -> None:
    assert rendered(caption_scores_table([ONE, CHINESE, OTHER])) == [
        "captions, en: 1,000 photos",
        "captioner   BLEU-1 BLEU-2 BLEU-3 BLEU-4 ROUGE-L CIDEr distinct words",
        "builtin/1     61.2   40.0   25.0   12.1    45.0 131.0    1,000   9.4",
        "holidays-v2   70.0   40.0   20.0   10.0    50.0  31.2       12   8.0",
        "",
        "captions, zh_translated by character: 7 photos",
        "captioner BLEU-1 BLEU-2 BLEU-3 BLEU-4 ROUGE-L CIDEr distinct words",
        "builtin/1    0.0    0.0    0.0    0.0     0.0   0.0        1   0.0",
    ]


def test_the_best_of_a_column_is_marked_where_there_is_something_to_choose() -> None:
    marked = rendered(caption_scores_table([ONE, OTHER]), marked=True)
    assert [line.split()[1:7] for line in marked[2:]] == [
        ["61.2", "40.0", "<b>25.0", "<b>12.1", "45.0", "<b>131.0"],
        ["<b>70.0", "40.0", "20.0", "10.0", "<b>50.0", "31.2"],
    ]
    assert "<b>" not in "".join(rendered(caption_scores_table([ONE]), marked=True))


def test_json_has_the_scores_as_they_are() -> None:
    assert json.loads(caption_scores_json(ONE)) == {
        "captioner": "builtin/1",
        "encoder": "builtin/2",
        "language": "en",
        "photos": 1000,
        "bleu": [0.6123, 0.4, 0.25, 0.121],
        "rouge_l": 0.45,
        "cider": 1.31,
        "distinct": 1000,
        "length": 9.44,
    }
