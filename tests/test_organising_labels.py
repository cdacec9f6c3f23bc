"""Zero-shot labels: probabilities worked out by hand, runs that go on, a person's labels kept."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import imgsearch
from conftest import ColourEncoder, draw
from imgsearch.catalog import GivenLabel
from imgsearch.errors import NoEncoderError, QueryError, UsageError
from imgsearch.library import Library
from imgsearch.organising import (
    Bounds,
    Labelled,
    LabelsBegan,
    LabelsFinished,
    LabelText,
    add_label,
    drop_label,
    label,
    labelled,
    parse_labels,
    preview_labels,
    remove_label,
)
from imgsearch.organising.confidences import LEAST_SPREAD, Ground, confidences

COLOURS = parse_labels(["red", "green", "blue"])


def opened(tmp_path: Path, photos: Path, encoder: ColourEncoder) -> Library:
    library = imgsearch.open_library(tmp_path / "library")
    list(imgsearch.index(library, photos, encoder=encoder))
    return library


def run(library: Library, *lines: str, **options: object) -> LabelsFinished:
    *_, last = label(library, parse_labels(lines), **options)  # type: ignore[arg-type]
    assert isinstance(last, LabelsFinished)
    return last


def names(library: Library) -> dict[str, list[tuple[str, str]]]:
    """File name -> its labels with their sources."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, row in labelled(library):
        found.setdefault(path.stem, []).append((row.name, row.source))
    return found


def test_confidences_are_a_softmax_with_none_as_one_more() -> None:
    ground = Ground(mean=0.2, spread=0.1)
    (found,) = confidences(np.array([[0.5, 0.3]]), ground, sureness=2.0, none_at=1.5)
    # logits: 2 * 3 - log 2 and 2 * 1 - log 2 against 2 * 1.5
    first, second, none = math.exp(6) / 2, math.exp(2) / 2, math.exp(3)
    total = first + second + none
    assert np.allclose(found, [first / total, second / total])


def test_a_longer_list_of_labels_that_fit_as_little_is_no_surer() -> None:
    ground = Ground(mean=0.2, spread=0.1)
    few = confidences(np.full((1, 2), 0.25), ground).sum()
    many = confidences(np.full((1, 50), 0.25), ground).sum()
    assert many == pytest.approx(few)


def test_cosines_of_any_size_give_probabilities() -> None:
    found = confidences(np.array([[1.0, -1.0]]), Ground(0.0, LEAST_SPREAD))
    assert np.allclose(found, [[1, 0]])


def test_the_ground_is_the_mean_and_the_spread_over_words() -> None:
    photos = np.eye(2, dtype=np.float32)
    words = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    ground = Ground.of(photos, words)
    spreads = [np.std([1, 0, 0.6]), np.std([0, 1, 0.8])]
    assert ground.mean == pytest.approx((1 + 0 + 0.6 + 0 + 1 + 0.8) / 6)
    assert ground.spread == pytest.approx(np.median(spreads))
    assert Ground.of(photos, words[2:]).spread == LEAST_SPREAD


def test_a_list_has_a_label_a_line_and_may_say_what_it_looks_like() -> None:
    lines = ["# pets", "", " tabby   cat ", "jaguar = a spotted big cat | a jaguar", "汽车"]
    assert parse_labels(lines) == (
        LabelText("tabby cat", ("tabby cat",)),
        LabelText("jaguar", ("a spotted big cat", "a jaguar")),
        LabelText("汽车", ("汽车",)),
    )
    assert [each.language for each in parse_labels(lines)] == ["en", "en", "zh"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "no label"),
        (["cat", "cat"], "twice"),
        (["cat = a | "], "empty text"),
        (["= a cat"], "1 to 100"),
        (["cat = 猫 | a cat"], "two languages"),
        (["a\x07b"], "1 to 100"),
        (["a|b"], "without"),
        (["a* = red"], "without"),
        (['"a"'], "without"),
        (["\udce9"], "not valid text"),
    ],
)
def test_a_list_that_cannot_be_says_why(lines: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_labels(lines)


def test_each_photo_gets_its_label_and_a_grey_one_none(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    draw(photos / "grey.png", (128, 128, 128))
    with opened(tmp_path, photos, colour_encoder) as library:
        finished = run(library, "red", "green", "蓝")
        assert names(library) == {
            "red": [("red", "zero-shot")],
            "green": [("green", "zero-shot")],
            "blue": [("蓝", "zero-shot")],
        }
        assert (finished.looked_at, finished.none) == (4, 1)
        assert [each.photos for each in finished.labels] == [1, 1, 1]
        ((path, sure),) = finished.labels[0].examples
        assert path.name == "red.png" and sure is not None and 0.5 < sure <= 1
        (row,) = library.catalog.labels([1])[1]
        assert row.encoder == "toy/colour"


def test_texts_say_what_a_label_looks_like(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        run(library, "tomato = red | a red thing", "grass = green")
        assert names(library) == {
            "red": [("tomato", "zero-shot")],
            "green": [("grass", "zero-shot")],
        }


def test_the_same_call_looks_at_photos_that_came_since_alone(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        assert run(library, "red", "green", "blue").looked_at == 3
        assert run(library, "red", "green", "blue").looked_at == 0
        draw(photos / "dark-red.png", (120, 0, 0))
        list(imgsearch.index(library, photos))
        began = next(label(library, COLOURS))
        assert isinstance(began, LabelsBegan)
        assert (began.photos, began.up_to_date) == (1, 3)
        finished = run(library, "red", "green", "blue")
        assert finished.looked_at == 1 and finished.labels[0].photos == 2
        assert run(library, "red", "green", "blue", relabel=True).looked_at == 4


def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path,
    photos: Path,
    colour_encoder: ColourEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imgsearch.organising.labelling.BATCH", 2)
    with opened(tmp_path, photos, colour_encoder) as library:
        events = label(library, COLOURS)
        first = [next(events), next(events)][1]
        assert isinstance(first, Labelled) and first.photos == 2
        events.close()  # type: ignore[attr-defined]
        assert sum(len(rows) for rows in names(library).values()) == 2
        assert run(library, "red", "green", "blue").looked_at == 1
        assert len(names(library)) == 3
        last = library.catalog.last_run()
        assert last is not None and last.verb == "label"


def test_a_label_asked_for_otherwise_is_given_anew_and_others_are_left(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        run(library, "red", "green")
        run(library, "red = blue")
        assert names(library) == {
            "blue": [("red", "zero-shot")],
            "green": [("green", "zero-shot")],
        }
        # The first list is about a label that another call gave since: it starts anew.
        assert run(library, "red", "green").looked_at == 3
        assert names(library)["red"] == [("red", "zero-shot")]


def test_a_persons_labels_are_never_touched_by_a_run(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        assert add_label(library, " red ", [1, 2, 3]) == 3
        assert add_label(library, "red", [1]) == 0
        run(library, "red")
        by_people = [name for name, rows in names(library).items() if ("red", "user") in rows]
        assert sorted(by_people) == ["blue", "green", "red"]
        assert len(names(library)["red"]) == 2
        (tally,) = library.catalog.label_tallies()
        assert (tally.photos, tally.by_people, tally.by_encoders) == (3, 3, 1)
        assert remove_label(library, "red", [1, 2, 3]) == 3
        assert names(library) == {}
        drop_label(library, "red")
        assert library.catalog.label_tallies() == []
        for change in (lambda: remove_label(library, "red", [1]), lambda: drop_label(library, "x")):
            with pytest.raises(UsageError, match="has no label"):
                change()


def test_what_a_person_took_from_a_photo_no_run_gives_it_again(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    draw(photos / "tomato.png", (250, 10, 10))
    with opened(tmp_path, photos, colour_encoder) as library:
        run(library, "red", "green")
        (tomato,) = library.catalog.live_photo_ids(photos / "tomato.png").tolist()
        assert remove_label(library, " red ", [tomato, 2]) == 1
        assert library.catalog.labels_refused(["red", "green"]) == {"red": {tomato}}
        *_, previewed = preview_labels(library, COLOURS[:2], bounds=Bounds(2, 0))
        finished = run(library, "red", "green", relabel=True)
        assert (finished.none, finished.labels[0].given) == (2, 1)
        assert isinstance(previewed, LabelsFinished)
        assert [told.photos for told in previewed.labels] == [3, 4]
        assert "tomato" not in names(library)
        draw(photos / "tomato.png", (240, 10, 10))
        list(imgsearch.index(library, photos))
        run(library, "red", "green")
        assert "tomato" not in names(library)  # an edited photo is refused what it was before
        (tomato,) = library.catalog.live_photo_ids(photos / "tomato.png").tolist()
        add_label(library, "red", [tomato])
        run(library, "red", "green", relabel=True)
        assert names(library)["tomato"] == [("red", "user"), ("red", "zero-shot")]
        drop_label(library, "red ")
        run(library, "red")
        assert names(library)["tomato"] == [("red", "zero-shot")]


def test_a_photo_that_is_not_there_gets_no_label(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        with pytest.raises(QueryError, match="no photo 99 to label 'mine'"):
            add_label(library, "mine", [1, 99])
        assert library.catalog.label_tallies() == []


def test_an_edited_photo_keeps_a_persons_labels_alone(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        (photo_id,) = library.catalog.live_photo_ids(photos / "red.png").tolist()
        add_label(library, "mine", [photo_id])
        run(library, "red")
        draw(photos / "red.png", (0, 0, 250), (40, 40))
        list(imgsearch.index(library, photos))
        assert names(library)["red"] == [("mine", "user")]


def test_top_and_least_confidence_bound_what_is_given(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    draw(photos / "yellow.png", (255, 255, 0))
    with opened(tmp_path, photos, colour_encoder) as library:
        run(library, "red", "green", bounds=Bounds(top=2, min_confidence=0.01))
        both = library.catalog.labels([4])[4]
        assert sorted(row.name for row in both) == ["green", "red"]
        assert (both[0].confidence or 0) >= (both[1].confidence or 0) >= 0.01
        run(library, "red", "green", bounds=Bounds(top=1, min_confidence=0.01))
        assert library.catalog.labels([4])[4][0][:4] == both[0][:4]
        run(library, "red", "green", bounds=Bounds(top=2, min_confidence=1))
        assert "yellow" not in names(library)
        for bounds in (Bounds(top=0), Bounds(min_confidence=1.5)):
            with pytest.raises(UsageError, match="at least one label"):
                run(library, "red", bounds=bounds)


def test_only_bounds_the_photos_and_leaves_the_others_to_come(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        only = library.catalog.live_photo_ids(photos / "red.png")
        assert run(library, "red", "green", bounds=Bounds(only=only)).looked_at == 1
        assert list(names(library)) == ["red"]
        assert run(library, "red", "green").looked_at == 3


def test_a_label_that_is_too_long_is_refused_as_a_search_is_and_nothing_is_kept_of_it(
    tmp_path: Path, photos: Path
) -> None:
    class ShortEncoder(ColourEncoder):
        def embed_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
            if any(len(text) > 60 for text in texts):
                raise QueryError("the text is too long")
            return super().embed_texts(texts)

        def shorten(self, text: str) -> str:
            return text[:60]

    long = "a red square, and " * 4 + "a red square"
    with opened(tmp_path, photos, ShortEncoder()) as library:
        for ask in (
            lambda: list(preview_labels(library, parse_labels([f"red = {long}"]))),
            lambda: imgsearch.search(library, long),
        ):
            with pytest.raises(QueryError, match="too long"):
                ask()


def test_a_preview_tells_the_same_and_keeps_nothing(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with opened(tmp_path, photos, colour_encoder) as library:
        *_, previewed = preview_labels(library, COLOURS)
        assert library.catalog.label_tallies() == []
        finished = run(library, "red", "green", "blue")
        assert isinstance(previewed, LabelsFinished)
        assert previewed.labels == finished.labels


def test_labels_of_a_language_nobody_knows_name_the_command_that_helps(
    tmp_path: Path, photos: Path
) -> None:
    with (
        opened(tmp_path, photos, ColourEncoder(languages=("en",))) as library,
        pytest.raises(NoEncoderError, match="imgsearch index"),
    ):
        run(library, "red", "蓝")
    with (
        imgsearch.open_library(tmp_path / "empty") as library,
        pytest.raises(UsageError, match="no photos yet"),
    ):
        run(library, "red")


def test_two_encoders_tell_apart_the_labels_of_their_languages(
    tmp_path: Path, photos: Path
) -> None:
    english = ColourEncoder("toy/english", ("en",))
    chinese = ColourEncoder("toy/chinese", ("zh",))
    with opened(tmp_path, photos, english) as library:
        list(imgsearch.index(library, photos, encoder=chinese))
        library.keep_encoder(english)
        run(library, "red", "红")
        givers = [(row.name, row.encoder) for row in library.catalog.labels([3])[3]]
        assert sorted(givers) == [("red", "toy/english"), ("红", "toy/chinese")]


def test_many_photos_and_labels_are_replaced_at_once(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    many = [f"label {number}" for number in range(1200)]
    with opened(tmp_path, photos, colour_encoder) as library, library.catalog.write() as writer:
        writer.begin_labels(many, "recipe", 0)
        given = [GivenLabel(1, name, 0.5) for name in many]
        for _ in range(2):
            writer.put_zero_shot_labels("recipe", [1, *range(1000, 3000)], given, "toy/colour")
    with imgsearch.open_library(tmp_path / "library") as library:
        assert len(library.catalog.labels([1])[1]) == 1200
