"""search() against numpy over every stored vector, and every form a query can take.

Two libraries: `colours` is a real folder indexed by the toy encoder, where every answer is obvious;
`Stars` holds random vectors written straight into a catalog, with files gone, photos newer than the
generation and every kind of index, where numpy knows the answer.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import ColourEncoder, draw
from PIL import Image

from imgsearch.catalog import EncoderRow, FilePlace, GenerationRow, PhotoFacts
from imgsearch.errors import NoEncoderError, PictureError, QueryError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import NO_FILTERS, Filters, Hit, search
from imgsearch.vector_index import KINDS, VectorIndex
from imgsearch.vectors import Vectors, normalise

DIM = 24


class StarEncoder:
    """A true Encoder without a meaning: each text has its own random direction, always the same."""

    def __init__(self, name: str = "toy/stars", languages: tuple[str, ...] = ("en", "zh")) -> None:
        self.name = name
        self.identity = f"identity-of-{name}"
        self.dim = DIM
        self.languages = languages
        self.image_size = 8
        self.batch_size = 4
        self.texts_seen: list[str] = []

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        return np.array([_direction(image.tobytes()) for image in images])

    def embed_texts(self, texts: list[str]) -> Vectors:
        self.texts_seen += texts
        return np.array([_direction(text.encode()) for text in texts])


def _direction(content: bytes) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "little")
    return normalise(np.random.default_rng(seed).normal(size=DIM).astype(np.float32))


@dataclass
class Stars:
    """A library of random vectors: photo id -> vector, and the ids whose file is there."""

    library: Library
    encoder: StarEncoder
    encoder_id: int
    vectors: dict[int, Vectors]
    live: set[int]

    def add(self, vectors: Vectors, folder: str = "a") -> list[int]:
        ids = []
        root = self.library.path / "photos"
        with self.library.catalog.write() as writer:
            root_id = writer.add_root(root)
            for vector in vectors:
                content = hashlib.sha256(f"{len(self.vectors)}".encode()).hexdigest()
                moment = datetime(2024, 5, 1, tzinfo=UTC)
                facts = PhotoFacts(content, 4, 3, 9, "PNG", moment, None, None, None)
                ids.append(writer.add_photo(facts))
                path = root / folder / f"{content[:12]}.png"
                writer.put_file(FilePlace(path, root_id, 9, 1), ids[-1])
                self.vectors[ids[-1]] = vector
            writer.add_embeddings(self.encoder_id, ids, vectors)
        self.live |= set(ids)
        return ids

    def lose(self, ids: list[int]) -> None:
        files = self.library.catalog.files_of_photos(ids)
        with self.library.catalog.write() as writer:
            writer.set_state(
                [file.id for each in files.values() for file in each.values()], "missing"
            )
        self.live -= set(ids)

    def build(self, kind: str) -> None:
        ids, vectors, last = self.library.catalog.embeddings_and_last(self.encoder_id)
        folder = f"{len(self.library.catalog.generations()) + 1:04}"
        VectorIndex.build(ids, vectors, kind).save(self.library.generations_folder / folder)
        with self.library.catalog.write() as writer:
            writer.switch_generation(
                GenerationRow(0, self.encoder_id, folder, kind, len(ids), last)
            )

    def expected(self, query: Vectors, k: int, among: set[int] | None = None) -> list[int]:
        ids = sorted(self.live if among is None else self.live & among)
        scores = np.array([self.vectors[i] for i in ids]) @ query
        return [ids[row] for row in np.argsort(-scores, kind="stable")[:k]]

    def search(self, text: str, k: int = 10, filters: Filters = NO_FILTERS) -> list[Hit]:
        return search(self.library, text, k, prompt="raw", encoder=self.encoder, filters=filters)


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    encoder = StarEncoder()
    with open_library(tmp_path / "stars") as library:
        row = EncoderRow(0, encoder.identity, encoder.name, DIM, encoder.languages, None)
        with library.catalog.write() as writer:
            encoder_id = writer.add_encoder(row)
        yield Stars(library, encoder, encoder_id, {}, set())


def random_vectors(count: int, seed: int = 0) -> Vectors:
    return normalise(np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32))


@pytest.fixture
def colours(tmp_path: Path, photos: Path, colour_encoder: ColourEncoder) -> Iterator[Library]:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=colour_encoder))
        yield library


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.name for hit in hits]


# What is found


@pytest.mark.parametrize("kind", KINDS)
def test_hits_are_what_numpy_finds_whatever_the_index(stars: Stars, kind: str) -> None:
    first = stars.add(random_vectors(300))
    stars.lose(first[::7])
    stars.build(kind)
    stars.lose(first[1::11])  # gone since the generation was built
    second = stars.add(random_vectors(80, seed=1))  # newer than the generation
    stars.lose(second[::9])
    shared = 0
    for text in ("sun", "moon", "a red dwarf", "星"):
        query = _direction(text.encode())
        hits = stars.search(text, 12)
        assert [hit.rank for hit in hits] == list(range(1, 13))
        for hit in hits:
            assert hit.photo_id in stars.live
            assert hit.score == pytest.approx(stars.vectors[hit.photo_id] @ query, abs=1e-6)
        assert sorted(hits, key=lambda hit: (-hit.score, hit.photo_id)) == hits
        expected = stars.expected(query, 12)
        shared += len({hit.photo_id for hit in hits} & set(expected))
        if kind == "flat":
            assert [hit.photo_id for hit in hits] == expected
    assert shared >= 46  # of 48; approximate kinds may lose one now and then


def test_without_a_generation_every_stored_vector_is_scored(stars: Stars) -> None:
    stars.add(random_vectors(150))
    stars.lose([3, 4, 5])
    hits = stars.search("sun", 20)
    assert [hit.photo_id for hit in hits] == stars.expected(_direction(b"sun"), 20)


def test_a_photo_added_after_the_generation_is_found_at_once(stars: Stars) -> None:
    stars.add(random_vectors(50))
    stars.build("flat")
    (added,) = stars.add(_direction(b"comet")[None])
    assert stars.search("comet", 1)[0].photo_id == added


def test_a_generation_built_by_another_process_is_used_at_once(stars: Stars) -> None:
    stars.add(random_vectors(50))
    stars.build("flat")
    before = stars.search("comet", 5)
    stars.add(random_vectors(50, seed=5))
    stars.build("ivf")
    after = stars.search("comet", 5)
    assert [hit.photo_id for hit in after] == stars.expected(_direction(b"comet"), 5)
    assert before != after


def test_removed_photo_is_never_a_hit_and_others_take_its_place(stars: Stars) -> None:
    ids = stars.add(random_vectors(400))
    stars.build("flat")
    best = stars.expected(_direction(b"sun"), 390)
    stars.lose(best[:385])  # far more than were asked for beyond k
    assert [hit.photo_id for hit in stars.search("sun", 8)] == best[385:390] + stars.expected(
        _direction(b"sun"), 8, set(ids) - set(best)
    )[:3]


def test_asking_for_more_than_there_are_gives_all_that_live(stars: Stars) -> None:
    stars.add(random_vectors(30))
    stars.build("flat")
    stars.add(random_vectors(5, seed=1))
    stars.lose([2, 33])
    hits = stars.search("sun", 1000)
    assert {hit.photo_id for hit in hits} == stars.live
    assert len(hits) == 33


@pytest.mark.parametrize("with_generation", [True, False])
def test_equal_scores_come_by_lower_photo_id(stars: Stars, with_generation: bool) -> None:
    stars.add(random_vectors(20))
    same = stars.add(np.repeat(_direction(b"sun")[None], 60, axis=0))
    if with_generation:
        stars.build("flat")
        same += stars.add(np.repeat(_direction(b"sun")[None], 20, axis=0))
    for k in (1, 5, len(same)):
        hits = stars.search("sun", k)
        assert [hit.photo_id for hit in hits] == same[:k]
        assert {hit.score for hit in hits} == {1.0}


def test_an_unreadable_generation_slows_a_search_but_changes_no_hit(stars: Stars) -> None:
    stars.add(random_vectors(60))
    stars.build("flat")
    stars.add(random_vectors(10, seed=1))
    expected = stars.search("sun")
    stars.library.close()
    shutil.rmtree(stars.library.generations_folder)
    with open_library(stars.library.path) as again, pytest.warns(UserWarning, match="doctor"):
        hits = search(again, "sun", prompt="raw", encoder=stars.encoder)
    assert hits == expected


# Filters


def test_a_path_filter_keeps_the_best_of_that_folder(stars: Stars) -> None:
    stars.add(random_vectors(300))
    wanted = set(stars.add(random_vectors(12, seed=1), folder="b/c"))
    stars.build("ivf")
    wanted |= set(stars.add(random_vectors(6, seed=2), folder="b"))
    folder = stars.library.path / "photos" / "b"
    hits = stars.search("sun", 15, Filters(path=folder))
    assert [hit.photo_id for hit in hits] == stars.expected(_direction(b"sun"), 15, wanted)
    assert all(hit.path.is_relative_to(folder) for hit in hits)


def test_a_path_filter_takes_folders_not_beginnings_of_names(tmp_path: Path) -> None:
    for folder in ("trip", "trip2"):
        draw(tmp_path / "p" / folder / "red.png", "red", (9, 9 + len(folder)))
    with open_library(tmp_path / "library") as library:
        list(index(library, [tmp_path / "p"], encoder=ColourEncoder()))
        found = search(
            library, "red", encoder=ColourEncoder(), filters=Filters(path=tmp_path / "p" / "trip")
        )
    assert [hit.path.parent.name for hit in found] == ["trip"]


def test_a_photo_in_two_folders_is_shown_in_the_one_asked_for(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    copy = photos / "copies" / "zzz.png"
    copy.parent.mkdir()
    shutil.copy(photos / "red.png", copy)
    list(index(colours, [photos], encoder=colour_encoder))
    for folder, shown in ((None, photos / "red.png"), (copy.parent, copy), (copy, copy)):
        hits = search(colours, "red", encoder=colour_encoder, filters=Filters(path=folder))
        assert hits[0].path == shown.resolve()
    assert len(hits) == 1


def test_a_path_filter_may_go_through_a_link_or_be_relative(
    colours: Library, photos: Path, colour_encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = photos.parent / "link"
    try:
        link.symlink_to(photos, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets no one make links")
    monkeypatch.chdir(photos.parent)
    for folder in (link, Path("link"), Path("photos"), Path("photos") / "red.png"):
        hits = search(colours, "red", encoder=colour_encoder, filters=Filters(path=folder))
        assert names(hits)[0] == "red.png"


def test_a_folder_without_photos_has_no_hits(
    colours: Library, colour_encoder: ColourEncoder
) -> None:
    nowhere = Filters(path=Path("nowhere"))
    assert search(colours, "red", encoder=colour_encoder, filters=nowhere) == []


def test_a_least_score_ends_the_hits(stars: Stars) -> None:
    stars.add(random_vectors(100))
    stars.build("sq8")
    everything = stars.search("sun", 100)
    least = everything[4].score
    assert stars.search("sun", 100, Filters(min_score=least)) == everything[:5]
    assert stars.search("sun", 3, Filters(min_score=least)) == everything[:3]
    assert stars.search("sun", 3, Filters(min_score=1.01)) == []


# Texts


def test_red_finds_the_red_photo_in_both_languages(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    for text, name in (("red", "red.png"), ("绿", "green.png"), ("something blue", "blue.png")):
        hits = search(colours, text, encoder=colour_encoder)
        assert names(hits)[0] == name
        assert hits[0].path == (photos / name).resolve()
        assert len(hits) == 3


def test_a_label_is_the_mean_of_its_templates_and_a_sentence_itself(stars: Stars) -> None:
    stars.add(random_vectors(10))
    search(stars.library, "dogs", encoder=stars.encoder)
    assert len(stars.encoder.texts_seen) == 80
    each = np.array([_direction(text.encode()) for text in stars.encoder.texts_seen])
    mean = each.mean(0) / np.linalg.norm(each.mean(0))
    scores = {
        hit.photo_id: hit.score for hit in search(stars.library, "dogs", encoder=stars.encoder)
    }
    for photo_id, vector in stars.vectors.items():
        assert scores[photo_id] == pytest.approx(vector @ mean, abs=1e-6)
    stars.encoder.texts_seen.clear()
    search(stars.library, "two dogs run on grass", encoder=stars.encoder)
    assert stars.encoder.texts_seen == ["two dogs run on grass"]


def test_a_text_is_embedded_once_and_then_needs_no_encoder(stars: Stars) -> None:
    stars.add(random_vectors(10))
    first = search(stars.library, "dogs", encoder=stars.encoder)
    stars.encoder.texts_seen.clear()
    # the encoder of this library was an object: without it, only a cached text can be answered
    assert search(stars.library, "  dogs ") == first
    assert search(stars.library, "dogs", encoder="toy/stars") == first
    assert stars.encoder.texts_seen == []
    with pytest.raises(NoEncoderError):
        search(stars.library, "cats")


def test_a_cached_text_and_a_photo_id_are_answered_without_torch(stars: Stars) -> None:
    stars.add(random_vectors(10))
    stars.build("flat")
    expected = search(stars.library, "dogs", encoder=stars.encoder)
    code = (
        "import sys; from imgsearch.library import open_library; from imgsearch.searching import"
        " search; library = open_library(sys.argv[1]); search(library, 1);"
        " print([hit.photo_id for hit in search(library, 'dogs')]);"
        " sys.exit(any(name in sys.modules for name in ('torch', 'open_clip', 'cn_clip')))"
    )
    command = [sys.executable, "-c", code, str(stars.library.path)]
    output = subprocess.check_output(command, text=True)
    assert output.strip() == str([hit.photo_id for hit in expected])


def test_the_cache_tells_policies_texts_and_encoders_apart(stars: Stars) -> None:
    stars.add(random_vectors(40))
    asked = [(text, policy) for text in ("dogs", "Dogs") for policy in ("raw", "photo", "seven")]
    fresh = [search(stars.library, t, prompt=p, encoder=stars.encoder) for t, p in asked]  # type: ignore[arg-type]
    again = [search(stars.library, t, prompt=p, encoder=stars.encoder) for t, p in asked]  # type: ignore[arg-type]
    assert fresh == again
    assert len({tuple(hits) for hits in fresh}) == len(asked)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text_is_an_error(colours: Library, text: str) -> None:
    with pytest.raises(QueryError, match="empty"):
        search(colours, text)


def test_a_text_that_is_no_text_is_an_error(colours: Library) -> None:
    with pytest.raises(QueryError, match="not valid text"):
        search(colours, "caf\udce9")


# Languages and encoders


@pytest.fixture
def bilingual(tmp_path: Path, photos: Path) -> Iterator[tuple[Library, ColourEncoder, StarEncoder]]:
    english, chinese = ColourEncoder("toy/en", ("en",)), StarEncoder("toy/zh", ("zh",))
    with open_library(tmp_path / "two") as library:
        list(index(library, [photos], encoder=[english, chinese]))
        yield library, english, chinese


def test_a_text_goes_to_the_encoder_of_its_language(
    bilingual: tuple[Library, ColourEncoder, StarEncoder],
) -> None:
    library, english, chinese = bilingual
    by_english = search(library, "red", encoder=english)
    by_chinese = search(library, "红", encoder=chinese)
    # both texts are cached now, so routing alone decides what they find
    assert search(library, "red") == by_english
    assert search(library, "红") == by_chinese
    assert {hit.score for hit in by_english}.isdisjoint({hit.score for hit in by_chinese})


def test_the_language_asked_for_wins_over_the_script(
    bilingual: tuple[Library, ColourEncoder, StarEncoder],
) -> None:
    library, english, chinese = bilingual
    with pytest.raises(NoEncoderError, match=r"toy/zh understands Chinese.*English"):
        search(library, "red", encoder=chinese)
    by_chinese = search(library, "red", language="zh", encoder=chinese)
    assert "一张red的照片。" in chinese.texts_seen
    assert search(library, "red", language="zh") == by_chinese
    assert names(search(library, "红", language="en", encoder=english))[0] == "red.png"


def test_a_language_without_encoder_names_the_command_that_adds_one(
    tmp_path: Path, photos: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=ColourEncoder(languages=("en",))))
        command = library.command("index", "--encoder", "cn_clip/ViT-B-16")
        with pytest.raises(NoEncoderError, match=f"Chinese.*toy/colour.*{re.escape(command)}"):
            search(library, "红色")
        with pytest.raises(NoEncoderError, match=r"'fr'.*--encoder NAME"):
            search(library, "rouge", language="fr")


def test_an_encoder_the_library_has_not_got_is_an_error_that_names_those_it_has(
    colours: Library,
) -> None:
    for encoder in ("toy/other", StarEncoder("toy/other")):
        with pytest.raises(NoEncoderError, match=r"toy/other; it has toy/colour.*--encoder toy/o"):
            search(colours, "red", encoder=encoder)


# Pictures and photos


def test_a_photo_of_the_library_finds_itself_by_file_image_and_id(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    file = photos / "green.png"
    by_file = search(colours, file, encoder=colour_encoder)
    with Image.open(file) as image:
        by_image = search(colours, image, encoder=colour_encoder)
    by_id = search(colours, by_file[0].photo_id)  # needs no encoder: it is stored
    assert by_file == by_image == by_id
    assert names(by_file)[0] == "green.png"
    assert by_file[0].score == 1.0


def test_a_picture_is_turned_upright_before_it_is_embedded(tmp_path: Path, stars: Stars) -> None:
    upright = Image.effect_noise((9, 7), 90).convert("RGB")
    stars.add(stars.encoder.embed_images([upright]))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    for query in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        assert search(stars.library, query, encoder=stars.encoder)[0].score == 1.0


def test_a_photo_without_an_embedding_or_unknown_is_an_error(colours: Library) -> None:
    for photo_id in (999, 0, -1):
        with pytest.raises(QueryError, match=f"no photo {photo_id} "):
            search(colours, photo_id)


def test_a_file_that_is_no_picture_is_an_error_that_names_it(
    colours: Library, tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    for name in ("notes.txt", "missing.png"):
        with pytest.raises(PictureError, match=name):
            search(colours, tmp_path / name, encoder=colour_encoder)


def test_a_truncated_image_object_is_a_picture_error(
    colours: Library, tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    file = tmp_path / "cut.png"
    Image.effect_noise((64, 64), 50).save(file)
    file.write_bytes(file.read_bytes()[:900])
    with Image.open(file) as image, pytest.raises(PictureError, match="cannot be decoded"):
        search(colours, image, encoder=colour_encoder)


# Nothing to search


def test_an_empty_library_is_an_error_that_says_how_to_fill_it(
    tmp_path: Path, stars: Stars
) -> None:
    with open_library(tmp_path / "empty") as library:
        for query in ("dogs", 7, tmp_path / "x.png"):
            with pytest.raises(QueryError, match=r"no photos yet.*imgsearch index .*FOLDER"):
                search(library, query)
    with pytest.raises(QueryError, match="--encoder toy/stars"):  # known, but embedded nothing
        search(stars.library, "dogs", encoder=stars.encoder)


def test_a_library_whose_files_are_all_gone_has_no_hits(stars: Stars) -> None:
    stars.lose(stars.add(random_vectors(40)))
    stars.build("flat")
    assert stars.search("sun") == []


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_a_usage_error(colours: Library, k: int) -> None:
    with pytest.raises(UsageError, match=f"at least 1, got {k}"):
        search(colours, "red", k)
