"""A sentence as the words that BLEU, ROUGE-L and CIDEr count.

In: text and its language. Out: lower-case words without punctuation. English is cut as the Penn
Treebank tokenizer of coco-caption cuts it, which took all 35,000 English sentences of Flickr8K's
train and val apart as this does; URLs and rarer abbreviations are where the two may part. Chinese
is cut into characters, since a list of words would be part of the score.
"""

import re

HAN = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
CHINESE = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")

QUOTES = str.maketrans({"’": "'", "‘": "`", "“": '"', "”": '"'})
ENGLISH = re.compile(
    r"""
      \.\.\. | --                                     # an ellipsis, a dash
    | (?:mr|mrs|ms|dr|jr|sr|st|vs)\. | (?:[a-z]\.)+  # abbreviations keep their full stop
    | can(?=not\b) | (?:gon|wan)(?=na\b) | got(?=ta\b) | (?:gim|lem)(?=me\b)
    | o'clock\b | 'n'
    | n't\b | '(?:s|m|d|re|ll|ve)\b                   # what a contraction ends in
    | \d*(?:[.,:/]\d+)+                               # .5, 1,000, 5:30, 1/2
    | (?:(?!n't\b)\w)+ (?:[-./](?:(?!n't\b)\w)+)*
    | \S
    """,
    re.VERBOSE,
)
# Words in coco-caption as well: it means to drop them, and looks for their names in capitals.
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
PUNCTUATION = frozenset("'`\".?!,:;-–—…") | {"...", "--"}


def words_of(text: str, language: str) -> list[str]:
    """The words of a sentence; of Chinese (`zh`) each Han character, a run of other letters whole.

    >>> words_of("A dog's bone, and they don't dig.", "en")
    ['a', 'dog', "'s", 'bone', 'and', 'they', 'do', "n't", 'dig']
    >>> words_of("穿T恤的人。", "zh")
    ['穿', 't', '恤', '的', '人']
    """
    lowered = text.lower()
    if language == "zh":
        return CHINESE.findall(lowered)
    found = ENGLISH.findall(lowered.translate(QUOTES))
    return [BRACKETS.get(word, word) for word in found if word not in PUNCTUATION]
