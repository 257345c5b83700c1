"""Own features and own segments: what a workspace adds without touching the engine, and what is refused."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import BrokenPromiseError, SettingsError, VitalsError
from pipeline.extension.building import (
    build_features,
    check_grain,
    check_that_weeks_are_apart,
    sort_into_segments,
    write_models,
)
from pipeline.extension.reading import Extension, OwnColumn, OwnModel, read_extension
from pipeline.settings import Segment
from pipeline.settings import Warehouse as WarehouseSettings
from pipeline.warehouse import Warehouse
from pipeline.workspace import WORKSPACES_FOLDER, Workspace
from tests.business import Business, copy_business

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


@pytest.fixture
def small(tmp_path: Path) -> Warehouse:
    """Two customers in two weeks, and the view that own features read."""
    warehouse = Warehouse(tmp_path / "small.duckdb", WarehouseSettings(memory_limit_gigabytes=0.5, threads=1))
    warehouse.run(
        """
        create table features.customer_weeks as
        select customer_id, review_week::date as review_week
        from (values ('anna'), ('bert')) as customer (customer_id)
        cross join (values ('2025-06-02'), ('2025-06-09')) as week (review_week);
        create view intermediate.days_of_weeks as
        select *, 1 as orders, 0.1 as share from features.customer_weeks;
        create view intermediate.events_of_weeks as select * from features.customer_weeks;
        """
    )
    return warehouse


def _built(warehouse: Warehouse, query: str, kind: str = "bigint") -> SimpleNamespace:
    """A review whose one own model has been built from a query over `vitals_reads`."""
    model = OwnModel("mine", "", "", query, (OwnColumn("own", kind, "Own."),))
    warehouse.run(f"create or replace table intermediate.mine as {model.reading_from('intermediate')}")
    return SimpleNamespace(warehouse=warehouse, extension=Extension(models=(model,)))


def test_a_customer_who_is_twice_in_a_segment_is_named(small: Warehouse) -> None:
    small.run("create table features.own_segments (customer_id varchar, review_week date, segment varchar)")
    segments = (Segment(name="mine", condition="customer_id = 'anna'"),)
    review = SimpleNamespace(warehouse=small, extension=Extension(segments=segments))
    sort_into_segments(review, None)
    sort_into_segments(review, [date(2025, 6, 2)])
    assert small.value("select count(*) from features.own_segments") == 2
    small.run("insert into features.customer_weeks select * from features.customer_weeks")
    message = "the segment mine has customer anna 2 times in the week of 2025-06-02, where once belongs"
    with pytest.raises(BrokenPromiseError, match=message):
        sort_into_segments(review, None)
    # Nothing of it stays.
    assert small.value("select count(*) from features.own_segments") == 2


def test_a_condition_that_fails_on_a_row_is_named(small: Warehouse) -> None:
    small.run("create table features.own_segments (customer_id varchar, review_week date, segment varchar)")
    sound = Segment(name="sound", condition="true")
    broken = Segment(name="broken", condition="cast(customer_id as integer) > 1")
    sort_into_segments(SimpleNamespace(warehouse=small, extension=Extension(segments=(sound,))), None)
    review = SimpleNamespace(warehouse=small, extension=Extension(segments=(sound, broken)))
    message = r"the condition of the segment broken in review\.toml cannot be worked out.*'anna'.*try_cast\."
    with pytest.raises(VitalsError, match=message) as caught:
        sort_into_segments(review, [date(2025, 6, 2)])
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert small.value("select count(*) from features.own_segments") == 4


FROM_DAYS = "from vitals_reads.days_of_weeks"


def test_a_changed_grain_is_named_with_an_example(small: Warehouse) -> None:
    check_grain(_built(small, f"select customer_id, review_week, orders as own {FROM_DAYS} where orders = 0"))
    twice = f"select customer_id, review_week, 1 as own {FROM_DAYS} cross join range(2)"
    with pytest.raises(BrokenPromiseError, match="has 2 rows for customer anna in the week of 2025-06-02"):
        check_grain(_built(small, twice))
    for stranger in (
        f"select 'carl' as customer_id, review_week, 1 as own {FROM_DAYS} where customer_id = 'anna'",
        f"select null as customer_id, review_week, 1 as own {FROM_DAYS} where customer_id = 'anna'",
        f"select customer_id, null::date as review_week, 1 as own {FROM_DAYS} limit 1",
    ):
        with pytest.raises(BrokenPromiseError, match="changes the grain: it has a row for customer"):
            check_grain(_built(small, stranger))


def test_what_looks_at_other_weeks_is_named(small: Warehouse) -> None:
    weeks = {date(2025, 6, 2), date(2025, 6, 9)}
    fine = f"select customer_id, review_week, sum(share::double) as own {FROM_DAYS} group by all -- once"
    check_that_weeks_are_apart(_built(small, fine, "double"), weeks)
    over = "over (partition by customer_id order by review_week)"
    for function in ("lead", "lag"):
        beyond = f"select customer_id, review_week, {function}(orders) {over} as own {FROM_DAYS}"
        with pytest.raises(
            BrokenPromiseError, match="looks beyond its week: the row of customer anna in the"
        ):
            check_that_weeks_are_apart(_built(small, beyond), weeks)
    assert small.value("select count(*) from duckdb_schemas() where schema_name = 'one_week'") == 0


def test_what_looks_ahead_at_a_rare_event_is_named(small: Warehouse) -> None:
    """Only the second of four weeks differs: bert has a ticket in the third, and nobody another."""
    weeks = tuple(date(2025, 6, day) for day in (2, 9, 16, 23))
    small.run(
        """
        insert into features.customer_weeks
        select customer_id, review_week + 14 from features.customer_weeks;
        create or replace view intermediate.days_of_weeks as
        select *, (customer_id = 'bert' and review_week = '2025-06-16')::integer as tickets
        from features.customer_weeks;
        """
    )
    over = "over (partition by customer_id order by review_week)"
    beyond = f"select customer_id, review_week, coalesce(lead(tickets) {over}, 0) as own {FROM_DAYS}"
    fine = f"select customer_id, review_week, tickets as own {FROM_DAYS}"
    for query, is_refused in ((beyond, True), (fine, False)):
        review = _built(small, query)
        review.dbt = SimpleNamespace(build=lambda *_, **__: 3, try_own_models=lambda: 2)
        display = SimpleNamespace(update=lambda _: None)
        if is_refused:
            message = "looks beyond its week: the row of customer bert in the week of 2025-06-09 differs"
            for is_rebuild in (True, False):
                with pytest.raises(BrokenPromiseError, match=message):
                    build_features(review, display, weeks, is_rebuild=is_rebuild)
        else:
            assert build_features(review, display, weeks, is_rebuild=True) == 5


def test_the_demo_publishes_its_own_columns_and_segments(reviewed: Business) -> None:
    rows, weeks = reviewed.built("select count(*), count(distinct review_week) from features.own_features")[0]
    assert (rows, weeks) == reviewed.built(
        "select count(*), count(distinct review_week) from features.customer_weeks"
    )[0]
    ((customers, orders, share),) = reviewed.published(
        "select count(*), sum(evening_orders_90d), max(weekend_order_share_365d) from marts.own_features"
    )
    assert customers == reviewed.published("select count(*) from marts.customers")[0][0]
    assert orders > 0
    assert 0 < share <= 1
    history = reviewed.published(
        """
        select segment, review_week, customers, customer_share
        from marts.segments_weekly where scheme = 'own'
        """
    )
    assert len({week for _, week, *_ in history}) > 10
    expected = reviewed.built(
        """
        select 'big_spenders', review_week, count(*)
        from features.customer_weeks
        where revenue_365d >= 1000 and lifecycle_stage <> 'churned'
        group by review_week order by review_week desc limit 26
        """
    )
    found = [row[:3] for row in history if row[0] == "big_spenders"]
    assert found
    assert set(found) == set(expected)
    assert all(0 < share < 1 for *_, share in history)


def test_other_segments_are_sorted_anew_without_a_build(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    review = business.folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    review.write_text(text.replace("revenue_365d >= 1000", "revenue_365d >= 500"), encoding="utf-8")
    refused = business.vitals("run", "--from", "marts")
    assert refused.code == 1
    assert "Run `vitals features` first" in refused.said
    sorted_anew = business.vitals("features")
    assert sorted_anew.code == 0, sorted_anew.said
    assert (
        "[[segments]] of review.toml changed: the 44 kept weeks are sorted into them anew" in sorted_anew.said
    )
    assert "built anew" not in sorted_anew.said
    sizes = """
        select review_week, count(*) from features.own_segments
        where segment = 'big_spenders' group by all order by 1
    """
    expected = reviewed.built(
        """
        select review_week, count(*) from features.customer_weeks
        where revenue_365d >= 500 and lifecycle_stage <> 'churned' group by all order by 1
        """
    )
    assert business.built(sizes) == expected
    # One that fails on a row stops the step; nothing of the week counts as done until it is mended.
    good = review.read_text(encoding="utf-8")
    broken = '\n[[segments]]\nname = "broken"\ncondition = "cast(lifecycle_stage as integer) > 1"\n'
    review.write_text(good + broken, encoding="utf-8")
    stopped = business.vitals("features")
    assert stopped.code == 1
    assert "the condition of the segment broken in review.toml cannot be worked out" in stopped.said
    assert "report" not in stopped.said
    refused = business.vitals("train")
    assert refused.code == 1
    assert "train needs the step features, which is not finished" in refused.said
    review.write_text(good, encoding="utf-8")
    mended = business.vitals("features")
    assert mended.code == 0, mended.said
    assert "built anew" not in mended.said
    assert business.built(sizes) == expected


def test_the_example_of_the_page_goes_all_the_way(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    page = (WORKSPACES_FOLDER.parent / "docs" / "extensions.md").read_text(encoding="utf-8")
    given = dict(re.findall(r"`(\S+\.\w+)`:\n\n```\w+\n(.*?)```", page, re.DOTALL))
    assert set(given) == {
        "features/long_visits.sql",
        "features/long_visits.yml",
        "review.toml",
        "playbook.csv",
    }
    for name, text in given.items():
        path = business.folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        # The action first, so that none of the demo goes before it; and a health component of the column.
        header, _, rest = before.partition("\n") if name == "playbook.csv" else ("", "", before)
        rest = rest.replace('"nps_last"', '"long_visit_days_28d"')
        parts = [header, text, rest] if name == "playbook.csv" else [rest, text]
        path.write_text("\n".join(part.strip("\n") for part in parts) + "\n", encoding="utf-8")
    commands = [shlex.split(line) for line in re.findall(r"^\$ vitals (.*)$", page, re.MULTILINE)]
    assert [command[0] for command in commands] == ["run", "query", "query"]
    answers = [business.vitals(*command) for command in commands]
    for answer in answers:
        assert answer.code == 0, answer.said
    assert "built anew" in answers[0].said
    assert "long_visit_days_28d" in answers[1].said
    assert len(answers[2].said.splitlines()) > 2
    in_segment = {
        customer
        for (customer,) in business.published(
            "select customer_id from marts.customers inner join marts.own_features using (customer_id)"
            " where long_visit_days_28d >= 2 and lifecycle_stage <> 'churned'"
        )
    }
    asked = dict(
        business.published(
            "select customer_id, reason from marts.interventions where action_id = 'ask_deep_workers'"
        )
    )
    assert in_segment
    assert set(asked) == in_segment
    assert all(reason.startswith("segment deep workers: ") for reason in asked.values())
    scored = "select count(value) from scores.health_contributions where column_name = 'long_visit_days_28d'"
    assert business.built(scored)[0][0] > 10


def test_an_own_model_that_looks_ahead_over_the_weeks_publishes_nothing(
    reviewed: Business, tmp_path: Path
) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    path = business.folder / "features" / "order_habits.sql"
    text = path.read_text(encoding="utf-8")
    days = "days_summed"
    over = f"partition by {days}.customer_id order by {days}.review_week"
    # One week in the middle looks ahead; the others are as they should be.
    middle = reviewed.built("select distinct review_week from features.customer_weeks order by 1")[20][0]
    beyond = f"(lead({days}.review_week) over ({over}) = date '{middle}')::integer"
    path.write_text(
        text.replace("coalesce(orders_counted.evening_orders_90d, 0)", f"coalesce({beyond}, 0)"),
        encoding="utf-8",
    )
    failed = business.vitals("run", VITALS_RUN_ID="ahead")
    assert failed.code == 1
    assert "features/order_habits.sql looks beyond its week: the row of customer" in failed.said
    assert business.current.resolve().name == "first"
    # The folder gone, the workspace is one without columns of its own; its segment that used one says so.
    shutil.rmtree(business.folder / "features")
    refused = business.vitals("run")
    assert refused.code == 2
    assert "names 'weekend_order_share_365d', which is no column of the row" in refused.said
