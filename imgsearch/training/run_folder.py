"""The folder of an unfinished run, from its first step to the encoder that it becomes.

Towers, a resolved recipe and material go in; events come out while it trains. What happens is
written down as it happens, so that the same run goes on from here, and another one does not.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from imgsearch.library import Library
from imgsearch.pairs import LabelledPhotos
from imgsearch.training import curves, encoder_folder, logs
from imgsearch.training.checkpoint import CHECKPOINT
from imgsearch.training.drawing import Drawing
from imgsearch.training.events import Began, Evaluated, Event, Finished, Stepped, score_of
from imgsearch.training.loop import train
from imgsearch.training.material import Pairs, Sets, texts_by_language
from imgsearch.training.measuring import Measuring
from imgsearch.training.model_card import Card, model_card
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.sets import TrainingSet, captioned_set, labelled_set
from imgsearch.training.squares import Squares
from imgsearch.training.towers import Towers
from imgsearch.training.unfinished import METRICS, check_fingerprint

CURVES = "curves.png"
FREE = ("micro_batch", "checkpoint_activations")  # may change in a run: the gradient does not
ROOM_TO_CROP = 1.125  # squares are held this much larger than the tower's input


@dataclass
class RunFolder:
    """A run whose parts fit together, and the folder that holds its state."""

    name: str
    folder: Path
    towers: Towers
    recipe: Recipe
    sets: Sets
    base: str
    squares: Squares | None = None  # of the photos learnt from, once training

    @property
    def metrics(self) -> Path:
        return self.folder / METRICS

    def check_fingerprint(self) -> None:
        """The state in the folder, if any, is of this very run."""
        recipe = {key: value for key, value in asdict(self.recipe).items() if key not in FREE}
        decides = {"recipe": recipe, "start": self.base, **self.sets.fingerprints}
        is_begun = (self.folder / CHECKPOINT).exists()
        check_fingerprint(self.folder, self.name, decides, is_begun=is_begun)

    def began(self) -> Began:
        """What the run works with."""
        learnt, sets = self.sets.learnt, self.sets
        seen = [each.photos for each in logs.read(self.metrics) if isinstance(each, Stepped)]
        return Began(
            encoder=self.base,
            parameters=self.towers.parameters,
            learnt=len(learnt),
            validation=len(sets.validation or ()),
            guard=len(sets.guard or ()),
            texts=texts_by_language(learnt),
            pictures_without_text=learnt.unpaired.pictures,
            texts_without_picture=learnt.unpaired.texts,
            goes_on_from=max(seen, default=0),
        )

    def events(self, ranks: Ranks) -> Iterator[Event]:
        """Train, and write down what happens."""
        side = math.ceil(ROOM_TO_CROP * max(stage.size for stage in self.recipe.stages))
        learnt = self._set("pairs", self.sets.learnt, side)
        held_out = None
        validation = self.sets.validation
        if validation is not None:
            held_out = self._set("validation", validation, self.recipe.stages[-1].size)
        measuring = Measuring(self.towers, self.recipe, validation, self.sets.guard, held_out)
        board = None
        self.squares = learnt.squares
        if ranks.is_first:
            logs.truncate(self.metrics, self.folder / CHECKPOINT)
            began = self.began()
            board = logs.tensorboard(self.folder / "tensorboard", began.goes_on_from or None)
            yield began
        measure = measuring if ranks.is_first else None
        is_behind = ranks.is_first and bool(logs.lines(self.metrics))
        with Drawing(
            lambda: curves.draw(self.metrics, self.folder / CURVES), is_behind=is_behind
        ) as drawing:
            for event in train(
                self.towers, [learnt], self.recipe, self.folder, measure=measure, ranks=ranks
            ):
                if not ranks.is_first:
                    continue
                logs.append(self.metrics, event)
                if board is not None:
                    board.add(event)
                if isinstance(event, Evaluated):
                    drawing.update()
                yield event
        if board is not None:
            board.close()

    def _set(self, name: str, pairs: Pairs, side: int) -> TrainingSet:
        squares = Squares(pairs.pictures, side, self.towers.fit)
        languages = languages_of(pairs, self.towers)
        if isinstance(pairs, LabelledPhotos):
            return labelled_set(name, pairs, squares, languages)
        by_label = self.recipe.objective.loss == "same-label"
        return captioned_set(name, pairs, squares, languages, by_label)

    def finish(self, library: Library) -> Finished:
        """Put the encoder, its card and its curves into the library; forget the run's state."""
        evaluated = [each for each in logs.read(self.metrics) if isinstance(each, Evaluated)]
        before, after = evaluated[0], evaluated[-1]
        if self.recipe.keep == "best" and after.score is not None:
            after = max(evaluated, key=lambda each: each.score or 0.0)  # the first of equals
        target = library.models_folder / self.name
        reasons = _reasons(before, after, self.recipe)
        bad = self.squares.bad.values() if self.squares else ()
        unreadable = (*self.sets.unreadable, *bad)
        finished = Finished(self.name, target, before, after, reasons, unreadable)
        made = self.folder / "encoder"
        self.towers.save(made, self.name)
        (made / "MODEL_CARD.md").write_text(model_card(self._card(finished)), "utf-8")
        for name in (METRICS, CURVES, "tensorboard"):
            if (self.folder / name).exists():
                (self.folder / name).replace(made / name)
        library.models_folder.mkdir(exist_ok=True)
        made.rename(target)
        return finished

    def _card(self, finished: Finished) -> Card:
        encoder = self.towers.encoder
        return Card(
            name=self.name,
            base=self.base,
            architecture=encoder_folder.architecture_of(encoder),
            languages=self.towers.languages,
            pairs=self.sets.on_card,
            recipe=self.recipe,
            before=finished.before,
            after=finished.after,
            reasons=finished.reasons,
            loading=encoder_folder.how_to_load(encoder),
        )


def languages_of(pairs: Pairs, towers: Towers) -> list[str]:
    """The languages of the pairs that the towers know; a named set counts as its language."""
    found = dict.fromkeys(each.split("_")[0] for each in pairs.languages)
    return [language for language in found if language in towers.languages]


def _reasons(before: Evaluated, after: Evaluated, recipe: Recipe) -> tuple[str, ...]:
    """Why the new encoder should not take the old one's place; none where it should."""
    reasons = []
    if before.score is None or after.score is None:
        reasons.append("nothing was held out to measure it on")
    elif after.score <= before.score:
        reasons.append(
            f"on the validation pairs it is no better: {after.score:.1%} after, "
            f"{before.score:.1%} before"
        )
    old, new = score_of(before.guard), score_of(after.guard)
    if old is not None and new is not None and old - new > recipe.largest_guard_loss:
        reasons.append(
            f"it forgot what the guard pairs show: {new:.1%} after, {old:.1%} before, more than "
            f"the {recipe.largest_guard_loss:.1%} allowed"
        )
    return tuple(reasons)
