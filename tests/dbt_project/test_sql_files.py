"""What holds for the text of the SQL files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "dbt_project"
MODELS = sorted((PROJECT / "models").rglob("*.sql"))
OUTSIDE_THE_ENGINE = [
    *MODELS,
    *sorted((PROJECT / "tests").rglob("*.sql")),
    *(path for path in sorted((PROJECT / "macros").rglob("*.sql")) if path.parent.name != "engine"),
]
# Names that DuckDB and Spark do not share, or mean differently.
DIALECT = re.compile(
    r"\b(list_\w+|list|array_agg|collect_list|epoch_us|epoch|arg_max|arg_min|max_by|min_by|json_\w+|from_json"
    r"|get_json_object|unnest|explode|strftime|date_format|generate_series|sequence|range|timezone|from_utc_timestamp"
    r"|date_trunc|trunc|interval|to_microseconds|md5|flatten|try_cast|ignore\s+nulls)\s*\(|::|//|<<"
    r"|\binterval\b|\bvarchar\b|\blambda\b"
)
ENGINE_MACROS = {
    name
    for path in (PROJECT / "macros" / "engine").glob("*.sql")
    for name in re.findall(r"macro (\w+)\(", path.read_text(encoding="utf-8"))
}
IMPORT = re.compile(r"^    select \* from \{\{ (ref|source)\([^)]*\) \}\}$")


def code(path: Path) -> str:
    """The text without comments."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"--[^\n]*", "", text)


def named(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def test_there_are_models_to_look_at() -> None:
    assert len(MODELS) >= 30


@pytest.mark.parametrize("path", OUTSIDE_THE_ENGINE, ids=named)
def test_dialect_lives_in_engine_macros_only(path: Path) -> None:
    found = [match.group() for match in DIALECT.finditer(code(path))]
    assert [name for name in found if name.rstrip("(") not in ENGINE_MACROS] == []


@pytest.mark.parametrize("path", MODELS, ids=named)
def test_models_import_first_and_select_the_last_step(path: Path) -> None:
    """Tables are read in import steps named after them, and only there; the last line reads the last step."""
    text = code(path)
    read = [line for line in text.splitlines() if "ref(" in line or "source(" in line]
    assert read
    assert [line for line in read if not IMPORT.match(line)] == []
    assert text.rstrip().endswith("select * from final")


@pytest.mark.parametrize("path", MODELS, ids=named)
def test_every_model_has_its_yml(path: Path) -> None:
    assert path.with_suffix(".yml").is_file()


def test_every_yml_has_its_model() -> None:
    others = {"sources", "seeds"}
    lonely = [
        named(path)
        for path in sorted((PROJECT / "models").rglob("*.yml"))
        if not path.with_suffix(".sql").is_file()
        and path.stem not in others
        and not path.stem.endswith("_unit_tests")
    ]
    assert not lonely


def test_singular_tests_are_sentences() -> None:
    names = [path.stem for path in sorted((PROJECT / "tests").glob("*.sql"))]
    assert names
    assert [name for name in names if not re.fullmatch(r"assert(_[a-z]+){4,}", name)] == []


def test_no_abbreviated_aliases() -> None:
    short = re.compile(r"\bas ([a-z]\w?)\b(?!\()")
    found = {
        f"{named(path)}: {match.group(1)}"
        for path in OUTSIDE_THE_ENGINE
        for match in short.finditer(code(path))
        if match.group(1) not in ("id",)
    }
    assert not found
