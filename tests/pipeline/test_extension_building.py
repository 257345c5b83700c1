"""Own features and own segments, built on the engine's rows: the promises they keep, and what breaks them."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import BrokenPromiseError, VitalsError
from pipeline.extension.building import (
    build_features,
    check_grain,
    check_that_weeks_are_apart,
    sort_into_segments,
)
from pipeline.extension.reading import Extension, OwnColumn, OwnModel
from pipeline.settings import Segment
from pipeline.settings import Warehouse as WarehouseSettings
from pipeline.warehouse import Warehouse
from pipeline.workspace import WORKSPACES_FOLDER
from tests.business import Business, copy_business


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
        select *, review_week as local_date, 1 as orders, 0.1 as share from features.customer_weeks;
        create view intermediate.events_of_weeks as
        select *, review_week::timestamp as occurred_at from features.customer_weeks;
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
        select
            *, review_week as local_date,
            (customer_id = 'bert' and review_week = '2025-06-16')::integer as tickets
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
