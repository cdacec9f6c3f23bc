"""The wheel is whole: installed alone in an empty folder, it opens a library from anywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPEN = """
import sys
from pathlib import Path
import imgsearch
from imgsearch.catalog.revisions import find_migrations
assert Path(imgsearch.__file__).is_relative_to(sys.argv[1]), imgsearch.__file__
assert find_migrations().is_relative_to(sys.argv[1]), find_migrations()
with imgsearch.open_library("library") as library:
    print(library.path)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run_pip("wheel", str(ROOT), "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def run_pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_an_installed_wheel_opens_a_library_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run_pip("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    result = subprocess.run(
        [sys.executable, "-P", "-c", OPEN, str(site)],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "library" / "library.db").is_file()


def test_the_wheel_carries_what_the_code_reads_and_nothing_of_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "py.typed",
        "prompts/en.json",
        "prompts/zh.json",
        "migrations/env.py",
        "encoders/builtin/2/open_clip_config.json",
        "encoders/builtin/2/open_clip_model.safetensors",
        "encoders/builtin/2/bpe.txt.gz",
    ):
        assert f"imgsearch/{needed}" in names
    folders = {name.split("/")[0] for name in names}
    assert all(folder == "imgsearch" or folder.endswith(".dist-info") for folder in folders)


def test_an_editable_install_finds_the_migrations_of_the_checkout() -> None:
    from imgsearch.catalog.revisions import find_migrations

    assert find_migrations() == ROOT / "migrations"
