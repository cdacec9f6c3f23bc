"""The JSON of a hit is what its schema says, field by field, on the output of real commands."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from commands import Run
from conftest import draw
from imgsearch.display.hits import json_lines
from imgsearch.library import open_library
from imgsearch.searching import Hit
from imgsearch.searching.hits import Explanation

pytest_plugins = "commands"

SCHEMA = json.loads((files("imgsearch.display") / "hits.schema.json").read_text("utf-8"))
TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
    "null": (type(None),),
}
KNOWN = {"$schema", "$id", "title", "description", "type", "required", "properties"}
KNOWN |= {"minimum", "maximum", "minLength", "items"}
FIRST = {"rank", "score", "photo_id", "path", "caption", "matched"}
FIRST |= {"vector_rank", "text_rank", "text_score"}


def faults(value: Any, schema: dict[str, Any], where: str = "hit") -> list[str]:
    """What of a value is not as a schema says, of the few keywords that ours uses."""
    assert set(schema) <= KNOWN, f"{where}: this test knows no {set(schema) - KNOWN}"
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    types = tuple(each for name in names for each in TYPES[name])
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return [f"{where} is {value!r}, not {' or '.join(names)}"]
    found = []
    if isinstance(value, int | float):
        within = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        found += [] if within else [f"{where} is {value}, beyond its bounds"]
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{where} is too short")
    if isinstance(value, list):
        found += [f for each in value for f in faults(each, schema["items"], f"{where}[]")]
    if isinstance(value, dict):
        found += [f"{where} lacks {name}" for name in schema["required"] if name not in value]
        unknown = set(value) - set(schema["properties"])
        found += [f"{where} has {name}, which the schema does not tell of" for name in unknown]
        for name in set(value) - unknown:
            found += faults(value[name], schema["properties"][name], f"{where}.{name}")
    return found


def assert_valid(lines: str, count: int) -> None:
    rows = [json.loads(line) for line in lines.splitlines()]
    assert len(rows) == count
    assert [fault for row in rows for fault in faults(row, SCHEMA)] == []


@pytest.fixture
def captioned(indexed: Run, tmp_path: Path) -> Run:
    with open_library(tmp_path / "library") as library, library.catalog.write() as writer:
        writer.add_captions(1, ["A red door"], "en", "user")
        writer.add_captions(2, ["一扇绿色的门"], "zh", "user")
    return indexed


def test_what_commands_print_is_valid(captioned: Run, photos: Path) -> None:
    for words, count in (
        (("search", "a", "red", "door", "--all", "--json"), 3),
        (("search", "绿色的门", "--all", "--mode", "hybrid", "--json"), 3),
        (("search", "door", "--mode", "text", "--json"), 1),
        (("similar", photos / "red.png", "--json"), 2),
        (("random", "--json"), 3),
    ):
        result = captioned(*words)
        assert result.exit_code == 0, result.stderr
        assert_valid(result.stdout, count)


def test_every_value_a_hit_may_have_is_valid(tmp_path: Path) -> None:
    odd = draw(tmp_path / "a\udcff.png", "red")
    hits = [
        Hit(1, 1.0, 1, odd, "", ("a",), 1, 1, 12.5),
        Hit(2, -1.0, 2**62, odd),
        Hit(3, None, 3, odd, text_rank=1, text_score=1e-9),
        Hit(
            4,
            0.5,
            4,
            odd,
            relevance=0.25,
            is_written=True,
            explanation=Explanation((("dog", -0.5),), "a {}."),
        ),
    ]
    assert_valid(json_lines(hits), 4)
    assert_valid(json_lines(hits, "a dog + snow"), 4)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rank": 0}, "beyond"),
        ({"rank": 1.5}, "not integer"),
        ({"score": "0.5"}, "not number or null"),
        ({"score": 1.5}, "beyond"),
        ({"matched": [1]}, "not string"),
        ({"path": None}, "not string"),
        ({"relevance": 1.5}, "beyond"),
        ({"is_written": 1}, "not boolean"),
        ({"explanation": {"parts": []}}, "lacks template"),
        ({"colour": "red"}, "does not tell of"),
    ],
)
def test_the_schema_refuses_what_no_hit_may_have(change: dict[str, Any], fault: str) -> None:
    row = json.loads(json_lines([Hit(1, 0.5, 1, Path("/a.jpg"))]))
    assert faults({**row, **change}, SCHEMA) and fault in faults({**row, **change}, SCHEMA)[0]


def test_no_field_of_the_first_release_ever_goes() -> None:
    assert set(SCHEMA["required"]) >= FIRST
    row = json.loads(json_lines([Hit(1, 0.5, 1, Path("/a.jpg"))]))
    assert set(row) >= set(SCHEMA["required"])
    assert all(each["description"] for each in SCHEMA["properties"].values())
