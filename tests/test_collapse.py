"""The detector of mode collapse: its measures against numpy and hand-worked numbers; what fires.

Row 26 of the parity list: one vector repeated fires, independent ones are silent, and noise of 0.05
around one vector fires.
"""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgsearch.errors import CollapsedError
from imgsearch.training.collapse import (
    Watch,
    distinct_top_1,
    effective_rank,
    health,
    loss_of_guessing,
    spread,
)
from imgsearch.training.events import Health
from imgsearch.training.losses import clip_loss, soft_loss

RATES = {"image": 0.01, "text": 0.01, "heads": 0.01}
HEALTHY = Health(0.2, 40.0, 0.6)


def drawn(rows: int, dim: int = 32, seed: int = 0) -> Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


def look_on(watch: Watch, images: Tensor, texts: Tensor, steps: range) -> None:
    loss = clip_loss(images, texts, 10.0).item()
    for step in steps:
        watch.look(step, images, texts, loss, loss_of_guessing(len(images), len(texts)))


def watched_from_a_healthy_start() -> Watch:
    watch = Watch(1000, RATES, HEALTHY)
    look_on(watch, drawn(32, seed=1), drawn(32, seed=2), range(10, 60, 10))
    return watch


def test_spread_is_the_mean_cosine_of_different_rows() -> None:
    vectors = drawn(9).numpy() + 0.5
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[~np.eye(9, dtype=bool)]
    assert spread(vectors) == pytest.approx(cosines.mean(), abs=1e-6)
    assert spread(np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])) == pytest.approx(-1 / 3)
    assert spread(np.ones((1, 4))) == 0


def test_variances_add_up_to_what_spread_leaves() -> None:
    """Why the standard deviation per dimension is no sign of its own."""
    vectors = drawn(12).numpy() + 1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    left = (1 - spread(vectors)) * (1 - 1 / 12)
    assert unit.var(axis=0).sum() == pytest.approx(left, abs=1e-6)


def test_effective_rank_counts_dimensions() -> None:
    axes = np.concatenate([np.eye(4, 6), -np.eye(4, 6)])
    assert effective_rank(axes) == pytest.approx(4)  # four dimensions, equally strong
    assert effective_rank(np.array([[1.0, 1.0], [1.0, -1.0]])) == pytest.approx(1)
    shifted = axes + 100 * np.eye(6)[5]  # what all have in common tells none apart
    assert spread(shifted) > 0.99 and effective_rank(shifted) == pytest.approx(4, abs=1e-2)
    vectors = drawn(50, 8).numpy()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False) ** 2
    shares /= shares.sum()
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(vectors) == pytest.approx(expected, rel=1e-6)
    assert effective_rank(vectors.T) < 8, "no more than there are rows, less the mean"


def test_rows_that_are_all_the_same_have_one_dimension() -> None:
    one = drawn(1).expand(20, -1)
    assert effective_rank(one.numpy()) == 1
    assert effective_rank((one * (1 + 1e-6 * drawn(20, 1))).numpy()) == 1


def test_distinct_top_1_counts_the_photos_that_are_best_for_some_text() -> None:
    images = np.eye(4)
    assert distinct_top_1(np.eye(4), images) == 1
    assert distinct_top_1(np.eye(4)[[0, 0, 1, 1]], images) == 0.5
    assert distinct_top_1(np.eye(4)[[0, 0, 0, 0, 0]], images) == 0.25
    assert distinct_top_1(np.eye(4)[[0, 2]], images) == 1  # two texts, two photos
    many = np.tile(np.eye(4), (600, 1))  # more texts than are ranked at once
    assert distinct_top_1(many, images) == 1


def test_health_has_the_three_measures() -> None:
    images, texts = drawn(20).numpy(), drawn(30, seed=1).numpy()
    found = health(images, texts)
    measures = (spread(images), effective_rank(images), distinct_top_1(texts, images))
    assert (found.cosine, found.effective_rank, found.distinct_top_1) == measures


@pytest.mark.parametrize("rows", [8, 32, 128])
def test_guessing_costs_what_equal_embeddings_cost(rows: int) -> None:
    same = torch.ones(rows, 4)
    assert loss_of_guessing(rows, rows) == pytest.approx(clip_loss(same, same, 10.0).item(), 1e-6)
    assert loss_of_guessing(rows, rows) == pytest.approx(math.log(rows))


def test_independent_vectors_are_healthy() -> None:
    watch = watched_from_a_healthy_start()
    look_on(watch, drawn(32, seed=3), drawn(32, seed=4), range(60, 1000, 10))
    watch.judge(1000, health(drawn(200).numpy(), drawn(200, seed=5).numpy()))


@pytest.mark.parametrize("rows", [8, 32])
def test_one_vector_repeated_fires(rows: int) -> None:
    watch = Watch(1000, RATES, HEALTHY)
    look_on(watch, drawn(rows, seed=1), drawn(rows, seed=2), range(10, 60, 10))
    same = drawn(1).expand(rows, -1)
    with pytest.raises(CollapsedError):
        look_on(watch, same, same, range(60, 120, 10))


@pytest.mark.parametrize("rows", [8, 32])
def test_noise_around_one_vector_fires(rows: int) -> None:
    watch = Watch(1000, RATES, HEALTHY)
    look_on(watch, drawn(rows, seed=1), drawn(rows, seed=2), range(10, 60, 10))
    images, texts = (drawn(1) + 0.05 * drawn(rows, seed=seed) for seed in (3, 4))
    assert spread(images.numpy()) == pytest.approx(0.997, abs=2e-3)
    with pytest.raises(CollapsedError, match="nearly all the same"):
        look_on(watch, images, texts, range(60, 120, 10))


def test_a_moment_is_not_a_collapse() -> None:
    watch = watched_from_a_healthy_start()
    same = drawn(1).expand(32, -1)
    for start in (60, 200, 400):
        look_on(watch, same, same, range(start, start + 50, 10))
        look_on(watch, drawn(32), drawn(32, seed=1), range(start + 50, start + 60, 10))


def test_a_fresh_model_that_looks_collapsed_is_left_alone() -> None:
    narrow = [drawn(1) + 0.05 * drawn(32, seed=seed) for seed in (1, 2)]
    images, texts = (each.numpy() for each in narrow)
    starting = health(images, texts)
    assert starting.cosine > 0.98
    watch = Watch(1000, RATES, starting)
    look_on(watch, *narrow, range(10, 1000, 10))
    watch.judge(500, starting)


def test_one_sign_alone_is_none() -> None:
    watch = watched_from_a_healthy_start()
    images, texts = drawn(32, seed=3), drawn(32, seed=4)
    for step in range(60, 500, 10):  # the loss of guessing, and embeddings that are spread
        watch.look(step, images, texts, math.log(32), loss_of_guessing(32, 32))
    watch.judge(500, Health(0.99, 30.0, 0.5))


def test_an_evaluation_with_two_signs_fires_at_once() -> None:
    with pytest.raises(CollapsedError) as error:
        Watch(1000, RATES, HEALTHY).judge(250, Health(0.995, 20.0, 0.01))
    assert str(error.value) == (
        "training collapsed, seen after 250 of 1,000 steps: the embeddings of photos are nearly "
        "all the same (mean cosine 0.995, 0.200 at the start); nearly all texts find the same "
        "photos (1.0% of the possible ones, 60.0% at the start). The rate was 0.01: try a tenth, "
        "--learning-rate 0.001 --restart. Nothing of the library was changed"
    )
    assert error.value.exit_code == 2


def test_the_message_names_the_rate_of_every_part() -> None:
    rates = {"image": 1e-2, "text": 1e-3, "heads": 1e-1}
    with pytest.raises(CollapsedError) as error:
        Watch(100, rates, HEALTHY).judge(50, Health(0.5, 1.0, 0.02))
    assert "effective rank 1.0, 40.0 at the start" in str(error.value)
    assert "0.01 (image), 0.001 (text), 0.1 (heads)" in str(error.value)
    assert "--image-rate 0.001 --text-rate 0.0001 --head-rate 0.01" in str(error.value)


@pytest.mark.parametrize("broken", ["loss", "images", "texts"])
def test_what_is_not_finite_stops_the_run_at_once(broken: str) -> None:
    images, texts, loss = drawn(4), drawn(4, seed=1), 1.0
    if broken == "loss":
        loss = math.nan
    else:
        (images if broken == "images" else texts)[0, 0] = math.inf
    with pytest.raises(CollapsedError, match=r"after 7 of 1,000 steps.*not finite"):
        Watch(1000, RATES).look(7, images, texts, loss, None)


def train(rate: float) -> Health:
    """Two small towers on random vectors, with OpenAI-CLIP's loss: 200 steps under watch."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(128, 12, generator=generator)
    photos, sentences = (
        torch.relu(hidden @ torch.randn(12, d, generator=generator)) for d in (48, 32)
    )
    torch.manual_seed(0)
    image_tower, text_tower = (
        nn.Sequential(nn.Linear(d, 32), nn.ReLU(), nn.Linear(32, 16)) for d in (48, 32)
    )
    parameters = [*image_tower.parameters(), *text_tower.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=rate)

    def measured() -> Health:
        with torch.no_grad():
            return health(image_tower(photos).numpy(), text_tower(sentences).numpy())

    watch = Watch(200, {"image": rate, "text": rate, "heads": rate}, measured())
    for step in range(1, 201):
        batch = torch.randperm(128, generator=generator)[:32]
        images, texts = image_tower(photos[batch]), text_tower(sentences[batch])
        loss = soft_loss(images, texts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 2 == 0:
            watch.look(step, images, texts, loss.item(), loss_of_guessing(32, 32))
    found = measured()
    watch.judge(200, found)
    return found


def test_training_at_a_sane_rate_is_never_stopped() -> None:
    found = train(3e-3)
    assert found.cosine < 0.5 and found.distinct_top_1 > 0.5


def test_training_at_a_huge_rate_collapses_and_is_stopped() -> None:
    with pytest.raises(
        CollapsedError, match=r"The rate was 0.3: try a tenth, --learning-rate 0.03"
    ):
        train(0.3)
