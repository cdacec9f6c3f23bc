"""`imgsearch search` as it is typed: what a query means, which hits, in which form."""

import os
from pathlib import Path

import pytest
from PIL import Image

from commands import Run, hits
from imgsearch.library import open_library

pytest_plugins = ["commands"]


def test_a_picture_finds_itself_first(indexed: Run, photos: Path) -> None:
    found = hits(indexed("search", photos / "green.png", "--json"))
    assert [hit["rank"] for hit in found] == [1, 2, 3]
    assert found[0]["path"] == str(photos / "green.png")
    assert found[0]["score"] == pytest.approx(1, abs=1e-5)
    assert found[0]["score"] >= found[1]["score"] >= found[2]["score"]


def test_a_photo_of_the_library_finds_itself_first(indexed: Run) -> None:
    photo_id = hits(indexed("search", "anything", "--all", "--json"))[1]["photo_id"]
    assert hits(indexed("search", f"id:{photo_id}", "--json"))[0]["photo_id"] == photo_id


def test_words_join_with_spaces_and_both_languages_are_answered(indexed: Run) -> None:
    joined = hits(indexed("search", "two", "dogs", "on a beach", "--all", "--json"))
    assert joined == hits(indexed("search", "two dogs on a beach", "--all", "--json"))
    assert len(hits(indexed("search", "一杯咖啡", "--all", "--json"))) == 3


def test_a_word_that_is_the_name_of_a_picture_is_that_picture(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "blue.png").write_bytes((photos / "blue.png").read_bytes())
    assert hits(indexed("search", "blue.png", "--json"))[0]["score"] == pytest.approx(1, abs=1e-5)
    assert hits(indexed("search", "red.png", "--all", "--json"))  # no such file here: words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([os.devnull], "is no file"),
        (["~/" + "x" * 300 + ".jpg"], "cannot be looked at"),
        (["./nowhere.jpg"], "does not exist"),
        (["photos/nowhere.jpg"], "does not exist"),
        (["./photos"], "is a folder"),
        (["photos/red.png", "at", "night"], "other words as well"),
        (["./notes.txt"], "not a picture"),
        ([""], "empty"),
        (["id:99999"], "99999"),
        (["cat", "--k", "0"], "1"),
        (["cat", "--prompt", "loud"], "loud"),
    ],
)
def test_a_query_that_cannot_be_asked_is_a_clear_sentence(
    indexed: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    result = indexed("search", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_sentence_with_a_slash_is_words(indexed: Run) -> None:
    assert len(hits(indexed("search", "cats and/or dogs", "--all", "--json"))) == 3
    assert len(hits(indexed("search", "and/or " * 9, "--all", "--json"))) == 3


def test_k_min_score_and_path_narrow_the_hits(indexed: Run, photos: Path) -> None:
    for option in ("-k", "--k", "-t", "--top"):
        assert len(hits(indexed("search", "cat", "--all", "--json", option, 2))) == 2
    picture = photos / "red.png"
    assert len(hits(indexed("search", picture, "--json", "--min-score", 0.9999))) == 1
    (only,) = hits(indexed("search", "cat", "--all", "--json", "--path", photos / "red.png"))
    assert only["path"] == str(picture)


def test_an_id_no_photo_can_have_is_a_sentence(indexed: Run) -> None:
    result = indexed("search", "id:99999999999999999999")
    assert result.exit_code == 2
    assert "no photo 99999999999999999999" in result.stderr
    assert indexed("search", "id:" + "9" * 5000).exit_code == 2


def test_nothing_found_is_exit_code_1_and_said_on_stderr(indexed: Run, tmp_path: Path) -> None:
    result = indexed("search", "cat", "--path", tmp_path / "elsewhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the library knows no photo at or under" in result.stderr
    assert indexed("search", "cat", "--min-score", 1).stderr == "nothing found\n"


def test_plain_output_paths_and_nul_are_for_pipes(indexed: Run, photos: Path) -> None:
    plain = indexed("search", photos / "red.png", "-k", 1).stdout
    assert plain == f"1  1.000  {photos / 'red.png'}\n"
    paths = indexed("search", photos / "red.png", "-f").stdout.splitlines()
    assert paths[0] == str(photos / "red.png")
    nul = indexed("search", photos / "red.png", "-0").stdout_bytes
    assert nul == b"".join(os.fsencode(path) + b"\0" for path in paths)


def test_a_contact_sheet_is_saved(indexed: Run, tmp_path: Path) -> None:
    result = indexed("search", "cat", "--all", "--contact-sheet", "out.png")
    assert result.exit_code == 0
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.width > 700
    refused = indexed("search", "cat", "--all", "--contact-sheet", "no/such/out.png")
    assert refused.exit_code == 2
    assert "cannot be written" in refused.stderr


@pytest.fixture
def captioned(indexed: Run, tmp_path: Path) -> Run:
    """The same, with a caption of a person's for photo 2."""
    with open_library(tmp_path / "library") as library, library.catalog.write() as writer:
        writer.add_captions(2, ["Grandma's dogs on the beach"], "en", "user")
    return indexed


def test_the_mode_says_what_is_ranked_by(captioned: Run) -> None:
    (found,) = hits(captioned("search", "a dog", "--mode", "text", "--json"))
    assert (found["photo_id"], found["score"], found["matched"]) == (2, None, ["dogs"])
    both = hits(captioned("search", "a dog", "--all", "--json"))
    assert len(both) == 3
    assert both[0]["photo_id"] == 2
    assert (both[0]["caption"], both[0]["text_rank"]) == ("Grandma's dogs on the beach", 1)
    vector = hits(captioned("search", "a dog", "--all", "--mode", "vector", "--json"))
    assert [hit["vector_rank"] for hit in vector] == [1, 2, 3]
    plain = captioned("search", "a dog", "--all", "-k", 1).stdout
    why = f"[vector #{both[0]['vector_rank']}; words #1: dogs]"
    assert plain.endswith(f"  Grandma's dogs on the beach  {why}\n")


def test_photos_with_and_without_captions_are_asked_for_apart(captioned: Run) -> None:
    for option, ids in (("--captioned", {2}), ("--uncaptioned", {1, 3})):
        assert {
            hit["photo_id"] for hit in hits(captioned("search", "x y", "--all", "--json", option))
        } == ids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["id:1", "--mode", "text"], "the photo id 1 has no words"),
        (["photos/red.png", "--mode", "hybrid"], "a picture has no words"),
        (["dog", "--mode", "text", "--min-score", "0.2"], "least score of 0.2"),
        (["dog", "--mode", "text", "--encoder", "nobody"], "the encoder 'nobody'"),
        (["dog", "--mode", "text", "--prompt", "nonsense"], "the prompt 'nonsense'"),
        (["*", "--mode", "text"], "no word"),
        (["dog", "--mode", "both"], "auto, vector, text, hybrid"),
    ],
)
def test_what_a_mode_cannot_do_is_a_clear_sentence(
    captioned: Run, arguments: list[str], message: str
) -> None:
    result = captioned("search", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert captioned("search", "zebra", "--mode", "text").exit_code == 1
