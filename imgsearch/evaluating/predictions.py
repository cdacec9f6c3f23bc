"""Predictions as files that Chinese-CLIP's evaluation reads, with the right answers beside them.

In: a `Truth` and what was ranked for it; or captions. Out, in one folder, a JSON object a line:

    LANGUAGE_texts.jsonl                   {"text_id": 7, "text": "...", "image_ids": [3]}
    LANGUAGE_texts.tr.jsonl                {"image_id": 3, "text_ids": [7, 8]}
    LANGUAGE_PROMPT_predictions.jsonl      {"text_id": 7, "image_ids": [ten ids, best first]}
    LANGUAGE_PROMPT_tr_predictions.jsonl   {"image_id": 3, "text_ids": [ten ids, best first]}
    LANGUAGE_captions.jsonl                {"image_id": 3, "caption": "...", "references": [...]}

`evaluation.py` scores the third against the first, `evaluation_tr.py` the fourth against the
second, and `score_predictions` either. The answers are always written, so that a folder is complete
wherever the pairs came from. Ids are those of the pairs; where these have none, an image_id is the
photo's place in the set and a text_id the sentence's among those of its language, from 0.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.evaluating.ranking import Ranking
from imgsearch.evaluating.scoring import PREDICTED
from imgsearch.evaluating.truth import Truth
from imgsearch.pairs import CaptionedPhotos


def check_predictable(truth: Truth) -> None:
    """Raises UsageError where there are not ten photos and ten texts to predict from."""
    for count, what in ((len(truth.photo_ids), "photos"), (len(truth.texts), "texts")):
        if count < PREDICTED:
            raise UsageError(
                f"there are {count} {what} in {truth.language!r}, and predictions are "
                f"{PREDICTED} a query: give a larger set, or leave --predictions out"
            )


def write_truth(truth: Truth, folder: Path) -> None:
    """The right answers of a language, in both directions. Makes the folder. Raises UsageError."""
    name = _file_name(truth.language)
    rows = zip(truth.text_ids, truth.texts, truth.photos, strict=True)
    _write(
        folder / f"{name}_texts.jsonl",
        (
            {"text_id": text_id, "text": text, "image_ids": _ids(truth.photo_ids, photos)}
            for text_id, text, photos in rows
        ),
    )
    _write(
        folder / f"{name}_texts.tr.jsonl",
        (
            {"image_id": truth.photo_ids[photo], "text_ids": _ids(truth.text_ids, texts)}
            for photo, texts in truth.described.items()
        ),
    )


def write_predictions(
    truth: Truth, to_image: Ranking, to_text: Ranking, prompt: str, folder: Path
) -> None:
    """The ten best photos of each text, and the ten best texts of each photo that has one.

    `to_image.top` is (texts, 10), `to_text.top` is (described photos, 10). Raises UsageError.
    """
    name = f"{_file_name(truth.language)}_{prompt}"
    _write(
        folder / f"{name}_predictions.jsonl",
        (
            {"text_id": text_id, "image_ids": _ids(truth.photo_ids, top)}
            for text_id, top in zip(truth.text_ids, to_image.top.tolist(), strict=True)
        ),
    )
    _write(
        folder / f"{name}_tr_predictions.jsonl",
        (
            {"image_id": truth.photo_ids[photo], "text_ids": _ids(truth.text_ids, top)}
            for photo, top in zip(truth.described, to_text.top.tolist(), strict=True)
        ),
    )


def write_captions(
    pairs: CaptionedPhotos, language: str, captions: Mapping[int, str], folder: Path
) -> None:
    """What a captioner said of photos, by their places in the set, beside what people said.

    Makes the folder. Raises UsageError.
    """
    _write(
        folder / f"{_file_name(language)}_captions.jsonl",
        (
            {
                "image_id": pairs.ids.photos[photo] if pairs.ids else photo,
                "path": str(picture) if isinstance(picture, Path) else None,
                "language": language,
                "caption": caption,
                "references": list(pairs.captions[photo][language]),
            }
            for photo, caption in captions.items()
            for picture in [pairs.pictures[photo]]
        ),
    )


def _ids(ids: Sequence[int], places: Iterable[int]) -> list[int]:
    return [ids[place] for place in places]


def _file_name(language: str) -> str:
    """The name of a set of sentences is whatever its file says: it leads to no other folder."""
    return re.sub(r"[^\w-]", "-", language)


def _write(path: Path, rows: Iterable[dict[str, object]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What is no text becomes the \udXXX that JSON reads back.
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; give --predictions another folder"
        ) from error
