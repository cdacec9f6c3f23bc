"""The command line on real folders: exit codes, what goes to stdout, errors that are sentences."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import draw
from PIL import Image
from typer.testing import CliRunner, Result

import imgsearch
from imgsearch.cli import app

Run = Callable[..., Result]
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def environment() -> dict[str, str]:
    """For a process of its own, which may run elsewhere than in the repository."""
    return {**os.environ, "PYTHONPATH": str(Path(imgsearch.__file__).parent.parent)}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny open_clip encoder for both languages, with random weights."""
    import torch
    from safetensors.torch import save_file

    from imgsearch.encoders import open_clip

    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    folder.mkdir()
    config: dict[str, Any] = {"model_cfg": MODEL, "preprocess_cfg": {"size": 32}}
    config["imgsearch"] = {"name": "toy/tiny", "languages": ["en", "zh"]}
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    torch.manual_seed(1)
    model: Any = open_clip.build(config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a library of this test alone, in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGSEARCH_LIBRARY", str(tmp_path / "library"))

    def run_command(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments])

    return run_command


@pytest.fixture
def indexed(run: Run, photos: Path, encoder: Path) -> Run:
    """The same, with the red, green and blue photos indexed."""
    result = run("index", photos, "--encoder", encoder, "--quiet")
    assert result.exit_code == 0, result.stderr
    return run


def hits(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_index_counts_each_file_once_and_a_second_run_finds_nothing_new(
    run: Run, photos: Path, encoder: Path
) -> None:
    (photos / "notes.jpg").write_text("no picture")
    first = run("index", photos, "--encoder", encoder, "--json")
    assert first.exit_code == 0, first.stderr
    counted = json.loads(first.stdout)
    assert list(counted) == [
        *("added", "unchanged", "moved", "missing", "skipped"),
        *("seconds", "reasons"),
    ]
    assert [counted[kind] for kind in list(counted)[:5]] == [3, 0, 0, 0, 1]
    assert isinstance(counted["seconds"], float)
    (reason,) = counted["reasons"]
    assert reason["path"] == str(photos / "notes.jpg")
    assert "not a picture" in reason["reason"]
    again = json.loads(run("index", photos, "--json").stdout)
    assert (again["added"], again["unchanged"]) == (0, 3)


def test_the_summary_groups_reasons_and_goes_to_stdout(
    run: Run, photos: Path, encoder: Path
) -> None:
    for number in range(3):
        (photos / f"empty{number}.jpg").touch()
    result = run("index", photos, "--encoder", encoder)
    rows = [line.split()[:2] for line in result.stdout.splitlines()[:5]]
    assert rows == [
        *(["added", "3"], ["unchanged", "0"], ["moved", "0"], ["missing", "0"], ["skipped", "3"]),
    ]
    assert "3 skipped: the file is empty" in result.stdout
    assert "and 2 more" in result.stdout
    assert "3 embedded in" in result.stdout and "photos/s" in result.stdout


def test_the_summary_counts_known_photos_that_another_encoder_embeds(
    indexed: Run, photos: Path
) -> None:
    assert "embedded" not in indexed("index", photos).stdout
    (photos / "copy.png").write_bytes((photos / "red.png").read_bytes())
    os.utime(photos / "blue.png", (0, 0))
    assert "embedded" not in indexed("index", photos).stdout, "no encoder was shown those two"
    result = indexed("index", photos, "--encoder", "builtin")
    assert "unchanged" in result.stdout and "3 embedded in" in result.stdout


def test_quiet_says_nothing_and_json_still_prints(run: Run, photos: Path, encoder: Path) -> None:
    result = run("index", photos, "--encoder", encoder, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(run("--quiet", "index", photos, "--json").stdout)["unchanged"] == 3


def test_without_a_terminal_there_is_no_bar(run: Run, photos: Path, encoder: Path) -> None:
    assert run("index", photos, "--encoder", encoder).stderr == ""


def test_exclude_and_max_pixels_reach_the_walk_and_the_decoder(
    run: Run, photos: Path, encoder: Path
) -> None:
    draw(photos / "wide.png", "white", (400, 100))
    counted = json.loads(
        run(
            *("index", photos, "--encoder", encoder, "--json"),
            *("--exclude", "red.*", "--exclude", "green.*", "--max-pixels", 1000),
        ).stdout
    )
    assert (counted["added"], counted["skipped"]) == (1, 1)
    assert "--max-pixels" in counted["reasons"][0]["reason"]


def test_many_files_gone_at_once_are_withheld_loudly_until_accepted(
    run: Run, tmp_path: Path, encoder: Path
) -> None:
    for number in range(12):
        draw(tmp_path / "many" / f"{number}.png", (20 * number, 9, 9))
    run("index", tmp_path / "many", "--encoder", encoder)
    for number in range(11):
        (tmp_path / "many" / f"{number}.png").unlink()
    withheld = run("index", tmp_path / "many", "--json", "--quiet")
    assert json.loads(withheld.stdout)["missing"] == 0
    assert "--accept-missing" in withheld.stderr
    accepted = run("index", tmp_path / "many", "--json", "--accept-missing")
    assert json.loads(accepted.stdout)["missing"] == 11


def test_a_path_that_is_not_there_is_a_usage_error_and_makes_no_library(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    result = run("index", "nowhere", "--encoder", encoder)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "library").exists()


def test_without_a_path_the_folders_given_before_are_looked_at_again(
    indexed: Run, photos: Path
) -> None:
    draw(photos / "white.png", "white")
    counted = json.loads(indexed("index", "--json").stdout)
    assert (counted["added"], counted["unchanged"]) == (1, 3)


def test_a_picture_finds_itself_first(indexed: Run, photos: Path) -> None:
    found = hits(indexed("search", photos / "green.png", "--json"))
    assert [hit["rank"] for hit in found] == [1, 2, 3]
    assert found[0]["path"] == str(photos / "green.png")
    assert found[0]["score"] == pytest.approx(1, abs=1e-5)
    assert found[0]["score"] >= found[1]["score"] >= found[2]["score"]


def test_a_photo_of_the_library_finds_itself_first(indexed: Run) -> None:
    photo_id = hits(indexed("search", "anything", "--json"))[1]["photo_id"]
    assert hits(indexed("search", f"id:{photo_id}", "--json"))[0]["photo_id"] == photo_id


def test_words_join_with_spaces_and_both_languages_are_answered(indexed: Run) -> None:
    joined = hits(indexed("search", "two", "dogs", "on a beach", "--json"))
    assert joined == hits(indexed("search", "two dogs on a beach", "--json"))
    assert len(hits(indexed("search", "一杯咖啡", "--json"))) == 3


def test_a_word_that_is_the_name_of_a_picture_is_that_picture(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "blue.png").write_bytes((photos / "blue.png").read_bytes())
    assert hits(indexed("search", "blue.png", "--json"))[0]["score"] == pytest.approx(1, abs=1e-5)
    assert hits(indexed("search", "red.png", "--json"))  # no such file here: words


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
    assert len(hits(indexed("search", "cats and/or dogs", "--json"))) == 3
    assert len(hits(indexed("search", "and/or " * 9, "--json"))) == 3


def test_k_min_score_and_path_narrow_the_hits(indexed: Run, photos: Path) -> None:
    for option in ("-k", "--k", "-t", "--top"):
        assert len(hits(indexed("search", "cat", "--json", option, 2))) == 2
    picture = photos / "red.png"
    assert len(hits(indexed("search", picture, "--json", "--min-score", 0.9999))) == 1
    (only,) = hits(indexed("search", "cat", "--json", "--path", photos / "red.png"))
    assert only["path"] == str(picture)


def test_a_tilde_that_names_no_user_is_a_word_or_a_path_like_any_other(
    indexed: Run, tmp_path: Path
) -> None:
    for text in ("~100 balloons", "~100 cats and/or dogs", "~"):
        assert len(hits(indexed("search", text, "--json"))) == 3
    for words in (
        ["search", "~nosuchuser/x.png"],
        ["index", "~nosuchuser/photos", "--library", tmp_path / "other"],
        ["eval", "~nosuchuser/val.tar"],
    ):
        result = indexed(*words)
        assert result.exit_code == 2, result.output
        assert "~nosuchuser" in result.stderr
    assert indexed("--library", "~nosuchuser/library", "status").exit_code == 3


def test_an_id_no_photo_can_have_is_a_sentence(indexed: Run) -> None:
    result = indexed("search", "id:99999999999999999999")
    assert result.exit_code == 2
    assert "no photo 99999999999999999999" in result.stderr
    assert indexed("search", "id:" + "9" * 5000).exit_code == 2


def test_index_of_a_known_folder_that_is_gone_marks_its_photos_missing(
    indexed: Run, photos: Path
) -> None:
    photos.rename(photos.with_name("elsewhere"))
    assert json.loads(indexed("index", photos, "--json").stdout)["missing"] == 3
    assert indexed("search", "red").exit_code == 1


def test_an_empty_word_is_no_path(run: Run, tmp_path: Path) -> None:
    for words in (
        ["index", ""],
        ["eval", ""],
        ["search", "cat", "--path", ""],
        ["search", "cat", "--contact-sheet", ""],
        ["--library", "", "status"],
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        assert "empty" in result.stderr
    assert not (tmp_path / "library").exists()


def test_nothing_found_is_exit_code_1_and_said_on_stderr(indexed: Run, tmp_path: Path) -> None:
    result = indexed("search", "cat", "--path", tmp_path / "elsewhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"nothing found at or under {tmp_path / 'elsewhere'}" in result.stderr.replace("\n", "")
    assert indexed("search", "cat", "--min-score", 1).stderr == "nothing found\n"


def test_plain_output_paths_and_nul_are_for_pipes(indexed: Run, photos: Path) -> None:
    plain = indexed("search", photos / "red.png", "-k", 1).stdout
    assert plain == f"1  1.000  {photos / 'red.png'}\n"
    paths = indexed("search", photos / "red.png", "-f").stdout.splitlines()
    assert paths[0] == str(photos / "red.png")
    nul = indexed("search", photos / "red.png", "-0").stdout_bytes
    assert nul == b"".join(os.fsencode(path) + b"\0" for path in paths)


def test_a_contact_sheet_is_saved(indexed: Run, tmp_path: Path) -> None:
    result = indexed("search", "cat", "--contact-sheet", "out.png")
    assert result.exit_code == 0
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.width > 700
    refused = indexed("search", "cat", "--contact-sheet", "no/such/out.png")
    assert refused.exit_code == 2
    assert "cannot be written" in refused.stderr


def test_no_library_is_exit_code_3_and_names_the_command(run: Run) -> None:
    for command in (["search", "cat"], ["status"], ["doctor"], ["rebuild"]):
        result = run(*command)
        assert result.exit_code == 3, command
        assert "imgsearch index" in result.stderr


def test_a_library_is_named_before_or_after_the_command_and_that_wins(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    run("index", photos, "--encoder", encoder, "--library", tmp_path / "a")
    run("--library", tmp_path / "b", "index", photos / "red.png", "--encoder", encoder)
    assert not (tmp_path / "library").exists()
    assert len(hits(run("search", "cat", "--json", "--library", tmp_path / "a"))) == 3
    assert len(hits(run("--library", tmp_path / "b", "search", "cat", "--json"))) == 1
    both = ("--library", tmp_path / "b", "search", "cat", "--json", "--library", tmp_path / "a")
    assert len(hits(run(*both))) == 3


def test_an_unknown_encoder_is_exit_code_3(run: Run, photos: Path) -> None:
    result = run("index", photos, "--encoder", "no-such-encoder")
    assert result.exit_code == 3
    assert "imgsearch encoders" in result.stderr


def test_a_locked_library_is_exit_code_4_and_names_the_holder(indexed: Run, photos: Path) -> None:
    holder = (
        "import os, sys, imgsearch\n"
        "library = imgsearch.open_library(os.environ['IMGSEARCH_LIBRARY'])\n"
        "with library.lock():\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        refused = indexed("index", photos)
        found = indexed("search", "cat", "--json")
        process.communicate("")
    assert refused.exit_code == 4
    assert str(process.pid) in refused.stderr
    assert len(hits(found)) == 3  # searching goes on meanwhile
    assert indexed("index", photos, "--wait").exit_code == 0


def test_a_damaged_library_is_exit_code_4(run: Run, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.db").write_bytes(b"this is no database" * 500)
    result = run("search", "cat")
    assert result.exit_code == 4
    assert "Traceback" not in result.stderr


def test_encoders_lists_what_there_is_and_what_this_library_has(indexed: Run) -> None:
    rows = [json.loads(line) for line in indexed("encoders", "--json").stdout.splitlines()]
    by_name = {row["name"]: row for row in rows}
    assert by_name["toy/tiny"] == {
        "name": "toy/tiny",
        "languages": ["en", "zh"],
        "dim": 16,
        "size_bytes": None,
        "is_cached": None,
        "photos": 3,
        "answers": ["en", "zh"],
    }
    assert by_name["cn_clip/ViT-B-16"]["photos"] is None
    assert by_name["cn_clip/ViT-B-16"]["languages"] == ["zh"]
    table = indexed("encoders").stdout
    assert table.splitlines()[0].split() == [
        *("encoder", "languages", "dim", "download", "photos", "answers"),
    ]
    assert table.splitlines()[1].endswith("en, zh")
    assert table.splitlines()[1].split()[4:6] == ["is", "here"]
    assert "cn_clip/ViT-B-16" in table


def test_encoders_needs_no_library(run: Run) -> None:
    assert "open_clip/ViT-B-32/laion2b_s34b_b79k" in run("encoders").stdout


def test_eval_measures_an_encoder_on_class_folders(run: Run, tmp_path: Path, encoder: Path) -> None:
    for colour in ("red", "blue"):
        for number in range(2):
            draw(tmp_path / "classes" / colour / f"{number}.png", colour)
    result = run("eval", tmp_path / "classes", "--encoder", encoder, "--prompt", "raw", "--json")
    assert result.exit_code == 0, result.stderr
    (row,) = (json.loads(line) for line in result.stdout.splitlines())
    assert (row["task"], row["language"], row["prompt"]) == ("zero-shot", "en", "raw")
    assert (row["photos"], row["metrics"]["top_5"]) == (4, 1.0)
    assert "top-5" in run("eval", tmp_path / "classes", "--encoder", encoder).stdout
    assert run("eval", "nowhere", "--encoder", encoder).exit_code == 2


def test_status_doctor_and_rebuild_agree_about_a_healthy_library(indexed: Run) -> None:
    status = json.loads(indexed("status", "--json").stdout)
    assert status["photos"] == {"live": 3, "missing": 0}
    assert [each["name"] for each in status["encoders"]] == ["toy/tiny"]
    page = indexed("status").stdout
    assert "3 live, 0 missing" in page
    assert "toy/tiny" in page
    assert "index on" in page
    checked = indexed("doctor")
    assert (checked.exit_code, checked.stdout[:13]) == (0, "nothing wrong")
    rebuilt = indexed("rebuild")
    assert rebuilt.exit_code == 0, rebuilt.stderr
    assert rebuilt.stdout == "toy/tiny: 3 photos, flat index 0002\n"


def test_doctor_repairs_an_index_and_reports_what_only_a_person_can_mend(
    indexed: Run, tmp_path: Path, photos: Path
) -> None:
    for index in (tmp_path / "library" / "generations").rglob("index.faiss"):
        index.write_bytes(b"garbage")
    reported = indexed("doctor", "--no-repair", "--json")
    assert reported.exit_code == 4
    assert json.loads(reported.stdout.splitlines()[0])["is_repaired"] is False
    repaired = indexed("doctor")
    assert repaired.exit_code == 0, repaired.stdout
    assert repaired.stdout.startswith("repaired: ")
    (photos / "red.png").unlink()
    left = indexed("doctor")
    assert left.exit_code == 0, "a photo gone since the last run is no damage"
    assert left.stdout.startswith("note: ")


def test_version_and_help() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).stdout == f"imgsearch {imgsearch.__version__}\n"
    everything = runner.invoke(app, ["--help"]).stdout
    for command in ("index", "search", "status", "doctor", "encoders", "eval", "rebuild", "switch"):
        assert command in everything
        text = runner.invoke(app, [command, "--help"]).stdout
        assert f"imgsearch {command}" in text  # usage and an example
    assert runner.invoke(app, ["serach"]).exit_code == 2


def test_help_answers_in_well_under_half_a_second_and_loads_nothing_heavy() -> None:
    code = "import sys; from imgsearch.cli import app; app(['--help'], standalone_mode=False)"
    heavy = {"torch", "faiss", "sqlalchemy", "alembic", "open_clip", "cn_clip", "numpy", "PIL"}
    code += f"; sys.exit(bool({heavy!r} & set(sys.modules)))"
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment())
    after = os.times()  # of the processor: this machine may be busy
    seconds = sum(after[2:4]) - sum(before[2:4])  # of child processes, user and system
    assert 0 < seconds < 0.5 or sys.platform == "win32"  # which does not count them


def command_line(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "imgsearch.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_a_bug_is_a_traceback_and_exit_code_70(tmp_path: Path) -> None:
    code = (
        "import imgsearch.cli as cli\n"
        "@cli.app.command('boom')\n"
        "def boom() -> None:\n"
        "    raise ZeroDivisionError('a bug')\n"
        "import sys; sys.argv = ['imgsearch', 'boom']\n"
        "cli.main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert result.returncode == 70
    assert "ZeroDivisionError: a bug" in result.stderr
    assert "report" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
def test_a_full_disk_and_a_closed_stdout_are_no_bugs(indexed: Run) -> None:
    indexed("search", "cat")
    line = f"{sys.executable} -m imgsearch.cli search cat"
    results = [
        subprocess.run(
            ["sh", "-c", line + to], capture_output=True, text=True, env=environment(), check=False
        )
        for to in (" >/dev/full", " >&-", " 2>&-")
    ]
    assert [result.returncode for result in results] == [2, 0, 0]
    assert results[0].stderr.startswith("the result cannot be written: No space left")
    assert len(results[0].stderr.splitlines()) == 1
    assert results[1].stderr == ""
    assert len(results[2].stdout.splitlines()) == 3


def test_a_reader_that_has_had_enough_is_no_error(indexed: Run) -> None:
    indexed("search", "cat")  # its embedding is kept: the process below need not load the encoder
    with command_line("search", "cat", "-f") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `| head` does
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send")
def test_ctrl_c_is_exit_code_130_and_says_how_to_go_on(indexed: Run, photos: Path) -> None:
    with imgsearch.open_library(os.environ["IMGSEARCH_LIBRARY"]) as library, library.lock():
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        result = indexed("index", photos, "--wait")  # waits for the lock, in vain
        timer.join()
    assert result.exit_code == 130
    assert "run the same command" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send")
def test_ctrl_c_in_what_cannot_go_on_promises_nothing(indexed: Run) -> None:
    with imgsearch.open_library(os.environ["IMGSEARCH_LIBRARY"]) as library, library.lock():
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        result = indexed("doctor", "--wait")
        timer.join()
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux file systems hold such names")
def test_a_name_that_is_not_valid_text_can_be_indexed_and_found(
    run: Run, tmp_path: Path, encoder: Path
) -> None:
    raw = os.fsencode(tmp_path) + b"/odd/caf\xe9.png"
    picture = draw(tmp_path / "odd" / "plain.png", "red")
    os.rename(picture, raw)
    (tmp_path / "odd" / "bad\udcff.jpg").touch()
    counted = json.loads(run("index", tmp_path / "odd", "--encoder", encoder, "--json").stdout)
    assert (counted["added"], counted["skipped"]) == (1, 1)
    assert run("search", "cat").exit_code == 0  # and its embedding is kept for what follows
    with command_line("search", "cat", "-f") as process:
        assert process.communicate()[0] == raw + b"\n"
    with command_line("search", "cat") as process:
        assert b"caf\\xe9.png" in process.communicate()[0]
