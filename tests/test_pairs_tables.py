"""Tables of pictures and captions: CSV and its kin, JSON lines."""

import unicodedata
from pathlib import Path

import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, Unpaired, read_pairs


def captioned(*paths: Path) -> CaptionedPhotos:
    pairs = read_pairs(paths)
    assert isinstance(pairs, CaptionedPhotos)
    return pairs


def by_name(pairs: CaptionedPhotos) -> dict[str, dict[str, tuple[str, ...]]]:
    """Picture name -> captions."""
    names = [picture.name for picture in pairs.pictures if isinstance(picture, Path)]
    assert len(set(names)) == len(pairs), "every picture is a path of its own"
    return dict(zip(names, map(dict, pairs.captions), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.jpg and b.jpg, deep enough that nothing lies next door."""
    for name in ("a", "b"):
        draw(tmp_path / "set" / f"{name}.jpg", "red")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", "image,caption\na.jpg,one dog\nb.jpg,一只狗\n"),
        ("captions.csv", 'image,caption,id\n"a.jpg","one dog",7\n"b.jpg","一只狗",8\n'),
        ("pairs.csv", "filepath\ttitle\na.jpg\tone dog\nb.jpg\t一只狗\n"),
        ("pairs.tsv", "caption\tFile Name\none dog\ta.jpg\n一只狗\tb.jpg\n"),
        ("pairs.csv", "path;text\na.jpg;one dog\n.\\b.jpg;一只狗"),
        (
            "results.csv",
            "image_name| comment_number| comment\na.jpg| 0| one dog\nb.jpg| 1| 一只狗\n",
        ),
        (
            "x.jsonl",
            '{"image": "a.jpg", "caption": "one dog"}\n{"path": "b.jpg", "text": "一只狗"}',
        ),
        ("x.json", '[{"image": "a.jpg", "caption": ["one dog"]},{"file":"b.jpg","text":"一只狗"}]'),
        ("x.txt", "file_name,sentence\n\na.jpg,one dog\n\nb.jpg,一只狗\n\n"),
    ],
)
@pytest.mark.parametrize("shape", ["plain", "windows", "utf-16"])
def test_tables_of_every_kind_say_the_same(
    name: str, content: str, shape: str, folder: Path
) -> None:
    encoded = {
        "plain": content.encode(),
        "windows": b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode(),
        "utf-16": content.encode("utf-16"),
    }
    (folder / name).write_bytes(encoded[shape])
    for given in (folder / name, folder):
        if given == folder and name == "x.json":
            continue  # in a folder a .json may be anything
        pairs = captioned(given)
        assert by_name(pairs) == {"a.jpg": {"en": ("one dog",)}, "b.jpg": {"zh": ("一只狗",)}}
        assert pairs.unpaired == Unpaired()
        assert pairs.labels == ()


def test_rows_of_one_picture_are_one_photo_with_languages_and_a_label(folder: Path) -> None:
    (folder / "c.csv").write_text(
        "path,caption,lang,class\na.jpg,a dog,en-GB,dog\n./a.jpg,ein Hund,de,\nb.jpg,x,,\n", "utf-8"
    )
    pairs = captioned(folder / "c.csv")
    assert by_name(pairs) == {
        "a.jpg": {"en": ("a dog",), "de": ("ein Hund",)},
        "b.jpg": {"en": ("x",)},
    }
    assert pairs.labels == ("dog", None)


def test_two_tables_of_the_same_photos_are_their_captions_together(folder: Path) -> None:
    (folder / "en.csv").write_text("image,caption\na.jpg,a dog\nb.jpg,a cat\n", "utf-8")
    (folder / "zh.csv").write_text("image,caption\na.jpg,一只狗\n", "utf-8")
    pairs = captioned(folder / "en.csv", folder / "zh.csv", folder / "en.csv")
    assert by_name(pairs) == {
        "a.jpg": {"en": ("a dog",), "zh": ("一只狗",)},
        "b.jpg": {"en": ("a cat",)},
    }
    assert pairs.unpaired == Unpaired()
    with pytest.raises(
        UsageError, match=r"set holds several sets: give one of .*en\.csv, .*zh\.cs"
    ):
        read_pairs([folder])


def test_captions_may_hold_commas_and_quotes_with_and_without_quoting(folder: Path) -> None:
    (folder / "quoted.csv").write_text(
        'image,caption\na.jpg,"one, two and ""three"""\nb.jpg,"over\ntwo lines"\n', "utf-8"
    )
    assert by_name(captioned(folder / "quoted.csv")) == {
        "a.jpg": {"en": ('one, two and "three"',)},
        "b.jpg": {"en": ("over two lines",)},
    }
    (folder / "bare.csv").write_text(
        "image,caption\n"
        "a.jpg,A man , in a hat , sings .\n"
        'a.jpg,A "Trix" shirt, and a hat .\n'
        'a.jpg,"Stop" says the sign , in red .\n'
        'a.jpg,"Stop, look" says the sign .\n'
        'b.jpg,"tis a dog .\n'
        'b.jpg,"two, dogs"\n',
        "utf-8",
    )
    assert by_name(captioned(folder / "bare.csv")) == {
        "a.jpg": {
            "en": (
                "A man , in a hat , sings .",
                'A "Trix" shirt, and a hat .',
                '"Stop" says the sign , in red .',
                '"Stop, look" says the sign .',
            )
        },
        "b.jpg": {"en": ("tis a dog .", "two, dogs")},
    }


def test_quotes_that_do_not_belong_together_swallow_no_rows(tmp_path: Path) -> None:
    for number in range(5):
        draw(tmp_path / "set" / f"{number}.jpg", "red")
    table = tmp_path / "set" / "c.csv"
    table.write_text(
        "image,caption\n"
        '0.jpg,"the dog\n1.jpg,a cat, asleep\n2.jpg,a board 6"\n'
        '3.jpg,x "y" z\n4.jpg,"one, two"\n',
        "utf-8",
    )
    assert by_name(captioned(table)) == {
        "0.jpg": {"en": ("the dog",)},
        "1.jpg": {"en": ("a cat, asleep",)},
        "2.jpg": {"en": ('a board 6"',)},
        "3.jpg": {"en": ('x "y" z',)},
        "4.jpg": {"en": ("one, two",)},
    }


def test_a_caption_of_several_lines_may_hold_delimiters(folder: Path) -> None:
    (folder / "c.csv").write_text(
        'image,caption\na.jpg,"a dog,\na cat, and\nb.jpg beside it"\nb.jpg,x\n', "utf-8"
    )
    assert by_name(captioned(folder / "c.csv")) == {
        "a.jpg": {"en": ("a dog, a cat, and b.jpg beside it",)},
        "b.jpg": {"en": ("x",)},
    }


def test_the_line_of_flickr30k_that_lacks_a_delimiter_is_read(folder: Path) -> None:
    (folder / "results.csv").write_text(
        "image_name| comment_number| comment\n"
        "a.jpg| 3| A dog , brown , runs .\na.jpg| 4   A dog runs across the grass .\n",
        "utf-8",
    )
    pairs = captioned(folder / "results.csv")
    assert by_name(pairs) == {
        "a.jpg": {"en": ("A dog , brown , runs .", "A dog runs across the grass .")}
    }
    assert pairs.unpaired == Unpaired(pictures=1), "b.jpg lies beside it"


def test_halves_without_the_other_half_are_counted(folder: Path) -> None:
    (folder / "c.csv").write_text(
        "image,caption\na.jpg,a dog\na.jpg, \nb.jpg,\ngone.jpg,x\ngone.jpg,y\n", "utf-8"
    )
    pairs = captioned(folder / "c.csv")
    assert by_name(pairs) == {"a.jpg": {"en": ("a dog",)}}
    assert pairs.unpaired == Unpaired(pictures=1, texts=4)


def test_a_table_none_of_whose_pictures_is_there_says_so(folder: Path) -> None:
    table = folder / "deep" / "c.csv"
    table.parent.mkdir()
    table.write_text("image,caption\nx.jpg,a dog\ny.jpg,a cat\n", "utf-8")
    with pytest.raises(UsageError, match=r"no photo with text .*\(0 pictures .*, 2 texts without"):
        read_pairs([table])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.csv", "image,caption\na.jpg,x\nb.jpg\n", r"c\.csv, line 3 has 1 fields where .* 2"),
        ("c.csv", "image,caption,id\na.jpg,x,y,1\n", r"c\.csv, line 2 has 4 fields .*quote"),
        ("c.csv", "image,caption\n ,x\n", r"c\.csv, line 2 names no picture"),
        ("c.csv", "image,caption\na.jpg,caf\xe9\n", r"c\.csv is no UTF-8 text .*save it as UTF-8"),
        ("c.csv", "a.jpg,a dog\n", r"c\.csv is none of what is read as photos with text"),
        ("c.csv", "image,label\na.jpg,dog\na.jpg,cat\n", r"line 3: a\.jpg is 'cat' .*'dog'"),
        (
            "c.jsonl",
            '{"image": "a.jpg", "caption": "x"}\n{"image"\n',
            r"c\.jsonl, line 2 is no JSON",
        ),
        ("c.jsonl", '{"image": "a.jpg"}\n', r"c\.jsonl, line 1 lacks a path, or both caption and"),
        ("c.jsonl", '{"caption": "a.jpg"}\n', r"c\.jsonl, line 1 lacks a path"),
        (
            "c.jsonl",
            '{"image": "a.jpg", "caption": 7}\n',
            r"line 1 has the caption 7: expected a t",
        ),
        ("c.jsonl", '{"image": "a.jpg", "caption": "x"}\n7\n', r"c\.jsonl, line 2 is no object"),
        ("c.json", '[{"image": "a.jpg", "caption": "x"}, 7]', r"c\.json, item 2 is no object"),
        ("c.json", "[" * 100_000, r"c\.json is no JSON"),
        ("c.csv", "", r"c\.csv is none of what is read"),
    ],
)
def test_a_broken_row_is_named_with_its_file_and_line(
    name: str, content: str, message: str, folder: Path
) -> None:
    (folder / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=message):
        read_pairs([folder / name])


def test_rows_with_labels_alone_are_labelled_photos(folder: Path) -> None:
    (folder / "labels.csv").write_text("filename,label\na.jpg,hot_dog\nb.jpg,cat\n", "utf-8")
    (folder / "classes.json").write_text('{"cat": {"en": ["cat"], "zh": ["猫"]}}', "utf-8")
    for given in (folder, folder / "labels.csv"):
        pairs = read_pairs([given])
        assert isinstance(pairs, LabelledPhotos)
        assert pairs.pictures == (folder / "a.jpg", folder / "b.jpg")
        assert pairs.labels == ("hot_dog", "cat")
        assert pairs.names == {
            "cat": {"en": ("cat",), "zh": ("猫",)},
            "hot_dog": {"en": ("hot dog",)},
        }


def test_class_folders_stay_so_beside_a_table_of_labels(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        draw(tmp_path / "set" / label / "1.jpg", "red")
    (tmp_path / "set" / "train.csv").write_text("image,label\n1.jpg,x\n", "utf-8")
    pairs = read_pairs([tmp_path / "set"])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("cat", "dog")


def test_captions_and_classes_in_one_call_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "c.csv").write_text("image,caption\na.jpg,x\n", "utf-8")
    draw(tmp_path / "classes" / "cat" / "1.jpg", "red")
    (tmp_path / "classes" / "l.csv").write_text("image,label\ncat/1.jpg,cat\n", "utf-8")
    folders = tmp_path / "tarless"
    draw(folders / "cat" / "1.jpg", "red")
    (folders / "cat" / "1.cls").write_text("cat", "utf-8")
    with pytest.raises(UsageError, match=r"c\.csv holds captions and .*tarless classes"):
        read_pairs([folder / "c.csv", folders])


def test_names_in_a_table_need_neither_ending_nor_composed_accents(folder: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café 猫") for form in ("NFC", "NFD"))
    draw(folder / f"{decomposed}.png", "red")
    (folder / "c.csv").write_text(f"image,caption\na,x\n{composed}.png,y\n", "utf-8")
    pairs = captioned(folder / "c.csv")
    assert by_name(pairs) == {"a.jpg": {"en": ("x",)}, f"{decomposed}.png": {"en": ("y",)}}
    assert pairs.unpaired == Unpaired(pictures=1)


def test_absolute_paths_and_paths_through_other_folders_are_found(
    folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "tables" / "c.csv"
    table.parent.mkdir()
    table.write_text(f"image,caption\n{folder / 'a.jpg'},x\n../set/b.jpg,y\n", "utf-8")
    pairs = captioned(table)
    assert {name: each["en"] for name, each in by_name(pairs).items()} == {
        "a.jpg": ("x",),
        "b.jpg": ("y",),
    }


def test_pictures_are_found_in_the_one_sub_folder_that_holds_them(tmp_path: Path) -> None:
    root = tmp_path / "flickr"
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        draw(root / "Flicker8k_Dataset" / name, "red")
    draw(root / "samples" / "1.jpg", "green")
    draw(root / ".trash" / "3.jpg", "green")
    table = root / "c.csv"
    table.write_text("image,caption\n1.jpg,x\n2.jpg,y\n", "utf-8")
    pairs = captioned(table)
    assert pairs.pictures == tuple(root / "Flicker8k_Dataset" / f"{n}.jpg" for n in (1, 2))
    assert pairs.unpaired == Unpaired(pictures=1)
    draw(root / "samples" / "2.jpg", "green")
    with pytest.raises(UsageError, match=r"1\.jpg is both .*: give the folder that is meant"):
        read_pairs([table])
    chosen = captioned(table, root / "samples")
    assert chosen.pictures == tuple(root / "samples" / f"{n}.jpg" for n in (1, 2))


def test_pictures_divided_over_folders_are_found_in_both(tmp_path: Path) -> None:
    for part, name in (("train", "1.jpg"), ("val", "2.jpg")):
        draw(tmp_path / "set" / part / name, "red")
    table = tmp_path / "set" / "c.csv"
    table.write_text("image,caption\n1.jpg,x\n2.jpg,y\n", "utf-8")
    assert {path.parent.name for path in captioned(table).pictures if isinstance(path, Path)} == {
        "train",
        "val",
    }
