"""Groups and maps: k-means on obvious groups, the same map twice, a page no file name breaks."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

import imgsearch
from conftest import ColourEncoder, draw
from imgsearch.display.map_page import map_page
from imgsearch.display.map_picture import MISSING, map_picture, on_grid
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.organising import PhotoMap, Point, add_label, cluster, draw_map
from imgsearch.organising.clustering import Sorting, choose_k, silhouette, spherical_k_means
from imgsearch.organising.mapping import layout
from imgsearch.vectors import Vectors, normalise


def blobs(k: int, each: int, dim: int = 16, seed: int = 1) -> tuple[Vectors, list[int]]:
    """Unit rows around k axes, and which axis each is around."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(k), each)
    rows = np.eye(dim)[truth] + 0.05 * generator.standard_normal((k * each, dim))
    return normalise(rows), truth.tolist()


def coloured(tmp_path: Path, encoder: ColourEncoder, each: int = 4) -> Library:
    folder = tmp_path / "photos"
    for number in range(each):
        for channel, name in enumerate(("red", "green", "blue")):
            colour = [10, 10, 10]
            colour[channel] = 255 - 3 * number
            draw(folder / f"{name}-{number}.png", tuple(colour))  # type: ignore[arg-type]
    library = imgsearch.open_library(tmp_path / "library")
    list(imgsearch.index(library, folder, encoder=encoder))
    return library


def test_obvious_groups_are_found_and_counted() -> None:
    vectors, truth = blobs(5, 40)
    centres = spherical_k_means(vectors, 5)
    nearest = (vectors @ centres.T).argmax(axis=1)
    assert len(set(zip(nearest.tolist(), truth, strict=True))) == 5
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-6)
    for place in range(5):
        mean = normalise(vectors[nearest == place].mean(axis=0))
        assert np.allclose(centres[place], mean, atol=1e-5)
    assert choose_k(vectors) == 5


def test_the_silhouette_is_that_of_the_centres() -> None:
    centres = np.eye(2, dtype=np.float32)
    photos = normalise(np.array([[1.0, 0.0], [0.6, 0.8]]))
    # distances 0 and 1; 1 - 0.8 and 1 - 0.6
    assert silhouette(photos, centres) == pytest.approx((1 + (0.4 - 0.2) / 0.4) / 2, abs=1e-5)


def test_equal_photos_make_groups_all_the_same() -> None:
    vectors = np.tile(np.eye(3, dtype=np.float32)[:1], (6, 1))
    assert spherical_k_means(vectors, 3).shape == (3, 3)
    assert choose_k(vectors[:1]) == 1


def test_groups_have_words_and_central_photos(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    with coloured(tmp_path, colour_encoder) as library:
        groups = cluster(library, 3)
        assert [len(group.photo_ids) for group in groups] == [4, 4, 4]
        for group in groups:
            assert len({path.name.split("-")[0] for _, path in group.central}) == 1
            assert len(group.words) == 3 and group.cohesion > 0.99
        assert groups == cluster(library, 3)
        only = np.array(groups[0].photo_ids[:2])
        (alone,) = cluster(library, 1, only=only)
        assert sorted(alone.photo_ids) == sorted(only.tolist())
        for k in (0, 13):
            with pytest.raises(UsageError, match="make from 1 to 12 groups"):
                cluster(library, k)
        with pytest.raises(UsageError, match="left to group"):
            cluster(library, only=np.array([99]))


def test_photos_sorted_in_parts_are_those_sorted_at_once() -> None:
    vectors, _ = blobs(4, 25)
    words = normalise(np.random.default_rng(2).standard_normal((30, 16)))
    centres, ids = spherical_k_means(vectors, 4), np.arange(100)
    sorting = Sorting(centres, words)
    for start in range(0, 100, 7):
        sorting.add(ids[start : start + 7], vectors[start : start + 7])
    cosines, of_words = vectors @ centres.T, vectors @ words.T
    nearest = cosines.argmax(axis=1)
    groups, names = sorting.groups(), sorting.names()
    for place in range(4):
        found, sure = groups[place]
        assert set(found.tolist()) == set(np.flatnonzero(nearest == place).tolist())
        assert np.array_equal(sure, np.sort(cosines[nearest == place, place])[::-1])
        typical = of_words[nearest == place].mean(axis=0)
        spread = of_words.std(axis=0)
        fits = (typical - of_words.mean(axis=0)) / spread + typical / spread.mean()
        assert names[place].tolist() == np.argsort(-fits)[:3].tolist()
    alone = Sorting(np.vstack([centres, -centres[:1]]), words)
    alone.add(ids, vectors)
    assert set(alone.groups()) == {0, 1, 2, 3} and len(alone.names()) == 5


def test_a_map_of_a_few_reads_the_vectors_of_a_few(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    with coloured(tmp_path, colour_encoder) as library:
        asked: list[int] = []

        @event.listens_for(library.catalog.engine, "before_cursor_execute")
        def note(_: object, __: object, statement: str, given: tuple[object], *___: object) -> None:
            if "embeddings.vector" in statement:
                asked.append(len(given))

        assert len(draw_map(library, most=5).points) == 5
        assert asked and sum(asked) <= 5 + 3  # the encoder, twice, and the place in the order


def test_words_are_in_the_language_asked_for(tmp_path: Path, colour_encoder: ColourEncoder) -> None:
    with coloured(tmp_path, colour_encoder, 2) as library:
        assert all(
            re.search("[\u4e00-\u9fff]", word)
            for word in cluster(library, 2, language="zh")[0].words
        )


def test_the_same_photos_give_the_same_map_with_groups_apart() -> None:
    vectors, truth = blobs(3, 20)
    places = layout(vectors)
    assert np.array_equal(places, layout(vectors))
    assert places.min() == 0 and places.max() == 1
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(60)
    nearest = distances.argmin(axis=1)
    assert [truth[place] for place in nearest] == truth


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7])
def test_a_few_photos_are_laid_out_too(count: int) -> None:
    places = layout(blobs(count, 1)[0])
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_a_map_is_sampled_evenly_and_tells_what_is_known(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    with coloured(tmp_path, colour_encoder) as library:
        add_label(library, "mine", [1])
        with library.catalog.write() as writer:
            writer.add_captions(1, ["a red square"], "en", "user")
        whole = draw_map(library)
        assert len(whole.points) == whole.total == 12
        assert (whole.points[0].caption, whole.points[0].labels) == ("a red square", ("mine",))
        part = draw_map(library, most=5)
        assert part.total == 12 and len(part.points) == 5
        assert part.points[0].photo_id == 1 and part.points[-1].photo_id == 12
        with pytest.raises(UsageError, match="left to map"):
            draw_map(library, only=np.array([99]))


def test_without_opentsne_the_line_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(UsageError, match=re.escape('pip install "imgsearch[map]"')):
        layout(blobs(3, 4)[0])


def test_no_two_photos_share_a_cell_and_neighbours_stay() -> None:
    cells = on_grid([(0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0), (0.5, 0.5)])
    assert len(set(cells)) == 5
    count = max(max(cell) for cell in cells)
    assert all(sum(cell) <= 1 for cell in cells[:2])
    assert all(sum(cell) >= 2 * count - 1 for cell in cells[2:4])


def test_a_picture_has_each_photo_where_it_lies(tmp_path: Path) -> None:
    red, blue = draw(tmp_path / "red.png", "red"), draw(tmp_path / "blue.png", "blue")
    points = tuple(
        Point(number, path, place, place, "", ())
        for number, (path, place) in enumerate(
            [(red, 0.0), (blue, 1.0), (tmp_path / "gone.png", 0.5)]
        )
    )
    told: list[tuple[int, int]] = []
    drawn = map_picture(PhotoMap(points, 3), lambda done, total: told.append((done, total)))
    assert drawn.getpixel((5, 5)) == (255, 0, 0)
    assert drawn.getpixel((drawn.width - 10, drawn.height - 10)) == (0, 0, 255)
    assert MISSING in {drawn.getpixel((x, y)) for x in range(0, 400, 20) for y in range(0, 400, 20)}
    assert told[-1] == (3, 3)


class Page(HTMLParser):
    """The elements of a page, with what stands in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._is_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._is_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts.append(data)


def test_no_file_name_or_caption_breaks_out_of_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    photo = draw(tmp_path / "a.png", "red")
    point = Point(1, photo, 0.5, 0.5, evil + "\u2028", (evil, '"><b>'))
    gone = Point(2, tmp_path / "<!--<script>.jpg", 1.0, 0.0, "", ())
    text = "".join(map_page(PhotoMap((point, gone), 2), evil))
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not [1 for tag, _ in page.elements if tag == "b"]
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert not [1 for _, attributes in page.elements if (attributes.get("src") or "")]
    first, second = json.loads(page.scripts[0])
    assert first["caption"].startswith(evil) and second["name"].endswith("<!--<script>.jpg")
    policy = next(each["content"] for tag, each in page.elements if each.get("http-equiv"))
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"https?://", text)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, to run the page's script")
def test_the_script_of_the_page_finds_zooms_and_tells(tmp_path: Path) -> None:
    points = [
        {"x": 0, "y": 0, "name": "/a/cat.jpg", "caption": "A Cat", "labels": "", "picture": ""},
        {"x": 1, "y": 1, "name": "/a/b.jpg", "caption": "", "labels": "dog", "picture": ""},
    ]
    script = (Path(imgsearch.__file__).parent / "display" / "map.js").read_text("utf-8")
    stage = f"""
const heard = {{}}, drawn = [], parts = {{}}, search = {{ value: "" }};
const part = (more) => ({{
  textContent: "", hidden: true, contains: () => false,
  addEventListener: (name, act) => {{ heard[name] = act; }}, ...more,
}});
const stage = {{
  canvas: part({{ clientWidth: 800, clientHeight: 600, getContext: () => ({{
    setTransform() {{}}, strokeRect() {{}}, drawImage: (...all) => drawn.push(all),
  }}) }}),
  form: part({{ elements: {{ text: search, whole: part() }} }}),
  output: part(),
  aside: part({{ querySelector: (name) => (parts[name] ??= part()) }}),
}};
const content = {json.dumps(json.dumps(points))};
globalThis.document = part({{
  querySelector: (name) => stage[name], getElementById: () => ({{ textContent: content }}),
}});
globalThis.window = part({{ devicePixelRatio: 1 }});
globalThis.requestAnimationFrame = (act) => act();
globalThis.getComputedStyle = () => ({{ getPropertyValue: () => "#000" }});
globalThis.Image = class {{ complete = true; naturalWidth = 1; }};
"""
    acts = """  // a frame for what is found, one for the whole map: four points drawn
const said = [count.textContent, drawn.length];
search.value = "DOG"; find(); said.push(count.textContent, points[0].isWanted);
heard.pointermove({ buttons: 0, offsetX: place(points[0])[0], offsetY: place(points[0])[1] });
said.push(card.hidden, parts[".caption"].textContent);
const before = place(points[0]); zoom(2, before[0], before[1]);
said.push(place(points[0])[0] === before[0], view.scale);
console.log(JSON.stringify(said));
"""
    file = tmp_path / "page.js"
    file.write_text(stage + script.replace('"use strict";', "") + acts, "utf-8")
    result = subprocess.run(["node", str(file)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [
        *("2 of 2", 4, "1 of 2", False, False, "A Cat", True),
        2 * (600 - 96),
    ]
