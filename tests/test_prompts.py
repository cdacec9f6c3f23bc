"""Templates and queries: the published sets in their order, language routing, what a label is."""

import hashlib
import json
import re
import subprocess
import sys
from importlib import resources

import pytest

from imgsearch.errors import UsageError
from imgsearch.prompts import (
    Policy,
    expand,
    is_label,
    language_of,
    templates,
    templates_key,
)


def sha256(rows: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def test_the_english_ensemble_is_the_published_eighty_in_order() -> None:
    eighty = templates("ensemble", "dogs", "en")
    assert len(eighty) == len(set(eighty)) == 80
    # of open_clip.OPENAI_IMAGENET_TEMPLATES, filled with "{}" and joined by line feeds
    assert sha256(eighty) == "4f976686fb651bb5803d4689dcd849f75efe0ef19a3c801355bc9a6f03c8a5af"


def test_the_english_seven_are_the_published_seven_in_order() -> None:
    seven = templates("seven", "dogs", "en")
    assert len(seven) == 7
    assert seven[0] == "itap of a {}."
    assert "a origami {}." in seven  # the grammar is theirs
    # of open_clip.SIMPLE_IMAGENET_TEMPLATES
    assert sha256(seven) == "6ef3883987d224b7949da69fe0b615af152e1560eaac4c5c38555e50c882d415"


def test_the_chinese_ensemble_is_the_reference_list_without_its_repetitions() -> None:
    # of cn_clip.eval.cvinw_zeroshot_templates.openai_templates, first occurrences
    ensemble = templates("ensemble", "狗", "zh")
    assert len(ensemble) == len(set(ensemble)) == 179
    assert sha256(ensemble) == "72f76107523375c7ca3c2d2aea86602353f8fb254eebdb8c6381163091bb0975"


@pytest.mark.model
def test_the_sets_equal_those_of_the_reference_packages() -> None:
    import open_clip
    from cn_clip.eval.cvinw_zeroshot_templates import openai_templates

    eighty = tuple(fill("{}") for fill in open_clip.OPENAI_IMAGENET_TEMPLATES)
    seven = tuple(fill("{}") for fill in open_clip.SIMPLE_IMAGENET_TEMPLATES)
    assert templates("ensemble", "", "en") == eighty
    assert templates("seven", "", "en") == seven
    assert templates("ensemble", "", "zh") == tuple(
        dict.fromkeys(fill("{}") for fill in openai_templates)
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_template_has_one_place_to_fill(language: str) -> None:
    for policy in ("photo", "seven", "ensemble"):
        for template in templates(policy, "x", language):  # type: ignore[arg-type]
            assert template.count("{}") == 1
            assert not re.search(r"[{}]", template.replace("{}", ""))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_photo_and_seven_are_members_of_the_ensemble(language: str) -> None:
    ensemble = set(templates("ensemble", "x", language))
    assert len(templates("photo", "x", language)) == 1
    assert len(set(templates("seven", "x", language))) == 7
    assert set(templates("photo", "x", language)) <= ensemble
    assert set(templates("seven", "x", language)) <= ensemble


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_data_names_its_source_and_licence(language: str) -> None:
    file = resources.files("imgsearch.prompts") / f"{language}.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["language"] == language
    assert document["licence"] == "MIT"
    assert document["copyright"].startswith("Copyright (c)")
    assert document["source"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a dog", "en"),
        ("", "en"),
        ("café über naïve", "en"),
        ("狗", "zh"),
        ("a photo of 狗", "zh"),
        ("〇", "zh"),
        ("㐀", "zh"),  # extension A
        ("\U00020000", "zh"),  # extension B
        ("\U0002a700", "zh"),  # extension C
        ("\U0002ebf0", "zh"),  # extension I
        ("\U00030000", "zh"),  # extension G
        ("\U000323af", "zh"),  # extension H
        ("\uf900", "zh"),  # compatibility ideograph
        ("\U0002f800", "zh"),  # compatibility supplement
        ("⼀", "zh"),  # Kangxi radical
        ("，。！", "en"),  # full-width punctuation alone says nothing
        ("ねこ", "en"),
        ("고양이", "en"),
        ("😀", "en"),
    ],
)
def test_any_han_character_makes_a_query_chinese(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        *("dogs", "a cat", "golden gate bridge", "t-shirt", "jack-o'-lantern", "iphone 15"),
        *("  dogs  ", "café", "金鱼", "狗", "红色沙发", "苹果 手机", "iPhone 手机", "\U00020000"),
    ],
)
def test_short_names_are_labels(text: str) -> None:
    assert is_label(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "a dog on grass", "dogs!", "dogs, cats", "dog.", "cat?", "-", "a {}", "😀"),
        *("x_y.jpg", "cat—dog", "一只可爱的猫", "金鱼。", "猫，狗", "红色沙发椅"),
    ],
)
def test_sentences_and_punctuation_are_no_labels(text: str) -> None:
    assert not is_label(text)


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("dogs", "en", 80),
        ("two dogs run on grass", "en", 1),
        ("金鱼", "zh", 179),
        ("两只狗在草地上奔跑", "zh", 1),
        ("Hunde", "de", 1),  # no templates to put it in
    ],
)
def test_auto_ensembles_labels_and_leaves_sentences(text: str, language: str, count: int) -> None:
    assert len(templates("auto", text, language)) == count


def test_raw_leaves_the_text_as_it_stands_in_any_language() -> None:
    assert expand("ein Hund", templates("raw", "ein Hund", "de")) == ["ein Hund"]


def test_expanding_fills_every_template_in_order() -> None:
    assert expand("cat", ["a {}.", "the {}!"]) == ["a cat.", "the cat!"]


def test_braces_in_a_query_are_only_characters() -> None:
    assert expand("{0} {x} {}", ["a {}."]) == ["a {0} {x} {}."]


def test_an_unknown_policy_or_language_says_what_there_is() -> None:
    policy: Policy = "all"  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"'all'.*auto, raw, photo, seven, ensemble"):
        templates(policy, "dogs", "en")
    with pytest.raises(UsageError, match=r"'\.\./x'.*en and zh"):
        templates("ensemble", "dogs", "../x")


def test_the_key_tells_templates_apart_and_is_stable() -> None:
    assert templates_key(["a {}", "b {}"]) == templates_key(("a {}", "b {}"))
    keys = {templates_key(t) for t in (["a {}", "b {}"], ["b {}", "a {}"], ["a {}b {}"], ["{}"])}
    assert len(keys) == 4
    assert templates_key(["{}"]) == "06d303a9b27b9a13"  # stored in libraries: must never change


def test_reading_templates_needs_no_torch() -> None:
    code = (
        "import sys; from imgsearch.prompts import templates; templates('auto', 'dogs', 'en');"
        "sys.exit(any(m in sys.modules for m in ('torch', 'open_clip', 'cn_clip', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
