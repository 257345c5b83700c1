"""What README.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.business import Business

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


def test_every_target_that_is_documented_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README)) | set(
        re.findall(r"^\$ make ([a-z-]+)", README, re.M)
    )
    assert named
    assert named <= targets


def test_every_link_leads_somewhere() -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    broken = [
        f"{page.relative_to(PROJECT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


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


def test_every_published_table_is_in_the_readme(reviewed: Business) -> None:
    tables = reviewed.published("select table_schema || '.' || table_name from information_schema.tables")
    missing = [name for (name,) in tables if f"`{name}`" not in README]
    assert not missing
