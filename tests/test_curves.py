"""What a run wrote down: events back as they were, the picture's lines, TensorBoard's scalars."""

import importlib.util
import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from imgsearch.errors import UsageError
from imgsearch.evaluating import Measurement
from imgsearch.training import curves, drawing, logs
from imgsearch.training.drawing import Drawing
from imgsearch.training.events import Evaluated, Event, Finished, Health, Stepped

LANGUAGES = ("en", "zh", "zh_translated")


def measured(language: str, recall: float) -> Measurement:
    metrics = {
        f"{way}_{name}": share * recall
        for way, share in (("text_to_image", 1.0), ("image_to_text", 0.5))
        for name in ("recall@1", "recall@5", "recall@10", "mean_recall")
    }
    return Measurement("flowers", "retrieval", language, "raw", 20, 100, metrics)


def evaluated(step: int, recall: float) -> Evaluated:
    rows = tuple(measured(language, recall) for language in LANGUAGES)
    guard = tuple(measured(language, recall / 2) for language in LANGUAGES)
    health = Health(0.4, 10.0 + step, 0.5)
    return Evaluated(step, 32 * step, rows, guard, 3.0 - recall, health)


def stepped(step: int) -> Stepped:
    rates = {"image": 1e-4, "text": 1e-4, "heads": 1e-3}
    return Stepped(step, 4, 32 * step, 128, 64, 3 / step, 14.0, rates, 0.3, 99.5)


EVENTS = [evaluated(0, 0.2), stepped(1), stepped(2), evaluated(2, 0.3), stepped(4)]


def write(path: Path, events: list[Event]) -> Path:
    for each in events:
        logs.append(path, each)
    return path


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    bare = Evaluated(4, 128, (), (), None, None)
    done = Finished("flowers", Path("models/flowers"), EVENTS[0], bare, ("it is no better",))
    path = write(tmp_path / "metrics.jsonl", [*EVENTS, bare, done])
    assert logs.read(path) == [*EVENTS, bare, done]
    first = json.loads(path.read_text("utf-8").splitlines()[0])
    assert first["event"] == "evaluated" and first["health"]["cosine"] == 0.4


def test_a_loss_that_is_no_number_is_null_and_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", [replace(stepped(1), loss=math.nan)])
    assert json.loads(path.read_text("utf-8"))["loss"] is None
    [back] = logs.read(path)
    assert isinstance(back, Stepped) and math.isnan(back.loss)


def test_a_line_cut_by_a_kill_is_not_read_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", EVENTS)
    whole = path.read_text("utf-8")
    path.write_text(whole[:-20], "utf-8")
    assert logs.read(path) == EVENTS[:-1]
    path.write_text(whole + '{"seen": 5}\n', "utf-8")
    with pytest.raises(UsageError, match=r"metrics.jsonl, line 6 is no event"):
        logs.read(path)
    assert logs.read(tmp_path / "nothing.jsonl") == []


def test_a_run_that_goes_on_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", EVENTS)
    torch.save({"step": 2, "model": {"weight": torch.zeros(3)}}, tmp_path / "checkpoint.pt")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "step')  # killed while it wrote
    logs.truncate(path, tmp_path / "checkpoint.pt")
    assert logs.read(path) == EVENTS[:4]
    logs.append(path, stepped(4))
    assert logs.read(path) == EVENTS
    logs.truncate(path, tmp_path / "no-checkpoint.pt")
    assert not path.exists()


def test_the_lines_are_what_was_measured() -> None:
    loss, recall, spread, rank = curves.figure_of(EVENTS).axes
    lines = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for axes in (loss, recall, spread, rank)
        for line in axes.lines
    }
    assert lines["training"] == ([32, 64, 128], [3, 1.5, 0.75])
    assert lines["validation"] == ([0, 64], [2.8, 2.7])
    assert lines["validation, zh: R@10"] == ([0, 64], [0.2, 0.3])
    assert lines["guard, en: mean recall"][1] == pytest.approx([0.075, 0.1125])
    assert lines["mean cosine, training photos"] == ([32, 64, 128], [0.3, 0.3, 0.3])
    assert lines["effective rank (right scale)"] == ([0, 64], [10, 12])
    assert lines["different best hits"] == ([0, 64], [0.5, 0.5])
    assert len(lines) == 2 + 12 + 4


def test_classes_are_drawn_by_their_top_1() -> None:
    row = Measurement("flowers", "zero-shot", "en", "auto", 9, 3, {"top_1": 0.5, "top_5": 0.7})
    figure = curves.figure_of([Evaluated(1, 32, (row,), (), None, None)])
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[1].lines}
    assert lines == {"validation, en: top-1": [0.5], "validation, en: top-5": [0.7]}


def test_no_title_label_or_legend_overlaps_another() -> None:
    figure = curves.figure_of(EVENTS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    written = [axes.xaxis.label for axes in figure.axes[:3]]
    written += [axes.yaxis.label for axes in figure.axes]
    written += [text for axes in figure.axes for text in (axes.title, axes._left_title)]
    boxes = [text.get_window_extent(renderer) for text in written if text.get_text()]
    boxes += [axes.get_legend().get_window_extent(renderer) for axes in figure.axes[:3]]
    for axes in figure.axes[:3]:
        left, right = axes.get_xlim()
        ticks = [tick for tick in axes.xaxis.get_major_ticks() if left <= tick.get_loc() <= right]
        boxes += [tick.label1.get_window_extent(renderer) for tick in ticks]
    assert len(boxes) > 20
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    edge = figure.bbox
    assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 for box in boxes)
    assert all(edge.y0 <= box.y0 and box.y1 <= edge.y1 for box in boxes)


def test_the_picture_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "curves.png"
    target.write_bytes(b"an older one")
    curves.draw(write(tmp_path / "metrics.jsonl", EVENTS), target)
    with Image.open(target) as picture:
        assert picture.format == "PNG" and picture.size == (1100, 1320)
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "metrics.jsonl"}


def test_a_run_is_drawn_now_and_then_and_however_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    with pytest.raises(KeyboardInterrupt), Drawing(lambda: drawn.append("end")) as run:
        for _ in range(3):
            run.update()
        assert drawn == []
        raise KeyboardInterrupt
    with Drawing(lambda: drawn.append("nothing new")):
        pass
    with Drawing(lambda: drawn.append("goes on"), is_behind=True):
        pass
    monkeypatch.setattr(drawing, "SECONDS_APART", 0)
    with Drawing(lambda: drawn.append("now")) as run:
        for _ in range(2):
            run.update()
    assert drawn == ["end", "goes on", "now", "now"]


def test_a_picture_that_cannot_be_drawn_hides_no_greater_trouble() -> None:
    def full() -> None:
        raise OSError("the disk is full")

    with pytest.raises(ValueError, match="collapsed") as raised, Drawing(full, is_behind=True):
        raise ValueError("collapsed")
    assert raised.value.__notes__ == ["nor could its curves be drawn: the disk is full"]
    with pytest.raises(OSError, match="full"), Drawing(full, is_behind=True):
        pass


def test_a_run_that_did_nothing_is_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        curves.draw(tmp_path / "metrics.jsonl", tmp_path / "curves.png")


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None,
    reason="tensorboard is not installed: pip install 'imgsearch[tensorboard]'",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard's own imports
def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = logs.tensorboard(tmp_path)
    assert board is not None
    for each in EVENTS:
        board.add(each)
    board.close()
    written = EventAccumulator(str(tmp_path))
    written.Reload()
    tags = set(written.Tags()["scalars"])
    assert tags == {tag for each in EVENTS for tag, _ in logs.scalars(each)}
    losses = [(each.step, each.value) for each in written.Scalars("stepped/loss")]
    assert losses == [(32, 3.0), (64, 1.5), (128, 0.75)]
    tag = "evaluated/validation/zh/text_to_image_recall@10"
    assert [each.value for each in written.Scalars(tag)] == pytest.approx([0.2, 0.3])
    assert {"stepped/rates/heads", "evaluated/health/effective_rank"} <= tags
