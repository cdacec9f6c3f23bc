"""Texts packed into one sequence in which a common beginning stands once.

In: rows of token ids. Out: packs for a tower in which no token looks ahead. What such a tower
computes for a token depends on the tokens before it alone, so texts form a tree: a node is a token
behind a certain beginning, it sees itself and its ancestors, and the answer to a text is read at
its last node. One text is a chain, sentences need no padding, and the 80 prompts of "a dog" are 482
nodes instead of 756 tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Row = Sequence[int]
Ending = int | Literal["highest"]  # where a text is answered: at its first token of that id


@dataclass(frozen=True)
class Pack:
    """Nodes in an order in which parents come before their children.

    `texts` are the places of the packed rows among all that were given, `ends` (n,) their last
    nodes. Each of the m nodes has its token and its position in its texts, both (m,) int64; `mask`
    (m, m) float32 is added to attention: 0 where a node of that row sees one of that column, else
    minus infinity.
    """

    texts: list[int]
    tokens: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    mask: npt.NDArray[np.float32]
    ends: npt.NDArray[np.int64]

    @property
    def inputs(self) -> dict[str, npt.NDArray[Any]]:
        """What a tower takes, in its order."""
        return {name: getattr(self, name) for name in ("tokens", "positions", "mask", "ends")}


def packs(rows: Sequence[Row], most_nodes: int) -> Iterator[Pack]:
    """All rows, none of them empty, in packs of at most so many nodes; a longer row has one of its
    own."""
    texts: list[int] = []
    nodes = 0
    for text in sorted(range(len(rows)), key=lambda each: tuple(rows[each])):
        shared = _shared(rows[texts[-1]], rows[text]) if texts else 0
        if texts and nodes + len(rows[text]) - shared > most_nodes:
            yield _packed(rows, texts)
            texts, nodes, shared = [], 0, 0
        texts.append(text)
        nodes += len(rows[text]) - shared
    if texts:
        yield _packed(rows, texts)


def until(row: Row, ending: Ending) -> Row:
    """A row up to the token where its text is answered: the first of the ending, or of the highest
    id in it. What stands behind it is seen by nothing that is read."""
    end = max(row) if ending == "highest" else ending
    return row[: (row.index(end) if end in row else 0) + 1]  # 0: what an argmax makes of none


def _packed(rows: Sequence[Row], texts: list[int]) -> Pack:
    """Rows in sorted order, where each shares as much with the one before as with any before."""
    tokens: list[int] = []
    parents: list[int] = []  # of a root: itself
    positions: list[int] = []
    ends: list[int] = []
    before: Row = ()
    path: list[int] = []  # the nodes of that row
    for text in texts:
        row = rows[text]
        del path[_shared(before, row) :]
        for position in range(len(path), len(row)):
            node = len(tokens)
            tokens.append(row[position])
            parents.append(path[-1] if path else node)
            positions.append(position)
            path.append(node)
        ends.append(path[-1])
        before = row
    return Pack(
        texts,
        np.array(tokens, np.int64),
        np.array(positions, np.int64),
        _mask(parents),
        np.array(ends, np.int64),
    )


def _mask(parents: Sequence[int]) -> npt.NDArray[np.float32]:
    mask = np.full((len(parents), len(parents)), -np.inf, np.float32)
    for node, parent in enumerate(parents):
        mask[node, :node] = mask[parent, :node]
        mask[node, node] = 0
    return mask


def _shared(one: Row, other: Row) -> int:
    """How many tokens two rows begin with in common."""
    for place, (token, its) in enumerate(zip(one, other, strict=False)):
        if token != its:
            return place
    return min(len(one), len(other))
