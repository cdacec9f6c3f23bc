"""The README tells the truth: its commands exist, its Python runs, its tree is the tree."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from imgsearch.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_appears_in_the_readme(name: str) -> None:
    assert (COMMANDS[name].help or "").strip()
    assert re.search(rf"imgsearch {name}\b", README), f"README does not mention `imgsearch {name}`"
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def test_every_command_the_readme_shows_exists() -> None:
    shown = set(
        re.findall(r"^\s*\$? ?imgsearch (?:--library \S+ )?([a-z-]+)", README, re.MULTILINE)
    )
    assert shown and shown <= set(COMMANDS)


def test_every_option_the_readme_shows_exists() -> None:
    within = [
        each for command in COMMANDS.values() for each in getattr(command, "commands", {}).values()
    ]
    known = {
        option
        for command in (get_command(app), *COMMANDS.values(), *within)
        for each in command.params
        for option in (*each.opts, *each.secondary_opts)
    }
    shown = set(re.findall(r"(?<!-)--[a-z][a-z-]*", README))
    assert shown <= known | {"--library", "--help", "--nproc-per-node"}  # the last is torchrun's


def test_the_tree_in_the_readme_is_the_tree() -> None:
    tree = README.split("## The files", 1)[1].split("```")[1]
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines() if line.startswith("  ")}
    there = {
        path.name
        for path in (ROOT / "imgsearch").iterdir()
        if not path.name.startswith("__") and path.name != "py.typed"
    }
    assert shown == there
    outer = {line.split()[0].rstrip("/") for line in tree.splitlines() if line[:1].isalpha()}
    assert all((ROOT / name).is_dir() for name in outer)


def test_the_python_of_the_readme_runs(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = README.split("```python\n", 1)[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)
    names["library"].close()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Added") for line in printed) == 3
    assert [line.split()[0] for line in printed[3:]] == ["1", "2", "3"]


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), f"README links to {link}, which is not there"
