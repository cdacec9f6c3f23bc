"""Texts in one sequence: what a node sees is its text, and nothing else, whatever is beside it."""

import numpy as np
import pytest

from imgsearch.encoders.packing import packs, until

WORDS = 4  # few, so that beginnings are often common


def rows_of(count: int, seed: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 9, count)
    return [tuple(random.integers(0, WORDS, length).tolist()) for length in lengths]


@pytest.mark.parametrize("most_nodes", [1, 20, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_every_text_is_read_where_its_own_tokens_end(seed: int, most_nodes: int) -> None:
    rows = rows_of(40, seed)
    found = {}
    for pack in packs(rows, most_nodes):
        for text, end in zip(pack.texts, pack.ends, strict=True):
            seen = np.flatnonzero(pack.mask[end] == 0)
            assert pack.positions[seen].tolist() == list(range(len(seen)))
            found[text] = tuple(pack.tokens[seen].tolist())
    assert found == dict(enumerate(rows))


def test_a_node_sees_itself_and_its_ancestors_only() -> None:
    rows = rows_of(60, seed=7)
    (pack,) = packs(rows, most_nodes=1000)
    beginnings = {row[:length] for row in rows for length in range(1, len(row) + 1)}
    nodes = [tuple(pack.tokens[pack.mask[node] == 0].tolist()) for node in range(len(pack.tokens))]
    assert len(nodes) == len(beginnings)  # each once
    assert set(nodes) == beginnings
    for one, row in enumerate(nodes):
        for other, ancestor in enumerate(nodes):
            is_seen = row[: len(ancestor)] == ancestor
            assert pack.mask[one, other] == (0 if is_seen else -np.inf)


def test_no_pack_has_more_nodes_than_allowed_but_for_a_single_longer_text() -> None:
    rows = rows_of(50, seed=3)
    for pack in packs(rows, most_nodes=6):
        assert len(pack.tokens) <= 6 or len(pack.texts) == 1


def test_no_texts_make_no_pack_and_equal_ones_a_single_chain() -> None:
    assert list(packs([], 10)) == []
    (pack,) = packs([(5, 5, 9)] * 3, 10)
    assert pack.tokens.tolist() == [5, 5, 9]
    assert pack.ends.tolist() == [2, 2, 2]


def test_a_text_is_read_up_to_its_first_ending() -> None:
    assert until((1, 7, 9, 7, 9), "highest") == (1, 7, 9)
    assert until((1, 7, 9, 7, 9), 7) == (1, 7)
    assert until((1, 7, 9), 8) == (1,)  # as torch reads a row without its ending
