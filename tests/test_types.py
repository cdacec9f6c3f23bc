"""mypy --strict passes for a user's program: the package is typed, and says so (`py.typed`)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from pathlib import Path
import imgsearch

def best(folder: Path, text: str) -> Path | None:
    with imgsearch.open_library(folder) as library:
        added = sum(isinstance(each, imgsearch.Added) for each in imgsearch.index(library, folder))
        hits: list[imgsearch.Hit] = imgsearch.search(library, text, k=added)
    return hits[0].path if hits else None

reveal_type(imgsearch.search)
"""


@pytest.mark.slow
def test_a_users_program_passes_mypy_strict(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n", "utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), str(program)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "list[imgsearch.searching.hits.Hit]" in result.stdout
