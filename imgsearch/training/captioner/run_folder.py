"""The folder of an unfinished captioner, from its first step to the captioner that it becomes.

Ground, a recipe and where to start go in; events come out while it trains. What happens is written
down as it happens, so that the same run goes on from here, and another one does not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from imgsearch import captioning
from imgsearch.captioning.captioner import Captioner
from imgsearch.captioning.folder import save_captioner
from imgsearch.training import logs
from imgsearch.training.captioner import curves, events
from imgsearch.training.captioner.batches import Batches
from imgsearch.training.captioner.beginnings import fresh, kept, started
from imgsearch.training.captioner.card import Card, model_card
from imgsearch.training.captioner.events import (
    Began,
    Evaluated,
    Event,
    Finished,
    Stepped,
)
from imgsearch.training.captioner.ground import Ground, precision_on
from imgsearch.training.captioner.language_models import name_of, open_words
from imgsearch.training.captioner.loop import Run, train
from imgsearch.training.captioner.measuring import Measuring, scored
from imgsearch.training.captioner.recipe import CaptionerRecipe, LanguageModel
from imgsearch.training.captioner.sentences import (
    Sentences,
    tokenized,
)
from imgsearch.training.checkpoint import CHECKPOINT
from imgsearch.training.drawing import Drawing
from imgsearch.training.model_card import PairsOnCard
from imgsearch.training.unfinished import METRICS, check_fingerprint

CURVES, BOARD = "curves.png", "tensorboard"
TRAINED = "trained"  # in the folder of a study: an empty file for each captioner that is


@dataclass
class RunFolder:
    """A run whose parts fit together, and the folder that holds its state.

    `captioner` learns in place; `base` says what it started from, `language_model` how the card
    calls that of the recipe, `hashes` are those of its files.
    """

    name: str
    folder: Path
    ground: Ground
    recipe: CaptionerRecipe
    captioner: Captioner
    sentences: Sentences
    base: str
    is_fresh: bool
    language_model: LanguageModel
    hashes: Mapping[str, str]

    @property
    def metrics(self) -> Path:
        return self.folder / METRICS

    def check_fingerprint(self) -> None:
        """The state in the folder, if any, is of this very run."""
        decides = {
            "recipe": asdict(self.recipe),
            "start": self.base,
            "languages": self.sentences.names,
            "encoder": self.ground.encoder.identity,
            **self.ground.sets.fingerprints,
        }
        if self.hashes:
            decides["language model"] = self.hashes
        check_fingerprint(self.folder, self.name, decides, is_begun=is_begun(self.folder))

    def events(self) -> Iterator[Event]:
        """Embed, train, and write down what happens."""
        self.check_fingerprint()
        logs.truncate(self.metrics, self.folder / CHECKPOINT)
        run = self._run()
        began = self._began(run)
        yield began
        yield from self.ground.embed()
        board = logs.tensorboard(self.folder / BOARD, began.goes_on_from or None)
        is_behind = bool(logs.lines(self.metrics))
        with Drawing(
            lambda: curves.draw(self.metrics, self.folder / CURVES), is_behind=is_behind
        ) as drawing:
            for event in train(run, self._measuring(), is_fresh=self.is_fresh):
                logs.append(self.metrics, event)
                if board is not None:
                    board.write(_scalars(event), event.captions)
                if isinstance(event, Evaluated) or event.step == event.steps:
                    drawing.update()
                yield event
        if board is not None:
            board.close()

    def finish(self) -> Finished:
        """Put the captioner, its card and its curves into the library."""
        made = self.folder / "captioner"
        target = self.ground.library.captioners_folder / self.name
        shutil.rmtree(made, ignore_errors=True)  # of a process that was stopped while it measured
        save_captioner(self.captioner, made, half=True)
        saved = captioning.load(str(made), device=str(self.ground.device))
        validation, embeddings = self.ground.validation, self.ground.validation_embeddings
        evaluated = [each for each in events.read(self.metrics) if isinstance(each, Evaluated)]
        kept = evaluated[-1] if evaluated else None
        if evaluated and self.recipe.keep == "best":
            kept = max(evaluated, key=lambda each: each.quality)  # the first of equals
        finished = Finished(
            name=self.name,
            folder=target,
            languages=saved.languages,
            prefix_length=saved.model.mapper_config.prefix_length,
            kept=kept,
            scores=()
            if validation is None or embeddings is None
            else scored(saved, validation, embeddings.whole(), self.sentences.names),
            unreadable=self.ground.sets.unreadable,
        )
        card = Card(
            finished,
            saved,
            self.base,
            tuple(self._only_learnt(each) for each in self.ground.sets.on_card),
            replace(self.recipe, language_model=self.language_model),
        )
        (made / "MODEL_CARD.md").write_text(model_card(card), "utf-8")
        logs.append(self.metrics, finished)
        for written in (self.metrics, self.folder / CURVES):
            if written.exists():
                shutil.copy(written, made)
        if (self.folder / BOARD).exists():
            shutil.copytree(self.folder / BOARD, made / BOARD)
        target.parent.mkdir(exist_ok=True)
        made.rename(target)
        return finished

    def _only_learnt(self, pairs: PairsOnCard) -> PairsOnCard:
        """The pairs without the texts that this run leaves alone."""
        names = self.sentences.names
        return replace(pairs, texts={each: n for each, n in pairs.texts.items() if each in names})

    def _run(self) -> Run:
        size = self.recipe.batch_size
        assert size is not None, "resolve the recipe first"
        batches = Batches(self.sentences, size, self.recipe.seed)
        return Run(
            self.captioner.model,
            batches,
            self.ground.learnt_embeddings,
            self.recipe,
            self.folder,
            norm=self.captioner.trained_on.norm,
        )

    def _began(self, run: Run) -> Began:
        seen = [each.captions for each in events.read(self.metrics) if isinstance(each, Stepped)]
        ground, learnt = self.ground, self.ground.learnt
        return Began(
            name=self.name,
            encoder=ground.encoder.name,
            parameters=sum(each.numel() for each in self.captioner.model.parameters()),
            learnt=sum(each.numel() for each in run.learnt.values()),
            words=self.captioner.tokenizer.size,
            photos=len(learnt),
            validation=len(ground.validation or ()),
            captions=self.sentences.counts,
            pictures_without_text=learnt.unpaired.pictures,
            texts_without_picture=learnt.unpaired.texts,
            goes_on_from=max(seen, default=0),
        )

    def _measuring(self) -> Measuring | None:
        validation, embeddings = self.ground.validation, self.ground.validation_embeddings
        if validation is None or embeddings is None:
            return None
        speech, tokenizer = self.captioner.speech, self.captioner.tokenizer
        names = [name for name in self.sentences.names if name in validation.languages]
        room = self.captioner.model.longest
        sentences = tokenized(validation, names, tokenizer, speech, room)
        assert self.recipe.precision != "auto", "resolve the recipe first"
        return Measuring(
            self.captioner, validation, sentences, embeddings.whole(), self.recipe.precision
        )


def is_begun(folder: Path) -> bool:
    """The folder holds the state of a run, or of a study."""
    return any((folder / each).exists() for each in (CHECKPOINT, TRAINED))


def open_run(
    name: str, folder: Path, ground: Ground, recipe: CaptionerRecipe, start: str | None
) -> RunFolder:
    """A run in its folder, with everything chosen that nobody chose.

    It begins with a mapper that has learnt nothing, or with the captioner `start`, whose shape and
    words it keeps: they take the place of the recipe's. Raises UsageError for what does not fit
    together.
    """
    torch.manual_seed(recipe.seed)
    if start is None:
        words = open_words(recipe.language_model, ground.learnt, ground.languages, folder)
        captioner, sentences = fresh(name, ground, recipe, words)
        shown, hashes = words.named(recipe.language_model), words.hashes
        base = "nothing" if words.weights is None else f"GPT-2 ({shown.source})"
        has_weights = words.weights is not None
    else:
        captioner = started(name, ground, start)
        room = captioner.model.longest
        sentences = tokenized(
            ground.learnt, ground.languages, captioner.tokenizer, captioner.speech, room
        )
        base, has_weights = f"{name_of(start)} ({captioner.identity[:12]})", True
        recipe = kept(recipe, captioner, base)
        shown, hashes = recipe.language_model, {}
    recipe = recipe.resolved(
        has_weights=has_weights,
        captions=len(sentences),
        precision=precision_on(ground.device),
    )
    return RunFolder(
        name, folder, ground, recipe, captioner, sentences, base, start is None, shown, hashes
    )


def _scalars(event: Stepped | Evaluated) -> Iterator[tuple[str, float]]:
    """Every number that changes while a run goes on, by its tag in TensorBoard."""
    if isinstance(event, Stepped):
        for field in ("loss", "rate", "captions_per_second"):
            yield f"stepped/{field}", getattr(event, field)
        return
    for name, loss in event.losses.items():
        yield f"evaluated/{name}/loss", loss
    for row in event.scores:
        named = {f"bleu_{n}": score for n, score in enumerate(row.bleu, 1)}
        for metric, value in {**named, "rouge_l": row.rouge_l, "cider": row.cider}.items():
            yield f"evaluated/{row.language}/{metric}", value
