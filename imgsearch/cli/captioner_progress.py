"""The bar of a captioner's training, on stderr: photos that are embedded, then captions learnt."""

from __future__ import annotations

from imgsearch.cli.training_progress import TrainingBar
from imgsearch.display.captioner_training import began_lines, evaluated_line
from imgsearch.training.captioner.events import Began, Embedded, Evaluated, Event, Stepped


class CaptionerProgress(TrainingBar):
    """`show` draws what the run tells."""

    def __init__(self, *, is_quiet: bool) -> None:
        super().__init__("reading", is_quiet=is_quiet)

    def show(self, event: Event) -> None:
        """Move the bar, or say how good the captioner is by now."""
        if isinstance(event, Began):
            self.say(*began_lines(event))
        elif isinstance(event, Embedded):
            self.prepare("embedding", event.photos, event.total)
        elif isinstance(event, Stepped):
            rate = f"{event.captions_per_second:,.0f} captions/s"
            self.step(event.captions, event.total, rate, event.loss)
        elif isinstance(event, Evaluated):
            self.say(evaluated_line(event))
