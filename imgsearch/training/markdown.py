"""What model cards are made of: rows of tables, code, and values in words.

Plain values go in, Markdown comes out, the same for the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(inline(each) for each in cells)} |"


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ("", "")) -> str:
    """A table; without a head, of names and values."""
    top = row(head) if any(head) else "| | |"
    return "\n".join([top, "|---" * len(head) + "|", *map(row, rows)])


def inline(text: str) -> str:
    """On one line, and no column's end: names of files may hold anything."""
    return " ".join(text.split()).replace("|", r"\|")


def indented(code: str) -> str:
    """A block of code."""
    return "\n".join(f"    {line}".rstrip() for line in code.splitlines())


def in_words(value: object) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count:,}" for name, count in value.items())
    if isinstance(value, tuple):
        return ", then ".join(in_words(each) for each in value)
    return str(value)
