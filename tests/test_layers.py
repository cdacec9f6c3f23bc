"""The architecture of DESIGN: imports point strictly down, and the command line starts light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "imgsearch"
LAYERS = {
    "cli": 6,
    "display": 5,
    "indexing": 4,
    "searching": 4,
    "describing": 4,
    "upkeep": 4,
    "training": 4,
    "organising": 4,
    "exchanging": 4,
    "evaluating": 3,
    "library": 3,
    "relevance": 3,
    "catalog": 2,
    "vector_index": 2,
    "encoders": 2,
    "captioning": 2,
    "images": 2,
    "pairs": 2,
    "vectors": 1,
    "prompts": 1,
    "metrics": 1,
    "weights": 1,
    "words": 1,
    "word_pieces": 1,
    "queries": 1,
    "places": 1,
    "errors": 0,
}
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"
)


def noun(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_nouns(path: Path) -> set[str]:
    nouns = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        parts = [name.split(".") for name in names]
        nouns |= {each[1] for each in parts if each[0] == "imgsearch" and len(each) > 1}
    return nouns & LAYERS.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_strictly_down(path: Path) -> None:
    here = noun(path)
    assert here in LAYERS, f"{here} is a new noun: give it a layer in DESIGN and here"
    wrong = {name for name in imported_nouns(path) if name != here and LAYERS[name] >= LAYERS[here]}
    assert not wrong, f"{here} (layer {LAYERS[here]}) must not import {sorted(wrong)}"


def test_only_one_file_imports_faiss_and_one_folder_speaks_sql() -> None:
    owners = {
        "faiss": "vector_index",
        "sqlalchemy": "catalog",
        "sqlite3": "catalog",
        "alembic": "catalog",
    }
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots = {(node.module or "").split(".")[0]}
            else:
                continue
            for name in roots & owners.keys():
                assert noun(path) == owners[name], f"{path} imports {name}"


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    heavy = {"torch", "faiss", "sqlalchemy", "alembic", "open_clip", "cn_clip", "numpy", "PIL"}
    assert not heavy & loaded_after("import imgsearch.cli")


def test_importing_the_package_loads_none_of_its_modules() -> None:
    loaded = loaded_after("import imgsearch")
    assert not {name for name in loaded if name.startswith("imgsearch.")}
