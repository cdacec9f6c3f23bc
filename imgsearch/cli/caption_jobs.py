"""What `imgsearch caption` does once its options are read: caption, preview, import or export.

A library goes in. Captioning is a bar on stderr while it runs and a table on stdout when it is
done.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.cli import frame
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.captioning import Captioner, Decoding
    from imgsearch.catalog import Ids
    from imgsearch.describing import Preview, Selection
    from imgsearch.library import Library


@dataclass(frozen=True)
class Job:
    """A library, the languages asked for, and how to answer."""

    library: Library
    languages: Sequence[str] | None
    wait: bool
    is_json: bool
    is_quiet: bool

    def caption(self, captioner: Captioner, decoding: Decoding, selection: Selection) -> None:
        """Make captions; what is left undone is said however quiet the run is."""
        from imgsearch.cli.caption_progress import CaptionProgress
        from imgsearch.describing import Finished
        from imgsearch.describing import caption as make_captions
        from imgsearch.display import captions as forms

        with (
            self.library.lock(wait=self.wait),
            CaptionProgress("reading text beside photos", is_quiet=self.is_quiet) as progress,
        ):
            for event in make_captions(
                self.library,
                languages=self.languages,
                captioner=captioner,
                decoding=decoding,
                selection=selection,
            ):
                progress.show(event)
        assert isinstance(event, Finished)
        if self.is_json:
            frame.write(forms.finished_json(event))
        elif not self.is_quiet:
            frame.show(forms.finished_page(event))
        for line in forms.left_lines(event.began):
            frame.complain(line, style="yellow")

    def preview(
        self,
        captioner: Captioner,
        decoding: Decoding,
        selection: Selection,
        count: int,
        sheet: Path | None,
    ) -> None:
        """Show a few captions and write none.

        A sheet that nobody named is for a person to look at: it takes no other's place, and scripts
        get none.
        """
        from imgsearch.describing import preview
        from imgsearch.display import captions as forms

        previews = preview(
            self.library,
            count,
            languages=self.languages,
            captioner=captioner,
            decoding=decoding,
            selection=selection,
        )
        if self.is_json:
            frame.write(forms.previews_json(previews))
        else:
            frame.show(forms.previews_table(previews))
        if sheet is None and not (self.is_json or self.is_quiet):
            sheet = _unused()
        if previews and sheet is not None:
            _save(previews, f"{captioner.name}: {len(previews):,} photos", sheet)
        elif not previews:
            frame.complain("every photo has its caption; nothing would be made", style="yellow")

    def take_in(self, paths: Sequence[Path]) -> None:
        """Import captions."""
        from imgsearch.cli.caption_progress import CaptionProgress
        from imgsearch.describing import import_captions
        from imgsearch.display import captions as forms

        with (
            self.library.lock(wait=self.wait),
            CaptionProgress("taking captions in", is_quiet=self.is_quiet) as progress,
        ):
            imported = import_captions(self.library, paths, progress=progress.count)
        if self.is_json:
            frame.write(forms.counts_json(imported))
        elif not self.is_quiet:
            frame.show(forms.imported_page(imported))

    def write_out(self, target: str, only: Ids | None) -> None:
        """Export captions, of `only` these photos."""
        from imgsearch.describing import export_captions
        from imgsearch.display import captions as forms

        exported = export_captions(
            self.library,
            "sidecars" if target == "sidecars" else frame.expanded(target),
            languages=self.languages,
            only=only,
        )
        where = "text beside the photos" if target == "sidecars" else target
        if self.is_json:
            frame.write(forms.counts_json(exported))
        elif not self.is_quiet:
            frame.show(forms.exported_page(exported, where))


def _unused() -> Path:
    """captions.png, or captions-2.png and so on where that is there."""
    names = (f"captions-{number}.png" for number in itertools.count(2))
    every = itertools.chain(["captions.png"], names)
    return next(path for name in every if not os.path.lexists(path := Path(name)))


def _save(previews: Sequence[Preview], title: str, target: Path) -> None:
    from imgsearch.display.captions import previews_sheet

    try:
        previews_sheet(previews, title).save(target)
    except (OSError, ValueError) as error:  # ValueError: an ending Pillow cannot write
        raise UsageError(
            f"the contact sheet cannot be written to {str(target)!r} ({error}); "
            "give a path ending in .png in a folder that exists"
        ) from error
    frame.complain(f"contact sheet: {target}", style="dim")
