"""BLEU, ROUGE-L and CIDEr against pycocoevalcap on sentences written here, and against hands.

The values of `ORACLE` were computed by pycocoevalcap 1.2 (`pip install pycocoevalcap==1.2`) on
`CANDIDATES` and `REFERENCES` and on parts of them:

    truth, found = dict(enumerate(references)), {i: [each] for i, each in enumerate(candidates)}
    Bleu(4).compute_score(truth, found)[0], Rouge().compute_score(truth, found)[0]
    Cider().compute_score(truth, found)[0]
"""

import math

import pytest

from imgsearch.metrics import bleu, cider, rouge_l, words_of

# Both are words between single spaces, cut already: the oracle's cutter needs Java.
CANDIDATES = [
    "a black dog runs on the beach",
    "a man rides a bike",
    "",
    "dog",
    "two children play in the snow",
    "a a a a a a a a",
    "the man the dog the beach the man the dog the beach " * 6 + "in the snow",
    "a woman in a red coat holds an umbrella in the rain",
    "一 只 狗 在 海 滩 上 奔 跑",
    "the the cat",
    "people",
    "a little girl is blowing bubbles in the garden and a boy looks at her",
]
REFERENCES = [
    ["a black dog is running on the beach", "a dog runs along the sea", "the dog runs"],
    ["a cyclist on the road", "a man on a bike rides down a hill"],
    ["a house by a lake", "a lake"],
    ["a dog sleeps", "dog on a sofa", "one brown dog lies on a sofa and sleeps"],
    ["two children play in the snow", "kids in the snow", "two kids play", "snow", "winter"],
    ["a a b a", "a cat and a dog"],
    ["the man and the dog on the beach", "a man with his dog in the snow"],
    ["a woman with an umbrella walks in the rain", "a woman in a red coat"],
    ["狗 在 海 滩 上 跑", "一 只 黑 色 的 狗 在 海 边 奔 跑", "沙 滩 上 的 狗"],
    ["the cat sat on the mat", "the cat is on the mat"],
    ["many people walk through a city", "a crowd", "people on a street at night"],
    ["a girl is blowing bubbles in a garden", "a boy looks at a girl who is blowing bubbles"],
]
ORACLE = [  # the first and the last of them, BLEU-1 to BLEU-4, ROUGE-L, CIDEr
    (
        (0, 12),
        (0.4507042253489387, 0.3709711724548399, 0.2825640001519355, 0.21647920431757972),
        (0.5399072141549536, 1.5599864262841379),
    ),
    (
        (0, 1),
        (0.9999999998571429, 0.9128709290339994, 0.6933612742328735, 9.554427920229466e-05),
        (0.7904967602591793, 0.0),
    ),
    ((2, 3), (0.0, 0.0, 0.0, 0.0), (0.0, 0.0)),
    (
        (2, 5),
        (0.5647181218464112, 0.5647181218302765, 0.5647181218154863, 0.5647181217963262),
        (0.4862155388471178, 1.376027687719734),
    ),
    (
        (4, 5),
        (0.9999999996666668, 0.9999999996500001, 0.999999999627778, 0.9999999995958335),
        (1.0, 0.0),
    ),
    (
        (6, 9),
        (0.2812499999970703, 0.23970748302491193, 0.17911050615114255, 0.1348042187434633),
        (0.6126461176826749, 2.1558780664680977),
    ),
]


@pytest.mark.parametrize(("part", "bleus", "others"), ORACLE, ids=lambda each: str(each)[:8])
def test_a_set_scores_what_pycocoevalcap_gives_it(
    part: tuple[int, int], bleus: tuple[float, ...], others: tuple[float, float]
) -> None:
    candidates = [each.split() for each in CANDIDATES[slice(*part)]]
    references = [[each.split() for each in among] for among in REFERENCES[slice(*part)]]
    assert bleu(candidates, references) == pytest.approx(bleus, rel=1e-12, abs=1e-15)
    found = (rouge_l(candidates, references), cider(candidates, references))
    assert found == pytest.approx(others, rel=1e-12, abs=1e-15)


def test_the_nearest_reference_sets_the_length_and_the_shorter_of_two_as_near() -> None:
    five = ["a", "b", "c", "d", "e"]
    as_near = bleu([five], [[five[:3], [*five, "f", "g"]]])
    assert as_near[0] == pytest.approx(1.0), "3 words are as near as 7: nothing is too short"
    assert bleu([five], [[[*five, "f", "g"]]])[0] == pytest.approx(math.exp(1 - 7 / 5))


def test_rouge_weighs_recall_as_beta_says() -> None:
    precision, recall = 1 / 2, 1 / 4  # b of "a b", b of "b c d e"
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert rouge_l([["a", "b"]], [[["b", "c", "d", "e"]]]) == pytest.approx(expected)


def test_cider_of_words_that_are_in_every_photo_is_nothing() -> None:
    alike = [["a", "dog"], ["a", "dog"]]
    assert cider(alike, [[each] for each in alike]) == 0.0
    different = [["a", "red", "fat", "dog"], ["one", "blue", "thin", "cat"]]
    assert cider(different, [[each] for each in different]) == pytest.approx(10.0)


@pytest.mark.parametrize("metric", [bleu, rouge_l, cider])
def test_candidates_without_references_are_refused(metric: object) -> None:
    assert callable(metric)
    for candidates, references in (([], []), ([["a"]], [[]])):
        with pytest.raises(ValueError, match="has to have a reference"):
            metric(candidates, references)
    with pytest.raises(ValueError, match="1 candidates and the references of 2"):
        metric([["a"]], [[["a"]], [["b"]]])


# As `java -cp stanford-corenlp-3.4.1.jar edu.stanford.nlp.process.PTBTokenizer -preserveLines
# -lowerCase` cuts them, without the punctuation that pycocoevalcap's tokenizer drops.
CUT = {
    "A dog's bone, and the dogs' bowl; don't can't cannot won't!": (
        "a dog 's bone and the dogs bowl do n't ca n't can not wo n't"
    ),
    'He said "hello" (loudly) - a well-known man -- in grey colour, theatre.': (
        "he said hello -lrb- loudly -rrb- a well-known man in grey colour theatre"
    ),
    "gonna wanna gotta lemme gimme 3.5 1,000 1/2 and/or T-shirt's o'clock": (
        "gon na wan na got ta lem me gim me 3.5 1,000 1/2 and/or t-shirt 's o'clock"
    ),
    "I'm you're he'll they've she'd ... it's 5:30 p.m. Mr. Smith's U.S. flag & #1 $5 50%": (
        "i 'm you 're he 'll they 've she 'd it 's 5:30 p.m. mr. smith 's u.s. flag & # 1 $ 5 50 %"
    ),
    "“quoted” ‘single’ men’s isn’t – — … [a_b] café naïve 5'10\" w/ rock'n'roll": (
        "quoted single men 's is n't -lsb- a_b -rsb- café naïve 5 10 w / rock 'n' roll"
    ),
    'black-and-white . Dogs , at&t . the letter " P. " at the U. of Miami': (
        "black-and-white dogs at & t the letter p. at the u. of miami"
    ),
    "2.5 or .5 miles,then red,white:blue -dog well--known word-": (
        "2.5 or .5 miles then red white blue dog well known word"
    ),
    "": "",
}


@pytest.mark.parametrize("sentence", CUT)
def test_english_is_cut_as_the_penn_treebank_tokenizer_cuts_it(sentence: str) -> None:
    assert words_of(sentence, "en") == CUT[sentence].split()


def test_chinese_is_cut_into_characters_and_runs_of_other_letters() -> None:
    assert words_of("穿T恤的3个人，在“KFC 24h”前。𠮷", "zh") == [
        *("穿", "t", "恤", "的", "3", "个", "人", "在", "kfc", "24h", "前", "𠮷")
    ]
