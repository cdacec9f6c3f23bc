"""Text files as people save them, read line by line, and what is wrong told with its line.

A path goes in; text comes out without byte order mark and with plain line ends. UTF-16 is read
where its mark says so (spreadsheets write it); everything else has to be UTF-8, because a guessed
encoding turns captions into noise that nobody notices.
"""

import codecs
import io
import json
from collections.abc import Iterator
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.prompts import language_of

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
HEAD_BYTES = 1 << 16


def as_text(content: bytes, source: str) -> str:
    """Bytes as text with line feeds alone. Raises UsageError naming the source."""
    encoding = "utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no UTF-8 text ({error}); save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def bytes_of(path: Path) -> bytes:
    """All of a file. Raises UsageError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def text_of(path: Path) -> str:
    """All of a text file. Raises UsageError where it cannot be read or is no UTF-8."""
    return as_text(bytes_of(path), str(path))


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1.

    Raises UsageError where it cannot be read or is no UTF-8.
    """
    head = head_of(path)
    encoding = "utf-16" if head.startswith(UTF_16_MARKS) else "utf-8-sig"
    try:
        with open(path, encoding=encoding) as lines:  # only \n, \r and \r\n end a line here
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text ({error}); save it as UTF-8") from error


def head_of(path: Path) -> bytes:
    """The first 64 KiB of a file. Raises UsageError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def text_head(path: Path) -> str | None:
    """The first 64 KiB of a text file, maybe cut within a line; None for what is no text."""
    head = head_of(path)
    encoding = "utf-16" if head.startswith(UTF_16_MARKS) else "utf-8-sig"
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)("strict"), translate=True
    )
    try:
        text = decoder.decode(head)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def parsed_json(text: str, source: str, shape: str) -> object:
    """What a JSON text says. Raises UsageError naming the source and the shape expected."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source} is no JSON ({error}): expected {shape}") from error


def json_object(content: bytes | str, source: str, shape: str) -> dict[str, object]:
    """A JSON object. Raises UsageError naming the source and the shape expected."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no JSON ({error}): expected {shape}") from error
    found = parsed_json(text, source, shape)
    if not isinstance(found, dict):
        raise UsageError(f"{source} holds no object: expected {shape}")
    return found


def by_language(sentences: list[str]) -> dict[str, tuple[str, ...]]:
    """Sentences under the language each is written in, in their order; empty ones are left out."""
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        if stripped := sentence.strip():
            found.setdefault(language_of(stripped), []).append(stripped)
    return {language: tuple(each) for language, each in found.items()}
