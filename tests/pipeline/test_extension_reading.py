"""Own features and own segments as they are read: what a workspace may add, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.extension.building import (
    write_models,
)
from pipeline.extension.reading import Extension, OwnColumn, read_extension
from pipeline.workspace import WORKSPACES_FOLDER, Workspace

DEMO = WORKSPACES_FOLDER / "demo"
YML = """
version: 2
models:
  - name: visits
    description: One row per customer and review week.
    columns:
      - { name: customer_id, description: Customer. }
      - { name: review_week, description: Monday of the week. }
      - { name: long_visits_28d, description: Long visits (count)., data_tests: [not_null] }
"""
SQL = """
select customer_id, review_week, count(*) as long_visits_28d
from {{ ref('days_of_weeks') }} as days
where days_before_end <= 28 and session_microseconds > 3600000000
group by customer_id, review_week
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The demo with one file of own features, visits, and without segments."""
    folder = tmp_path / "shop"
    (folder / "features").mkdir(parents=True)
    for file in ("events.csv", "playbook.csv"):
        shutil.copyfile(DEMO / file, folder / file)
    text = (DEMO / "review.toml").read_text(encoding="utf-8")
    before, _, rest = text.partition("[[segments]]")
    (folder / "review.toml").write_text(before + "[marts]" + rest.partition("[marts]")[2], encoding="utf-8")
    (folder / "features" / "visits.sql").write_text(SQL, encoding="utf-8")
    (folder / "features" / "visits.yml").write_text(YML, encoding="utf-8")
    return Workspace(folder=folder, data=tmp_path / "data")


def _with_segment(workspace: Workspace, condition: str, name: str = "mine") -> Workspace:
    with (workspace.folder / "review.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[segments]]\nname = "{name}"\ncondition = """{condition}"""\n')
    return workspace


def test_own_features_are_read_with_their_types(workspace: Workspace) -> None:
    extension = read_extension(workspace)
    assert [model.name for model in extension.models] == ["visits"]
    assert extension.columns == (OwnColumn("long_visits_28d", "bigint", "Long visits (count)."),)
    assert "{{" not in extension.models[0].rendered


def test_a_workspace_that_adds_nothing_is_as_it_was(workspace: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(workspace.folder / "features")
    extension = read_extension(workspace)
    assert extension == Extension()
    assert extension.models_digest() == ""
    folder = tmp_path / "own_models"
    (folder / "own_models").mkdir(parents=True)
    (folder / "own_models" / "gone.sql").write_text("select 1", encoding="utf-8")
    write_models(extension, folder)
    assert not folder.exists()


def test_models_that_are_unchanged_are_not_written_again(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "own_models"
    write_models(read_extension(workspace), folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.sql")}
    assert {path.stem for path in before} == {"visits", "own_features", "marts_own_features"}
    write_models(read_extension(workspace), folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.sql")} == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Reads something that knows what came later.
        (
            "ref('days_of_weeks')",
            "ref('customer_days')",
            r"reads ref\('customer_days'\); own features read ref",
        ),
        ("{{ ref('days_of_weeks') }}", "{{ source('raw', 'events') }}", "uses source in its Jinja"),
        (
            "{{ ref('days_of_weeks') }}",
            "intermediate.customer_days",
            "reads 'intermediate.customer_days'; own",
        ),
        (
            "{{ ref('days_of_weeks') }}",
            "intermediate.days_of_weeks",
            "reads 'intermediate.days_of_weeks'; own",
        ),
        ("{{ ref('days_of_weeks') }}", "vitals_reads.days_of_weeks", "names a schema; read ref"),
        ("{{ ref('days_of_weeks') }}", "days_of_weeks", "reads 'days_of_weeks'; own"),
        (
            "\nselect customer_id, review_week, count(*)",
            'with "raw.events" as (select 1 as x) select customer_id, review_week, '
            "(select count(*) from raw.events)",
            "reads 'raw.events'; own",
        ),
        ("{{ ref('days_of_weeks') }}", "'/etc/passwd.csv'", "reads '/etc/passwd.csv'"),
        ("{{ ref('days_of_weeks') }}", "read_csv('/etc/passwd')", r"reads read_csv\(\)"),
        ("days_before_end <= 28", "local_date in (select local_date from raw.events)", "reads 'raw.events'"),
        ("{{ ref('days_of_weeks') }}", "{{ run_query('select 1') }}", "uses run_query in its Jinja"),
        ("select cust", "{{ config(materialized='view') }} select cust", "uses config in its Jinja"),
        # Depends on when it runs, or on chance.
        (
            "days_before_end <= 28",
            "local_date > current_date - 28",
            "asks for current_date, .*end of the week",
        ),
        ("days_before_end <= 28", "local_date > today() - 28", r"calls today\(\), which depends on when"),
        ("days_before_end <= 28", "now() is not null", r"calls now\(\)"),
        ("days_before_end <= 28", "random() < 0.5", r"calls random\(\)"),
        ("as days", "as days tablesample 10%", "draws a sample"),
        ("count(*)", "any_value(orders)", r"calls any_value\(\) without an order"),
        ("count(*)", "len(string_agg(weekday::text, ','))", r"calls string_agg\(\) without an order"),
        ("count(*)", "row_number() over ()", r"calls row_number\(\) over rows without an order"),
        (
            "count(*)",
            "first_value(count(*)) over (partition by review_week)",
            r"calls first_value\(\) over rows",
        ),
        ("days_before_end <= 28", "orders in (select 1 limit 1)", "has a limit without an order"),
        ("select cust", "select distinct on (review_week) cust", "has a distinct on without an order"),
        # Is no SQL, or not one SELECT of columns that are there.
        ("select", "selekt", "cannot be read as SQL"),
        ("select cust", "drop table x; select cust", "does more than read; give one SELECT"),
        ("group by", "; select 1 group by", "is more than one statement|cannot be read as SQL"),
        ("session_microseconds", "session_minutes", 'cannot be run: .*"session_minutes" not found'),
        ("days_of_weeks') }}", "days_of_weeks') }", "cannot be read as SQL with Jinja"),
        ("count(*)", "{{ 1 / 0 }}", "cannot be read as SQL with Jinja: division by zero. Look at what"),
        ("count(*)", "{{ 'a' + 1 }}", "cannot be read as SQL with Jinja: can only concatenate"),
        (
            "count(*)",
            "{{ share_of('a', 'b', 'c', 'd') }}",
            "with Jinja: macro 'share_of' takes not more than",
        ),
        ("count(*)", "{{ share_of('a') }}", "cannot be read as SQL with Jinja"),
        ("'days_of_weeks'", "['days_of_weeks']", r"reads ref\(\['days_of_weeks'\]\); own"),
        ("'days_of_weeks'", "'days_of_weeks', v=1", "cannot be read as SQL with Jinja"),
        ("count(*)", "{% include 'x' %}", "includes or imports another file in its Jinja; write it out"),
        ("count(*)", "{% import 'x' as y %}count(*)", "includes or imports another file in its Jinja"),
        ("count(*)", "{% from 'x' import y %}count(*)", "includes or imports another file in its Jinja"),
        # Duplicates, grain, types.
        ("long_visits_28d", "sessions_28d", "sessions_28d is already a column of .*features.customer_weeks"),
        ("long_visits_28d", "churn_score", "churn_score is already a column of .*marts.customers"),
        (
            "customer_id, review_week, count",
            "customer_id, max(end_date) as end_date, count",
            "review_week is missing; the grain",
        ),
        ("review_week, count", "cast(review_week as text) as review_week, count", "review_week is VARCHAR"),
        (", count(*) as long_visits_28d", "", "gives no column of its own|describes 'long_visits_28d'"),
        ("count(*)", "list(orders)", r"long_visits_28d is BIGINT\[\]; cast it"),
        (
            "long_visits_28d",
            '"Long visits"',
            "the column 'Long visits' needs a name of its own in snake_case",
        ),
    ],
)
def test_bad_sql_is_refused_before_anything_is_built(
    workspace: Workspace, old: str, new: str, message: str
) -> None:
    path = workspace.folder / "features" / "visits.sql"
    assert old in SQL
    path.write_text(SQL.replace(old, new), encoding="utf-8")
    yml = path.with_suffix(".yml")
    if old == "long_visits_28d" and new.isidentifier():
        yml.write_text(YML.replace(old, new), encoding="utf-8")
    if "end_date" in new:
        yml.write_text(YML.replace("review_week, d", "end_date, d"), encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        read_extension(workspace)
    assert str(path.with_suffix("")) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "vitals_reads" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: visits", "name: others", "exactly one model, visits"),
        ("One row per customer and review week.", "", "the model has no description"),
        ("description: Long visits (count).", "description: ''", "long_visits_28d has no description"),
        (", data_tests: [not_null]", "", "long_visits_28d has no test"),
        (
            "{ name: review_week, description: Monday of the week. }",
            "",
            "one of the columns has no text as its name",
        ),
        ("name: review_week", "name: week", "review_week has no description"),
        ("    columns:", "    config: { post_hook: drop table x }\n    columns:", "has the key 'config'"),
        ("version: 2", "version: 2\nmacros: []", "has the key 'macros'"),
        ("Customer.", "{{ env_var('HOME') }}", "has Jinja in it"),
        ("version: 2", "version: 2: 3", "cannot be read as YAML"),
        ("version: 2", "version: 2025-13-45", "cannot be read as YAML: month must be in 1..12"),
        ("    columns:", "    columns: 5\n    data_tests:", "columns is 5; give a list"),
        ("version: 2", "version: 2\nunit_tests: 5", "unit_tests is 5; give a list"),
        ("version: 2", "version: 2\nunit_tests: [5]", "the unit test None has to be one of the model visits"),
        ("name: review_week", "name: [a]", "one of the columns has no text as its name"),
        ("- { name: review_week, description: Monday of the week. }", "- 5", "has no text as its name"),
        ("data_tests: [not_null]", "data_tests: 5", "data_tests is 5; give a list"),
    ],
)
def test_what_is_not_described_and_tested_is_refused(
    workspace: Workspace, old: str, new: str, message: str
) -> None:
    path = workspace.folder / "features" / "visits.yml"
    assert old in YML
    path.write_text(YML.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        read_extension(workspace)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_a_unit_test_expects_is_tested(workspace: Workspace) -> None:
    path = workspace.folder / "features" / "visits.yml"
    unit_test = """
unit_tests:
  - name: visits_are_counted
    model: visits
    given: []
    expect:
      rows: [{ customer_id: anna, long_visits_28d: 1 }]
"""
    path.write_text(YML.replace(", data_tests: [not_null]", "") + unit_test, encoding="utf-8")
    assert read_extension(workspace).columns


def test_what_takes_rows_in_an_order_is_taken(workspace: Workspace) -> None:
    path = workspace.folder / "features" / "visits.sql"
    path.write_text(
        """
        with ranked as (
            select customer_id, review_week, row_number() over (partition by orders order by end_date) as rank
            from {{ ref('days_of_weeks') }} order by all limit 5
        )
        select distinct on (customer_id, review_week) customer_id, review_week, rank as long_visits_28d
        from ranked order by all
        """,
        encoding="utf-8",
    )
    assert read_extension(workspace).columns


def test_two_files_cannot_give_the_same_column(workspace: Workspace) -> None:
    folder = workspace.folder / "features"
    (folder / "weeks.sql").write_text(SQL, encoding="utf-8")
    (folder / "weeks.yml").write_text(YML.replace("name: visits", "name: weeks"), encoding="utf-8")
    with pytest.raises(
        SettingsError, match=r"weeks\.sql: the column long_visits_28d is already a column of visits"
    ):
        read_extension(workspace)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("notes.txt", "notes.txt is neither .sql nor .yml"),
        ("lonely.sql", "lonely.yml is missing: it has to describe and test"),
        ("lonely.yml", "lonely.sql is missing: it has to hold the SELECT"),
    ],
)
def test_other_files_are_refused(workspace: Workspace, file: str, message: str) -> None:
    (workspace.folder / "features" / file).touch()
    with pytest.raises(SettingsError, match=message):
        read_extension(workspace)


def test_a_name_of_the_engine_is_refused(workspace: Workspace) -> None:
    folder = workspace.folder / "features"
    for suffix in (".sql", ".yml"):
        (folder / f"visits{suffix}").rename(folder / f"sessions{suffix}")
    with pytest.raises(SettingsError, match="the engine has a table or view sessions"):
        read_extension(workspace)


@pytest.mark.parametrize(
    "condition",
    [
        "revenue_365d > 1000 and lifecycle_stage <> 'churned'",
        "long_visits_28d >= 2 or plan is null -- the loud ones",
        "greatest(orders_28d, 1) between 1 and 3 and lifecycle_stage in ('dormant', 'at_risk')",
        "is_scorable",
        "(is_scorable) or (tenure_days > 20) -- once :)",
    ],
)
def test_good_conditions_are_taken(workspace: Workspace, condition: str) -> None:
    assert [each.name for each in read_extension(_with_segment(workspace, condition)).segments] == ["mine"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("revenue_365 > 1000", "names 'revenue_365', which is no column of the row"),
        ("churn_score > 70", "names 'churn_score', which is no column"),
        ("revenue_365d", "gives DECIMAL.*give what is true or false"),
        ("revenue_365d >", "cannot be read as SQL"),
        ("true) limit 1; drop table x; select (true", "does more than read|more than one"),
        ("tenure_days > 20) or (1=1", "closes a bracket that it did not open; give one true-or-false"),
        ("true) and (false) or (true", "closes a bracket that it did not open"),
        ("true) union (select 1 where true", "is more than one condition"),
        ("true) union select * from features.customer_weeks where (true", "is more than one condition"),
        ("true, true", "is more than one condition, or closes"),
        ("customer_id in (select customer_id from raw.events)", "has a query in it"),
        ("revenue_365d > avg(revenue_365d)", r"calls avg\(\), which sees several rows"),
        ("row_number() over () < 10", r"calls row_number\(\), which sees several rows"),
        ("first_seen_date > current_date - 30", "asks for current_date"),
        ("random() < 0.5", r"calls random\(\)"),
        ("lifecycle_stage > 5 and plan + 1 > 2", "cannot be run"),
        ("revenue_365d > ?", "names no column"),
        ("features.customer_weeks.revenue_365d > 5", "names 'features.customer_weeks.revenue_365d'"),
    ],
)
def test_bad_conditions_are_named(workspace: Workspace, condition: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read_extension(_with_segment(workspace, condition))
    assert f"{workspace.folder / 'review.toml'}: segments.0.condition of mine" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("Big Spenders", "segments.0.name"), ("churn_band", "is a scheme of segments already")],
)
def test_bad_names_of_segments_are_named(workspace: Workspace, name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_extension(_with_segment(workspace, "is_scorable", name))


def test_two_segments_of_one_name_are_refused(workspace: Workspace) -> None:
    twice = _with_segment(_with_segment(workspace, "is_scorable"), "is_active_7d")
    with pytest.raises(SettingsError, match="two segments have the name 'mine'"):
        read_extension(twice)
