"""The loop: it learns, goes on bit for bit after an interruption, locks, slows down, keeps the
best, and notices a collapse.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imgsearch.errors import CollapsedError
from imgsearch.evaluating import Measurement
from imgsearch.training import Towers, train
from imgsearch.training.batches import Batches
from imgsearch.training.events import Evaluated, Stepped
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Objective, Rates, Recipe, Stage
from imgsearch.training.sets import TrainingSet, captioned_set
from imgsearch.training.squares import Squares
from imgsearch.training.state import Plateau, Run
from imgsearch.training.steps import Stepper
from learning import RESNET, shapes, towers, weights

RECIPE = Recipe(
    stages=(Stage(32, 240),),
    batch_size=12,
    rates=Rates(every=1e-3),
    objective=Objective("same-caption"),
)


@pytest.fixture
def learnt(tmp_path: Path) -> TrainingSet:
    pairs = shapes(tmp_path / "photos")
    return captioned_set("shapes", pairs, Squares(pairs.pictures, 36), ("en", "zh"))


def run(of: Towers, learnt: TrainingSet, recipe: Recipe, folder: Path) -> list[Stepped | Evaluated]:
    folder.mkdir(exist_ok=True)
    return list(train(of, [learnt], recipe, folder))


def same(one: Towers, other: Towers) -> bool:
    return same_weights(weights(one), weights(other))


def test_the_loss_falls(tmp_path: Path, learnt: TrainingSet) -> None:
    recipe = replace(RECIPE, stages=(Stage(32, 600),), rates=Rates(every=3e-3))
    steps = run(towers(tmp_path / "t"), learnt, recipe, tmp_path / "run")
    assert all(isinstance(each, Stepped) for each in steps)
    losses = [each.loss for each in steps if isinstance(each, Stepped)]
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - 0.5


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, learnt: TrainingSet
) -> None:
    recipe = replace(RECIPE, stages=(Stage(32, 120),), image_locked=0.3)
    whole = towers(tmp_path / "t", RESNET)
    steps = run(whole, learnt, recipe, tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    first = towers(tmp_path / "t", RESNET)
    events = train(first, [learnt], recipe, tmp_path / "parts")
    begun = list(itertools.islice(events, 5))
    close(events)
    second = towers(tmp_path / "t", RESNET)
    rest = run(second, learnt, recipe, tmp_path / "parts")
    assert same(second, whole)
    assert [each.step for each in [*begun, *rest]] == [each.step for each in steps]
    losses = [each.loss for each in [*begun, *rest]]
    assert losses == [each.loss for each in steps]


def close(events: Iterator[Stepped | Evaluated]) -> None:
    events.close()  # type: ignore[attr-defined]  # a generator


def test_a_run_that_is_over_has_nothing_left_to_do(tmp_path: Path, learnt: TrainingSet) -> None:
    of = towers(tmp_path / "t")
    run(of, learnt, RECIPE, tmp_path / "run")
    again = towers(tmp_path / "t")
    assert run(again, learnt, RECIPE, tmp_path / "run") == []
    assert same(again, of)


def test_the_first_stage_moves_only_the_text_tower(tmp_path: Path, learnt: TrainingSet) -> None:
    of = towers(tmp_path / "t", RESNET)
    before = weights(of)
    events = train(of, [learnt], replace(RECIPE, image_locked=0.5), tmp_path)
    list(itertools.islice(events, 10))
    middle = weights(of)
    moved = {name for name in before if not torch.equal(before[name], middle[name])}
    assert not [name for name in moved if name.startswith("visual.")]  # nor batch statistics
    assert "text.token_embedding.weight" in moved
    list(events)
    after = weights(of)
    assert [n for n in before if n.startswith("visual.") and not torch.equal(before[n], after[n])]


def test_every_weight_moves_as_adamw_says_however_it_lies_in_memory(
    tmp_path: Path, learnt: TrainingSet
) -> None:
    of = towers(tmp_path / "t", RESNET)  # convolutions lie channels last
    state = Run(of, RECIPE, tmp_path, Ranks())
    stepper = Stepper(of, RECIPE, Ranks(), state.device, state.scaler)
    mean: dict[str, torch.Tensor] = {}
    square: dict[str, torch.Tensor] = {}
    for step, batch in Batches([learnt], RECIPE, Ranks()).steps(0, 3):
        state.prepare(step, 3)
        stepper.gradients(step, batch)
        before = weights(of)
        state.update()
        named = {id(each): name for name, each in of.model.named_parameters()}
        for group in state.optimiser.param_groups:
            for each in group["params"]:
                name, gradient = named[id(each)], each.grad
                mean[name] = 0.9 * mean.get(name, 0) + 0.1 * gradient
                square[name] = 0.98 * square.get(name, 0) + 0.02 * gradient**2
                m, v = mean[name] / (1 - 0.9 ** (step + 1)), square[name] / (1 - 0.98 ** (step + 1))
                kept = before[name] * (1 - group["lr"] * group["weight_decay"])
                expected = kept - group["lr"] * m / (v.sqrt() + 1e-6)
                torch.testing.assert_close(each.detach(), expected, rtol=1e-5, atol=1e-7)


def test_each_part_learns_at_its_own_rate(tmp_path: Path, learnt: TrainingSet) -> None:
    recipe = replace(
        RECIPE, rates=Rates(1e-3, image_tower=0.0, heads=1e-2), schedule="constant", warmup=0.0
    )
    of = towers(tmp_path / "t")
    before = weights(of)
    (*_, last) = run(of, learnt, recipe, tmp_path / "run")
    assert isinstance(last, Stepped)
    assert last.rates == {"image": 0.0, "text": 1e-3, "heads": 1e-2}
    moved = {n for n, value in weights(of).items() if not torch.equal(value, before[n])}
    assert "visual.proj" in moved
    assert "visual.conv1.weight" not in moved


def scripted(scores: list[float], losses: list[float]) -> Iterator[Evaluated]:
    for score, loss in zip(scores, losses, strict=True):
        row = Measurement("e", "zero-shot", "en", "raw", 1, 1, {"top_1": score})
        yield Evaluated(0, 0, (row,), (), loss, None)


def test_the_weights_that_measured_best_come_out(tmp_path: Path, learnt: TrainingSet) -> None:
    recipe = replace(RECIPE, evaluations=0.2)  # every 10 of 20 steps
    seen: dict[int, dict[str, torch.Tensor]] = {}
    of = towers(tmp_path / "t")
    told = scripted([0.1, 0.5, 0.4], [1.0] * 3)

    def measure(step: int, photos: int) -> Evaluated:
        seen[step] = weights(of)
        return replace(next(told), step=step, photos=photos)

    list(train(of, [learnt], recipe, tmp_path, measure=measure))
    assert list(seen) == [0, 10, 20]
    assert torch.equal(weights(of)["visual.proj"], seen[10]["visual.proj"])
    assert not torch.equal(weights(of)["visual.proj"], seen[20]["visual.proj"])


def test_an_evaluation_that_was_interrupted_is_made_when_the_run_goes_on(
    tmp_path: Path, learnt: TrainingSet
) -> None:
    recipe = replace(RECIPE, evaluations=0.2)

    def interrupted(step: int, photos: int) -> Evaluated:
        if step == 20:
            raise KeyboardInterrupt
        return replace(next(scripted([0.1], [1.0])), step=step, photos=photos)

    def measure(step: int, photos: int) -> Evaluated:
        return replace(next(scripted([0.9], [1.0])), step=step, photos=photos)

    events = train(towers(tmp_path / "t"), [learnt], recipe, tmp_path, measure=interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(events)
    again = train(towers(tmp_path / "t"), [learnt], recipe, tmp_path, measure=measure)
    assert [(type(each), each.step) for each in again] == [(Evaluated, 20)]


def test_a_plateau_of_the_validation_loss_lowers_the_rate(
    tmp_path: Path, learnt: TrainingSet
) -> None:
    recipe = replace(
        RECIPE, schedule="plateau", plateau_patience=1, plateau_factor=0.5, warmup=0, evaluations=1
    )
    told = scripted([0.1] * 11, [9.0, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1])

    def measure(step: int, photos: int) -> Evaluated:
        return replace(next(told), step=step, photos=photos)

    events = list(train(towers(tmp_path / "t"), [learnt], recipe, tmp_path, measure=measure))
    rates = [each.rates["image"] for each in events if isinstance(each, Stepped)]
    #   evaluated after every second step: 3, 2, 2, 2 (lower), 2, 2 (lower), 1, 1, 1 (lower), 1
    assert rates == [1e-3] * 8 + [5e-4] * 4 + [2.5e-4] * 6 + [1.25e-4] * 2


def test_a_plateau_is_torchs(tmp_path: Path) -> None:
    losses = torch.rand(60, generator=torch.Generator().manual_seed(0)).tolist()
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.8, patience=1)
    ours = Plateau(patience=1, factor=0.8)
    for loss in losses:
        theirs.step(loss)
        ours.look(loss)
        assert ours.share == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)


def test_a_rate_that_is_far_too_high_is_stopped_and_the_message_names_a_better_one(
    tmp_path: Path,
) -> None:
    pairs = shapes(tmp_path / "photos", copies=5)
    learnt = captioned_set("shapes", pairs, Squares(pairs.pictures, 36), ("en",))
    recipe = replace(
        RECIPE,
        stages=(Stage(32, 6000),),
        batch_size=48,
        rates=Rates(every=3.0),
        schedule="constant",
    )
    with pytest.raises(CollapsedError, match=r"collapsed.*try a tenth, --learning-rate 0\.3"):
        run(towers(tmp_path / "t"), learnt, recipe, tmp_path / "run")
    with pytest.raises(CollapsedError):  # repeating the command does not hide it
        run(towers(tmp_path / "t"), learnt, recipe, tmp_path / "run")


def test_schedules_by_hand() -> None:
    cosine = Recipe(warmup=0.1)
    shares = [cosine.share_of_rate(step, 100) for step in (0, 4, 9, 10, 55, 99)]
    assert shares == pytest.approx([0.1, 0.5, 1, 1, 0.5, 3.0458650e-4], rel=1e-6)
    linear = Recipe(schedule="linear", warmup=0.1, decay=0.4)
    shares = [linear.share_of_rate(step, 100) for step in (4, 50, 80, 99)]
    assert shares == pytest.approx([0.5, 1, 0.5, 0.025])


def test_warm_up_and_cosine_are_chinese_clips_step_for_step() -> None:
    scheduler = pytest.importorskip("cn_clip.training.scheduler", reason="not in this cn_clip")
    group = {"lr": 0.0}
    optimiser = type("Optimiser", (), {"param_groups": [group]})()
    theirs = scheduler.cosine_lr(optimiser, 1.0, 50, 1000)
    ours = Recipe(warmup=0.05)
    for step in range(1000):
        theirs(step)
        assert ours.share_of_rate(step, 1000) == pytest.approx(group["lr"], abs=1e-12)


def test_a_run_of_one_step_learns_something(tmp_path: Path, learnt: TrainingSet) -> None:
    of = towers(tmp_path / "t")
    before = weights(of)
    (only,) = run(of, learnt, replace(RECIPE, stages=(Stage(32, 12),)), tmp_path / "run")
    assert isinstance(only, Stepped)
    assert only.rates["image"] == 1e-3
    assert not same_weights(before, weights(of))


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_rates_fit_the_encoder_where_nobody_chose_one() -> None:
    assert Recipe().resolved(150_000_000, False).rates.every == pytest.approx(5e-5 / 8)
    assert Recipe(batch_size=1024).resolved(150_000_000, False).rates.every == pytest.approx(5e-5)
    assert Recipe().resolved(7_000_000, False).rates.every == 2e-4
    assert Recipe().resolved(7_000_000, True).rates.every == 1e-3
    own = Recipe(rates=Rates(every=1.0, heads=2.0)).resolved(1, False).rates
    assert own.of_parts == {"image": 1.0, "text": 1.0, "heads": 2.0}
    assert json.dumps(own.of_parts)
