"""How good captions are: BLEU, ROUGE-L and CIDEr over a whole set, as the COCO evaluation has them.

In: candidates, one sentence a photo, and references, one or more a photo, both as words (`words_of`
makes them). Out: plain floats. The numbers are those of coco-caption (pycocoevalcap 1.2), in which
papers report, its constants and its oddities included: a better formula would compare with nothing.
METEOR and SPICE are left out, since they need Java and its word nets.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Words: TypeAlias = Sequence[str]
Ngram: TypeAlias = tuple[str, ...]

LONGEST = 4  # words of an n-gram, in BLEU and in CIDEr
TINY, SMALL = 1e-15, 1e-9  # coco-caption's: no right n-gram is no zero, no n-gram no division by it
RECALL_WEIGHT = 1.2  # ROUGE's beta
LENGTH_DEVIATION = 6.0  # CIDEr-D's sigma, in words


def bleu(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> tuple[float, float, float, float]:
    """BLEU-1 to BLEU-4 of the set (Papineni et al. 2002), in [0, 1]: not a mean over sentences.

    Of several references the one nearest in length counts for brevity, the shorter of two. The
    paper has no smoothing; coco-caption adds 1e-15 to the right n-grams, so that none is no zero.
    Raises ValueError where there is no candidate, or one without a reference.
    """
    _check(candidates, references)
    right, given = [0] * LONGEST, [0] * LONGEST
    length = nearest = 0
    for candidate, among in zip(candidates, references, strict=True):
        most: Counter[Ngram] = Counter()
        for reference in among:
            most |= _ngrams(reference)  # of each n-gram the most that one reference has
        for ngram, count in (_ngrams(candidate) & most).items():
            right[len(ngram) - 1] += count
        for order in range(LONGEST):
            given[order] += max(0, len(candidate) - order)
        length += len(candidate)
        nearest += min((abs(len(each) - len(candidate)), len(each)) for each in among)[1]
    ratio = (length + TINY) / (nearest + SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    one, two, three, four = _geometric_means(right, given)
    return one * brevity, two * brevity, three * brevity, four * brevity


def rouge_l(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """ROUGE-L (Lin 2004), the mean over candidates, in [0, 1]; recall weighs 1.2 times precision.

    As coco-caption has it, the best precision and the best recall may be of two references, where
    the paper takes the F-score of one; and a sentence without words is one empty word.
    Raises ValueError where there is no candidate, or one without a reference.
    """
    _check(candidates, references)
    total = 0.0
    for candidate, among in zip(candidates, references, strict=True):
        words, known = candidate or ("",), [reference or ("",) for reference in among]
        common = [_longest_common_subsequence(words, reference) for reference in known]
        if longest := max(common):
            precision = longest / len(words)
            recall = max(count / len(each) for count, each in zip(common, known, strict=True))
            weight = RECALL_WEIGHT**2
            total += (1 + weight) * precision * recall / (recall + weight * precision)
    return total / len(candidates)


def cider(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """CIDEr-D (Vedantam et al. 2015), the mean over candidates, in [0, 10]; papers print it x100.

    How rare an n-gram is, is counted on the photos whose references are given: a single photo
    scores 0, and scores of sets of two sizes do not compare. Differs from the paper as coco-caption
    does: no stemming, and length is counted in pairs of words.
    Raises ValueError where there is no candidate, or one without a reference.
    """
    _check(candidates, references)
    counted = [[_ngrams(reference) for reference in among] for among in references]
    photos = Counter(ngram for among in counted for ngram in set().union(*among))
    rarity = {ngram: math.log(len(references) / count) for ngram, count in photos.items()}
    unknown = math.log(len(references))
    total = 0.0
    for candidate, among in zip(candidates, counted, strict=True):
        weighed = _Weighed(_ngrams(candidate), rarity, unknown)
        likeness = sum(weighed.likeness(_Weighed(each, rarity, unknown)) for each in among)
        total += 10 * likeness / len(among)
    return total / len(candidates)


class _Weighed:
    """A sentence as CIDEr sees it: its n-grams weighed by how rare they are."""

    def __init__(self, ngrams: Counter[Ngram], rarity: dict[Ngram, float], unknown: float) -> None:
        self.weights = {
            ngram: count * rarity.get(ngram, unknown) for ngram, count in ngrams.items()
        }
        squares = [0.0] * LONGEST
        for ngram, weight in self.weights.items():
            squares[len(ngram) - 1] += weight * weight
        self.norms = [math.sqrt(square) for square in squares]
        self.pairs = sum(count for ngram, count in ngrams.items() if len(ngram) == 2)

    def likeness(self, reference: "_Weighed") -> float:
        """The mean over orders of the clipped cosine, less where the lengths differ; in [0, 1]."""
        products = [0.0] * LONGEST
        for ngram, weight in self.weights.items():
            if other := reference.weights.get(ngram):
                products[len(ngram) - 1] += min(weight, other) * other
        lengths = zip(products, self.norms, reference.norms, strict=True)
        cosines = (product / (one * other) for product, one, other in lengths if one and other)
        difference = self.pairs - reference.pairs
        penalty = math.exp(-(difference**2) / (2 * LENGTH_DEVIATION**2))
        return sum(cosines) * penalty / LONGEST


def _ngrams(words: Words) -> Counter[Ngram]:
    """How often each run of one to four words is there."""
    return Counter(
        ngram
        for order in range(1, LONGEST + 1)
        for ngram in zip(*(words[start:] for start in range(order)), strict=False)
    )


def _geometric_means(right: Sequence[int], given: Sequence[int]) -> Iterator[float]:
    """Of the first n precisions, for n = 1 to 4."""
    product = 1.0
    for order, (hits, count) in enumerate(zip(right, given, strict=True), 1):
        product *= (hits + TINY) / (count + SMALL)
        yield product ** (1 / order)


def _longest_common_subsequence(one: Words, other: Words) -> int:
    """Its length, a row of the table at a time: bits of an integer (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    everywhere = (1 << len(one)) - 1
    row = everywhere  # a bit is cleared where the subsequence has grown by one
    for word in other:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & everywhere
    return len(one) - row.bit_count()


def _check(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
    if len(candidates) != len(references):
        raise ValueError(
            f"{len(candidates)} candidates and the references of {len(references)}: they must match"
        )
    if not candidates or not all(references):
        raise ValueError("every candidate has to have a reference, and there must be one candidate")
