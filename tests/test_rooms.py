"""Imports go one way: the table of rooms in README.md holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# What each room may import of ours (beside itself).
MAY_IMPORT = {
    "dags": set(),
    "pipeline": {"ml", "expectations", "report", "simulation"},
    "ml": set(),
    "expectations": set(),
    "report": set(),
    "simulation": set(),
}
# Judgement, promises, telling and the world touch nothing outside their arguments.
PURE_ROOMS = ("ml", "report", "simulation")
TOUCHES_THE_WORLD = {"os", "pathlib", "io", "shutil", "subprocess", "socket", "tempfile", "duckdb", "airflow"}


def _files(room: str) -> list[Path]:
    files = sorted((PROJECT / room).rglob("*.py"))
    assert files, f"the room {room} is empty"
    return files


def _imported(path: Path) -> set[str]:
    """Top-level names of all imports of a file, also of those inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_only_what_its_row_allows(room: str) -> None:
    forbidden = ({*MAY_IMPORT, "bench", "tests"}) - {room} - MAY_IMPORT[room]
    found = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in _files(room)
        for name in _imported(path)
        if name in forbidden
    }
    assert not found


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_pure_room_touches_no_disk_environment_or_warehouse(room: str) -> None:
    found = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in _files(room)
        for name in _imported(path) & TOUCHES_THE_WORLD
    }
    assert not found


def test_only_the_seam_opens_a_database() -> None:
    seam = {"warehouse.py"}
    found = [
        str(path.relative_to(PROJECT))
        for room in MAY_IMPORT
        for path in _files(room)
        if path.name not in seam and "duckdb.connect" in path.read_text(encoding="utf-8")
    ]
    assert not found


def test_nothing_reads_the_truth_but_benchmarks_and_tests() -> None:
    # The simulation makes it and pipeline/simulate.py writes it; nothing else knows where it lies. That a
    # review gives the same without it is run in tests/bench/test_truth.py.
    allowed = {"pipeline/workspace.py", "pipeline/simulate.py"}
    suffixes = {".py", ".sql", ".yml", ".toml", ".csv", ".jinja", ".js"}
    found = [
        str(path.relative_to(PROJECT))
        for room in [*set(MAY_IMPORT) - {"simulation"}, "dbt_project", "workspaces"]
        for path in sorted((PROJECT / room).rglob("*"))
        if path.suffix in suffixes
        and not {"target", "data", "logs", "__pycache__"} & set(path.relative_to(PROJECT).parts)
        and str(path.relative_to(PROJECT)) not in allowed
        and re.search(r"""\.truth\b|truth[/"']""", path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_only_the_command_that_makes_a_world_knows_how_it_is_made() -> None:
    found = [
        str(path.relative_to(PROJECT))
        for path in _files("pipeline")
        if "simulation" in _imported(path) and path.name != "simulate.py"
    ]
    assert not found


def test_the_readme_lists_every_room() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    missing = [room for room in [*MAY_IMPORT, "dbt_project", "workspaces"] if f"`{room}/" not in readme]
    assert not missing


def test_no_top_level_entry_without_a_place() -> None:
    known = {
        *MAY_IMPORT,
        "README.md",
        "dbt_project",
        "tests",
        "docker-compose.yml",
        "pyproject.toml",
        "workspaces",
        "bench",
        "docs",
        "Dockerfile",
        "Makefile",
        "requirements.lock",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    }
    ignored = {"__pycache__"}
    found = {
        path.name for path in PROJECT.iterdir() if not path.name.startswith(".") and path.name not in ignored
    }
    assert found <= known
