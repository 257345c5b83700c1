"""What README.md and the pages of docs/ show is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet
from typer.main import get_command

from pipeline.cli import app
from tests.business import Business, copy_workspace

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
PAGES = {
    str(page.relative_to(PROJECT)): page.read_text(encoding="utf-8")
    for page in (*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md")))
    if page.name != "CHANGELOG.md"
}
DEMO_WORLD = PAGES["docs/demo-world.md"]


def test_every_target_that_is_documented_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for text in PAGES.values():
        named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(
            re.findall(r"^\$ make ([a-z-]+)", text, re.M)
        )
        assert named <= targets
    assert "`make test`" in README


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page}: {target}"
        for page, text in PAGES.items()
        for target in re.findall(r"\]\(([^)#:]+)\)", text)
        if not (PROJECT / page).parent.joinpath(target).exists()
    ]
    assert not broken


def test_every_entry_of_the_runbook_is_provoked_by_a_test() -> None:
    _check_that_tests_exist("docs/runbook.md", least=15)


def test_every_defence_is_tried_by_a_test() -> None:
    _check_that_tests_exist("SECURITY.md", least=8)


def _check_that_tests_exist(page: str, least: int) -> None:
    """Each row of the tables of a page ends with a test."""
    rows = [line for line in PAGES[page].splitlines() if line.startswith("| ")]
    entries = [row for row in rows if not row.endswith(("| test |", "| --- |"))]
    assert len(entries) >= least
    for entry in entries:
        found = re.search(r"`(tests/[\w/]+\.py)::(\w+)` \|$", entry)
        assert found, entry
        assert f"def {found[2]}(" in (PROJECT / found[1]).read_text(encoding="utf-8"), entry


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_a_page_has_its_heading(page: str) -> None:
    headings = re.findall(r"^#+ (.*)$", PAGES[page], re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGES[page])) <= anchors


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_documented_exists_with_its_options(page: str) -> None:
    commands = get_command(app).commands
    shown = re.findall(r"`vitals ([a-z].*?)`", PAGES[page])
    shown += re.findall(r"^(?:\$ )?(?:\S*/)?vitals ([a-z][^#\n]*)", PAGES[page], re.MULTILINE)
    for command in shown:
        name, *words = command.split()
        assert name in commands, command
        options = {option for parameter in commands[name].params for option in parameter.opts}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= options | {"--help"}, command


def test_the_world_of_the_page_is_made_and_made_again(tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ \.venv/bin/vitals (simulate .*)$", DEMO_WORLD, re.MULTILINE)
    files = []
    for name in ("one", "two"):
        business = copy_workspace(tmp_path / name)
        answer = business.vitals(*shlex.split(line))
        assert answer.code == 0, answer.said
        written = sorted(path for part in ("landing", "truth") for path in (business.data / part).iterdir())
        files.append({path.name: path.read_bytes() for path in written})
    assert files[0] == files[1]
    documented = re.findall(r"^\| `(\w+)` \| [^|]+ \| `([\w, ]+)` \|$", DEMO_WORLD, re.MULTILINE)
    assert {name: columns.split(", ") for name, columns in documented} == {
        path.stem: parquet.read_schema(path).names
        for path in (tmp_path / "one" / "data" / "truth").glob("*.parquet")
    }


def test_the_check_of_a_score_runs(reviewed: Business) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DEMO_WORLD, re.DOTALL)
    assert "workspaces/demo/" in code
    here = code.replace("workspaces/demo/", f"{reviewed.folder}/")
    done = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "correlation" in done.stdout


@pytest.mark.parametrize("sql", QUERIES, ids=range(len(QUERIES)))
def test_the_queries_of_the_readme_run(reviewed: Business, sql: str) -> None:
    answer = reviewed.vitals("query", sql, "--format", "csv")
    assert answer.code == 0, answer.said
    assert len(answer.said.splitlines()) > 1


def test_the_query_of_the_two_commands_runs(reviewed: Business) -> None:
    (sql,) = re.findall(r"^\$ \.venv/bin/vitals query \"(.*)\"$", README, re.MULTILINE)
    answer = reviewed.vitals("query", sql)
    assert answer.code == 0, answer.said
    assert "established" in answer.said
    assert "established" in README


def test_the_readme_names_the_published_tables_and_no_other(reviewed: Business) -> None:
    tables = reviewed.published("select table_schema || '.' || table_name from information_schema.tables")
    section = README.split("## What is published")[1].split("\n## ")[0]
    named = set(re.findall(r"`((?:marts|ops)\.\w+)`", section))
    assert {name for (name,) in tables} == named
