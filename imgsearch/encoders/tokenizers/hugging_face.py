"""Any tokenizer that lies in a folder of Hugging Face files, as open_clip drives it.

In: a folder, and the tokenizer's part of an open_clip configuration. Out: the ids of open_clip's
`HFTokenizer`. The `transformers` package reads the folder; what is saved of it is read by the
`tokenizers` package alone, a search's time sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from imgsearch.encoders.tokenizers import DEFAULT_CONTEXT, REMEMBERED, Tokenizer, cleaning
from imgsearch.errors import UsageError

SAVED = "tokenizer.json"
Split = Callable[[str, bool], list[int]]
MISSING = 'this tokenizer needs the {} package: pip install "imgsearch[xlm]"'


@dataclass(frozen=True)
class Layout:
    """How open_clip lays out a row around the tokens of a text.

    Where `last` is given (`tokenizer_mode` "clips") a row is `begin`, tokens, `end`, padding up to
    the context, and the class token `last`. `dropped` is an id that is replaced by 0. With
    `is_padded_left` the padding comes first.
    """

    context: int
    padding: int
    clean: str
    begin: int | None = None
    end: int | None = None
    last: int | None = None
    dropped: int | None = None
    is_padded_left: bool = False


class FromFolder(Tokenizer):
    """A Hugging Face tokenizer. `split` makes ids of a clean text, with the special ones or
    without; `fast` is what the `tokenizers` package has of it, None where that has none."""

    def __init__(self, layout: Layout, split: Split, fast: Any) -> None:
        self.context, self.padding = layout.context, layout.padding
        self._layout = layout
        self._clean = cleaning.cleaner(layout.clean)
        self._split = split
        self._fast = fast
        self._encoded = lru_cache(REMEMBERED)(self._encode)

    @classmethod
    def read(cls, text_config: Mapping[str, Any], folder: Path) -> FromFolder:
        """The one whose files lie in a folder. Raises UsageError without `transformers`."""
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise UsageError(MISSING.format("transformers")) from error
        options = dict(text_config.get("tokenizer_kwargs") or {})
        clean = options.pop("clean", "whitespace")
        drops_end, language = options.pop("strip_sep_token", False), options.pop("language", None)
        found: Any = AutoTokenizer.from_pretrained(str(folder), **options)
        if language is not None:
            found.set_src_lang_special_tokens(language)
        has_class_token = text_config.get("tokenizer_mode") == "clips"
        layout = Layout(
            context=int(text_config.get("context_length", DEFAULT_CONTEXT)),
            padding=int(found.pad_token_id or 0),
            clean=clean,
            begin=found.bos_token_id if has_class_token else None,
            end=found.eos_token_id if has_class_token else None,
            last=found.cls_token_id if has_class_token else None,
            dropped=found.sep_token_id if drops_end else None,
            is_padded_left=found.padding_side == "left",
        )

        def split(text: str, has_special: bool) -> list[int]:
            ids: list[int] = found(text, add_special_tokens=has_special)["input_ids"]
            return ids

        return cls(layout, split, found.backend_tokenizer if found.is_fast else None)

    @classmethod
    def saved(cls, settings: Mapping[str, Any], folder: Path) -> FromFolder:
        """What `save` wrote. Raises UsageError without the `tokenizers` package."""
        try:
            import tokenizers
        except ImportError as error:
            raise UsageError(MISSING.format("tokenizers")) from error
        fast = tokenizers.Tokenizer.from_file(str(folder / SAVED))

        def split(text: str, has_special: bool) -> list[int]:
            ids: list[int] = fast.encode(text, add_special_tokens=has_special).ids
            return ids

        return cls(Layout(**settings["layout"]), split, fast)

    def save(self, folder: Path) -> dict[str, Any]:
        """Raises UsageError for one that only `transformers` can run."""
        if self._fast is None:
            raise UsageError(
                f"this tokenizer is written in Python, without a {SAVED} of its own, so it cannot "
                "be saved; use its encoder with torch"
            )
        self._fast.no_truncation()
        self._fast.no_padding()
        self._fast.save(str(folder / SAVED))
        return {"kind": "hugging_face", "layout": asdict(self._layout)}

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text of any length; a whole row where one ends in a class token or
        begins with padding."""
        return self._encoded(text)

    def length(self, text: str) -> int:
        extra = self._layout.last is not None
        return len(self._split(self._clean(text), True)) + extra

    def _encode(self, text: str) -> tuple[int, ...]:
        layout = self._layout
        if layout.last is not None:
            assert layout.begin is not None and layout.end is not None
            inner = self._split(self._clean(text), False)[: self.context - 3]
            filling = [self.padding] * (self.context - 3 - len(inner))
            return (layout.begin, *inner, layout.end, *filling, layout.last)
        ids = [0 if id == layout.dropped else id for id in self._split(self._clean(text), True)]
        if layout.is_padded_left:
            ids = [self.padding] * (self.context - len(ids)) + ids
        return tuple(ids)
