"""`imgsearch eval` and `score` as typed: encoders and captioners side by side, prediction files,
reports.
"""

import json
import shutil
from pathlib import Path

import pytest

from commands import Run
from conftest import draw
from imgsearch.captioning import Decoding
from imgsearch.cli import decoding_options
from imgsearch.evaluating import score_captions

pytest_plugins = ["commands"]


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Twelve photos with a sentence each in both languages."""
    folder = tmp_path / "captioned"
    for number in range(12):
        draw(folder / f"{number:02}.png", (20 * number, 255 - 20 * number, 90))
        sentences = {"en": [f"photo {number}"], "zh": [f"照片 {number}"]}
        (folder / f"{number:02}.json").write_text(json.dumps(sentences), "utf-8")
    return folder


@pytest.fixture(scope="session")
def captioner(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny captioner for that encoder, with random weights: it babbles on."""
    import torch

    from imgsearch import encoders
    from imgsearch.captioning.captioner import Captioner, Speech, TrainedOn
    from imgsearch.captioning.folder import save_captioner
    from imgsearch.captioning.gpt2 import Gpt2Config
    from imgsearch.captioning.mappers import MapperConfig
    from imgsearch.captioning.model import ClipCap
    from imgsearch.captioning.tokenizers import BertVocabulary, write_vocabulary

    folder = tmp_path_factory.mktemp("captioners")
    write_vocabulary(["photo dog red 照 片 狗 红"] * 4, ["[EN]", "[ZH]"], folder / "vocab.txt")
    words = BertVocabulary(folder / "vocab.txt")
    english, chinese, end = map(words.id_of, ("[EN]", "[ZH]", "[SEP]"))
    torch.manual_seed(3)
    model = ClipCap(
        MapperConfig("linear", embedding_dim=16, prefix_length=2, width=16),
        Gpt2Config(vocab_size=words.size, n_positions=20, n_embd=16, n_layer=1, n_head=2),
    )
    speech = Speech({"en": (english,), "zh": (chinese,)}, (end,), words.specials, longest=8)
    reads = encoders.load(str(encoder))
    trained_on = TrainedOn((str(encoder),), reads.identity, reads.dim)
    made = Captioner(model, words, speech, trained_on, name="toy/babbles", identity="")
    save_captioner(made, folder / "babbles")
    return folder / "babbles"


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


def test_eval_sets_encoders_side_by_side_even_those_that_share_a_name(
    run: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(encoder, copy)
    asked = ["eval", captioned, "--encoder", encoder, "--encoder", copy, "--language", "zh"]
    result = run(*asked)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [
        *("retrieval,", "text", "toy/tiny", str(copy), "image", "toy/tiny", str(copy)),
    ]
    assert lines[2][1:] == lines[3][1:], "the same weights"
    rows = [json.loads(line) for line in run(*asked, "--json").stdout.splitlines()]
    assert [row["encoder"] for row in rows] == ["toy/tiny", str(copy)]
    assert rows[0]["metrics"] == rows[1]["metrics"]


def test_what_was_measured_is_shown_before_an_error_of_the_next_encoder(
    run: Run, captioned: Path, encoder: Path
) -> None:
    result = run("eval", captioned, "--encoder", encoder, "--encoder", "nobodys")
    assert result.exit_code == 3
    assert "toy/tiny" in result.stdout
    assert "no encoder and no file is called 'nobodys'" in result.stderr


def test_eval_knows_the_encoders_of_the_library(
    indexed: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    models = tmp_path / "library" / "models"
    shutil.copytree(encoder, models / "flowers-v2")
    result = indexed("eval", captioned, "--encoder", "flowers-v2", "--json")
    assert result.exit_code == 0, result.stderr
    assert {json.loads(line)["language"] for line in result.stdout.splitlines()} == {"en", "zh"}
    elsewhere = tmp_path / "elsewhere"
    refused = indexed("eval", captioned, "--encoder", "flowers-v2", "--library", elsewhere)
    assert refused.exit_code == 3
    assert str(elsewhere) in refused.stderr


def test_eval_writes_predictions_that_score_what_it_measured(
    run: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    asked = ["eval", captioned, "--encoder", encoder, "--prompt", "raw", "--json"]
    result = run(*asked, "--predictions", "out")
    assert result.exit_code == 0, result.stderr
    metrics = {
        row["language"]: row["metrics"] for row in map(json.loads, result.stdout.splitlines())
    }
    for language in ("en", "zh"):
        for direction, part in (("text_to_image", ""), ("image_to_text", "tr_")):
            found = f"out/{language}_raw_{part}predictions.jsonl"
            scored = run("score", f"out/{language}_texts.jsonl", found, "report.json", "--json")
            assert scored.exit_code == 0, scored.stderr
            report = json.loads(scored.stdout)
            assert json.loads(Path("report.json").read_text("utf-8")) == report
            for k in (1, 5, 10):
                measured = metrics[language][f"{direction}_recall@{k}"]
                assert report["scoreJson"][f"r{k}"] == measured * 100
    copy = tmp_path / "second"
    shutil.copytree(encoder, copy)
    assert run(*asked, "--encoder", copy, "--predictions", "both").exit_code == 0
    assert {each.name for each in Path("both").iterdir()} == {
        "toy-tiny",
        str(copy).strip("/").replace("/", "-"),
    }


def test_predictions_are_refused_before_any_work_where_they_cannot_be(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    for photo in photos.iterdir():
        photo.with_suffix(".txt").write_text("a photo", "utf-8")
    small = run("eval", photos, "--encoder", encoder, "--predictions", "out")
    assert small.exit_code == 2
    assert "there are 3 photos in 'en', and predictions are 10 a query" in small.stderr
    draw(tmp_path / "classes" / "red" / "1.png", "red")
    classes = run("eval", tmp_path / "classes", "--encoder", encoder, "--predictions", "out")
    assert classes.exit_code == 2
    assert "these have classes: leave --predictions out" in classes.stderr
    assert not Path("out").exists()


def test_eval_measures_the_captions_that_it_writes(
    run: Run, captioned: Path, captioner: Path
) -> None:
    asked = ["eval", captioned, "--captioner", captioner]
    result = run(*asked, "--json", "--predictions", "out")
    assert result.exit_code == 0, result.stderr
    rows = {row["language"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows.keys() == {"en", "zh"}
    for language, row in rows.items():
        lines = Path(f"out/{language}_captions.jsonl").read_text("utf-8").splitlines()
        said = [json.loads(line) for line in lines]
        assert [each["image_id"] for each in said] == list(range(12))
        references = [each["references"] for each in said]
        scores = score_captions([each["caption"] for each in said], references, language)
        assert (row["captioner"], row["encoder"], row["photos"]) == ("toy/babbles", "toy/tiny", 12)
        assert row["bleu"] == list(scores.bleu)
        assert (row["rouge_l"], row["cider"]) == (scores.rouge_l, scores.cider)
        assert (row["distinct"], row["length"]) == (scores.distinct, scores.length)
    table = run(*asked, "--language", "zh,en").stdout.splitlines()
    assert [line for line in table if "photos" in line] == [
        "captions, zh by character: 12 photos",
        "captions, en: 12 photos",
    ]


def test_decoding_flags_reach_the_captioner(run: Run, captioned: Path, captioner: Path) -> None:
    asked = ["eval", captioned, "--captioner", captioner, "--language", "en", "--json"]

    def length(*flags: object) -> float:
        result = run(*asked, *flags)
        assert result.exit_code == 0, result.stderr
        found: float = json.loads(result.stdout)["length"]
        return found

    assert length("--longest", 1, "--decode", "greedy", "--no-repeat", 0) == 1.0 < length()
    sampled = [
        run(*asked, "--decode", "sample", "--top-k", 5, "--seed", seed).stdout for seed in (1, 1, 2)
    ]
    assert sampled[0] == sampled[1] != sampled[2]


def test_the_words_of_published_weights_are_named_by_folder_or_file(
    run: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    import torch

    from imgsearch.captioning.folder import published_names
    from small_captioners import bilingual

    state = published_names(bilingual(tmp_path, seed=4).model, half=False)
    weights = tmp_path / "chinese.pt"
    torch.save({name.replace("gpt.", "gpt2.", 1): each for name, each in state.items()}, weights)
    trained_on = {"encoders": ["toy/tiny"], "norm": 1.0}
    settings = {"language_model": {"n_head": 2}, "trained_on": trained_on}
    weights.with_suffix(".json").write_text(json.dumps(settings), "utf-8")
    asked = ["eval", captioned, "--captioner", weights, "--encoder", encoder, "--json"]
    beside = run(*asked)
    assert beside.exit_code == 0, beside.stderr
    assert json.loads(beside.stdout)["distinct"] > 1
    words = tmp_path / "words" / "vocab.txt"
    words.parent.mkdir()
    (tmp_path / "vocab.txt").rename(words)
    for place in (words.parent, words):
        named = run(*asked, "--tokenizer", place)
        assert named.exit_code == 0, named.stderr
        assert named.stdout == beside.stdout
    assert run(*asked, "--tokenizer", tmp_path / "nowhere").exit_code == 2


def test_the_help_of_decoding_flags_tells_their_defaults() -> None:
    for name in ("beams", "temperature", "seed", "no_repeat"):
        option = getattr(decoding_options, name.title().replace("_", "")).__metadata__[0]
        assert option.help.endswith(f"else {getattr(Decoding(), name):g}."), name
    assert decoding_options.Flags().decoding() == Decoding()


def test_captioners_of_the_library_stand_side_by_side(
    indexed: Run, captioned: Path, captioner: Path, tmp_path: Path
) -> None:
    shutil.copytree(captioner, tmp_path / "library" / "captioners" / "holidays")
    asked = ["eval", captioned, "--language", "en", "--captioner", captioner]
    result = indexed(*asked, "--captioner", "holidays", "--predictions", "out")
    assert result.exit_code == 0, result.stderr
    _, heading, first, second = (line.split() for line in result.stdout.splitlines())
    assert heading[:2] == ["captioner", "BLEU-1"]
    assert (first[0], second[0]) == ("toy/babbles", "holidays")
    assert first[1:] == second[1:], "the same weights"
    assert {each.name for each in Path("out").iterdir()} == {"toy-babbles", "holidays"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--captioner X --prompt raw", "--prompt is of queries, and --captioner asks none"),
        ("--captioner X --encoder a --encoder b", "reads one encoder's embeddings, and --encoder"),
        ("--top-k 3", "--top-k is of captions: name a captioner with --captioner"),
        ("--tokenizer words", "--tokenizer is of captions: name a captioner with --captioner"),
        ("--captioner X --top-k 3", "--top-k is for --decode sample, and this is --decode beam"),
        ("--captioner X --decode greedy --beams 3", "--beams is for --decode beam"),
        ("--captioner X --decode best", "decoding 'best' is unknown"),
        ("--captioner X --beams 0", "beams is 0; it must be at least 1"),
        ("--captioner X --encoder builtin", "toy/babbles reads embeddings of"),
        ("--captioner X --language fr", "no sentence in 'fr', only in en, zh"),
        ("--captioner nobodys", "no captioner and no file is called 'nobodys'"),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    asked: str, said: str, run: Run, captioned: Path, captioner: Path
) -> None:
    result = run("eval", captioned, *asked.replace("X", str(captioner)).split())
    assert result.exit_code in (2, 3)
    assert said in result.stderr


def test_captions_of_class_folders_cannot_be_measured(
    run: Run, captioner: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "classes" / "red" / "1.png", "red")
    result = run("eval", tmp_path / "classes", "--captioner", captioner)
    assert result.exit_code == 2
    assert "measured against sentences, and these photos have classes" in result.stderr


def test_score_writes_the_failing_report_and_says_why(run: Run, tmp_path: Path) -> None:
    truth, predictions = tmp_path / "truth.jsonl", tmp_path / "predictions.jsonl"
    truth.write_text(json.dumps({"text_id": 1, "image_ids": [3]}), "utf-8")
    predictions.write_text(json.dumps({"text_id": 1, "image_ids": [3]}), "utf-8")
    result = run("score", truth, predictions, "report.json")
    assert result.exit_code == 2
    assert "has 1 image_ids for text_id 1, not 10" in result.stderr
    report = json.loads(Path("report.json").read_text("utf-8"))
    assert (report["success"], report["scoreJson"]) == (False, {})
    assert "not 10" in report["errorMsg"]
    predictions.write_text(json.dumps({"text_id": 1, "image_ids": [*range(10)]}), "utf-8")
    shown = run("score", truth, predictions)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split()[-4:] == ["0.00%", "100.00%", "100.00%", "66.67%"]
