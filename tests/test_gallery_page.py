"""The gallery page: complete in itself, everything escaped, and its script does what it says."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from commands import Run
from conftest import draw
from imgsearch.catalog import PhotoFacts
from imgsearch.display import gallery_page as module
from imgsearch.display.gallery_page import LARGE, SMALL, gallery_page
from imgsearch.searching import Hit

pytest_plugins = "commands"

EVIL = "<img src=x onerror=alert(1)>\"'&.png"


class Page(HTMLParser):
    """Every tag with its attributes, and the text inside script and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, str] = {}
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.text[self._open] = self.text.get(self._open, "") + data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def facts(**changes: object) -> PhotoFacts:
    values = {
        "content_hash": "0",
        "width": 32,
        "height": 24,
        "size_bytes": 1200,
        "format": "PNG",
        "taken_at": datetime(2020, 5, 6, 7, 8, tzinfo=UTC),
        "camera": "Canon <EOS>",
        "latitude": 52.5,
        "longitude": 13.4,
    }
    return PhotoFacts(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    evil = draw(tmp_path / EVIL, "red", (640, 480))
    dogs = draw(tmp_path / "海滩.png", "blue")
    return [
        Hit(1, 0.75, 7, evil, "Two <b>dogs</b> & a cat", ("dogs",)),
        Hit(2, -0.25, 8, dogs, "一只狗在海滩上", ("海滩",)),
        Hit(3, 0.1, 9, tmp_path / "gone.jpg"),
    ]


def written(hits: list[Hit], asked: str = "a <query>", **known: PhotoFacts) -> str:
    return "".join(gallery_page(hits, asked, {int(key[1:]): each for key, each in known.items()}))


def test_the_page_holds_the_pictures_and_links_to_the_files(hits: list[Hit]) -> None:
    page = Page(written(hits))
    pictures = [each["src"] for each in page.all("img")]
    assert len(pictures) == 2 and all(src.startswith("data:image/jpeg;base64,") for src in pictures)
    first = Image.open(io.BytesIO(base64.b64decode(pictures[0].split(",")[1])))
    assert first.size == (400, 300)
    assert np.abs(np.asarray(first).astype(int) - (255, 0, 0)).max() < 6
    links = [each["href"] for each in page.all("a")]
    assert [Path(unquote(urlsplit(link).path)) for link in links] == [hit.path for hit in hits]
    assert [each["data-score"] for each in page.all("figure")] == ["0.75", "-0.25", "0.1"]


def test_the_page_says_what_keeps_each_photo(hits: list[Hit]) -> None:
    near, said = (replace(hits[0], relevance=part) for part in (0.73, 0.02))
    html = written([near, replace(said, is_written=True)])
    assert '<span class="score">1   0.750   73%</span>' in html
    assert '<span class="score">1   0.750   words</span>' in html


def test_names_queries_and_captions_are_text_and_nothing_else(hits: list[Hit]) -> None:
    html = written(hits, "</title><script>alert(2)</script>", p7=facts())
    page = Page(html)
    assert len(page.all("script")) == 1 and len(page.all("b")) == 0
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
    assert page.all("figure")[0]["data-name"] == EVIL
    assert "Canon <EOS>" in page.text["span"] and "</title><script>" in page.text["title"]
    assert html.count("<mark>") == 3  # one in a name
    assert "<mark>dogs</mark>" in html and "一只狗在<mark>海滩</mark>上" in html


def test_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    odd = tmp_path / "a\udcff.jpg"
    html = written([Hit(1, 0.5, 1, odd)])
    html.encode()
    assert "a\\xff.jpg" in html and "a%FF.jpg" in html


def test_the_page_fetches_nothing_and_runs_its_own_script_alone(hits: list[Hit]) -> None:
    html = written(hits, p7=facts())
    page = Page(html)
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "poster", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    assert not page.all("link") and "@import" not in html and "url(" not in html
    (policy,) = [each["content"] for each in page.all("meta") if "http-equiv" in each]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for name in ("script", "style"):
        inside = html.split(f"<{name}>")[1].split(f"</{name}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"
    assert not any("style" in attributes for _, attributes in page.tags)


def test_facts_are_told_and_a_lost_photo_says_why(hits: list[Hit]) -> None:
    html = written(hits, p7=facts())
    for said in ("32 x 24 PNG", "Canon &lt;EOS&gt;", "52.50000, 13.40000", "1.2 kB"):
        assert said in html
    assert "no picture: the file cannot be read: No such file or directory" in html


def test_a_member_of_an_archive_links_to_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    html = written([Hit(1, 0.5, 1, tmp_path / "a.zip" / "b" / "c.jpg")])
    assert Page(html).all("a")[0]["href"] == (tmp_path / "a.zip").as_uri()


def test_a_thousand_hits_stay_a_page_of_reasonable_size(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    photo = Image.fromarray(noise).resize((1200, 900), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "a.jpg")
    hits = [Hit(rank, 0.5, rank, tmp_path / "a.jpg") for rank in (1, 100, 101, 1000)]
    large, _, small, last = [each["src"].split(",")[1] for each in Page(written(hits)).all("img")]
    assert Image.open(io.BytesIO(base64.b64decode(large))).width == LARGE
    assert Image.open(io.BytesIO(base64.b64decode(small))).width == SMALL and small == last
    assert 100 * len(large) + 900 * len(small) < 20_000_000


def test_html_is_written_by_the_command(indexed: Run, photos: Path, tmp_path: Path) -> None:
    result = indexed("similar", photos / "red.png", "--html", tmp_path / "page.html")
    assert result.exit_code == 0, result.stderr
    page = Page((tmp_path / "page.html").read_text("utf-8"))
    assert len(page.all("img")) == 2 and len(page.all("figure")) == 2
    wrong = indexed("similar", photos / "red.png", "--html", tmp_path / "no" / "page.html")
    assert wrong.exit_code == 2 and "cannot be written" in wrong.stderr


STAGE = """
const figures = JSON.parse(process.argv[1]).map((each) => ({
  dataset: each, textContent: each.text, hidden: false, querySelector: () => null,
}));
const heard = {};
let order = figures;
const main = {
  querySelectorAll: () => figures, append: (...all) => { order = all; }, contains: () => false,
};
const form = {
  elements: { text: { value: "" }, least: { value: "" }, sort: { value: "rank" } },
  addEventListener: (name, done) => { heard[name] = done; }, contains: () => false,
};
const output = {};
globalThis.document = {
  querySelector: (name) => ({ main, form, output })[name], addEventListener: () => {},
};
"""
ASK = """
const seen = [];
for (const [text, least, sort] of JSON.parse(process.argv[2])) {
  Object.assign(form.elements.text, { value: text });
  Object.assign(form.elements.least, { value: least });
  Object.assign(form.elements.sort, { value: sort });
  heard.input();
  const shown = order.filter((each) => !each.hidden).map((each) => each.dataset.rank);
  seen.push([shown.join(""), output.textContent]);
}
console.log(JSON.stringify(seen));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here to run the script")
def test_the_script_filters_by_words_and_score_and_sorts() -> None:
    figures = [
        {"rank": "1", "score": "0.5", "name": "b.jpg", "text": "A Dog", "date": "2020-01-01"},
        {"rank": "2", "score": "0.4", "name": "a10.jpg", "text": "cat 海滩", "date": "2024-01-01"},
        {"rank": "3", "score": "0.3", "name": "a9.jpg", "text": "dog and cat"},
    ]
    asked = [
        ("", "", "rank"),
        ("DOG", "", "rank"),
        ("cat dog", "", "rank"),
        ("海滩", "", "rank"),
        ("", "0.4", "rank"),
        ("", "", "newest"),
        ("", "", "oldest"),
        ("", "", "name"),
        ("", "", "score"),
    ]
    script = (Path(module.__file__).parent / "gallery.js").read_text("utf-8")
    ran = subprocess.run(
        ["node", "-e", f"{STAGE}{{{script}}}{ASK}", "--", json.dumps(figures), json.dumps(asked)],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert [each for each, _ in seen] == ["123", "13", "3", "2", "12", "213", "123", "321", "123"]
    assert seen[1][1] == "2 of 3"
