"""Every promise is kept by good tables and broken by a table that deserves it; and people can read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime

import duckdb
import pytest

from expectations import features, marts, raw, scores
from expectations.gate import check_border, engine_over
from expectations.promise import Promise, TablePromises

# Importing Great Expectations takes seconds: one worker does it for the whole room.
pytestmark = pytest.mark.xdist_group("great_expectations")

REVIEW_WEEK = date(2025, 3, 3)
# With the parameters that fit good_tables.sql.
BORDERS: dict[str, list[TablePromises]] = {
    "raw": [
        *raw.all_tables([1, 2, 3], customer="account", currency="EUR"),
        raw.reviewed_week(datetime(2025, 3, 2, 23), datetime(2025, 3, 9, 23), customer="account"),
    ],
    "features": [
        features.customer_weeks(REVIEW_WEEK),
        features.customer_week_labels(REVIEW_WEEK, horizon_days=28),
    ],
    "scores": [
        scores.churn(REVIEW_WEEK, low_band_up_to_score=30, medium_band_up_to_score=70),
        scores.health(
            REVIEW_WEEK, high_touch_below_score=40, advocacy_above_score=70, observed_weight_minimum_share=0.5
        ),
        scores.health_contributions(REVIEW_WEEK, components=["usage_frequency", "nps"]),
        scores.clusters(REVIEW_WEEK, largest_count=8),
    ],
    "marts": marts.all_tables(
        REVIEW_WEEK,
        history_weeks=26,
        owner_teams={"rescue_call": "customer_success", "win_back": "marketing"},
        capacity_per_owner_team=2,
    ),
}
TABLES = [table for tables in BORDERS.values() for table in tables]
PROMISES = [(table, promise) for table in TABLES for promise in table.promises]

# A hundred more rows for each row of a table.
HUNDREDFOLD = (
    "insert into {table} select rows.* replace (customer_id || '_' || copy as customer_id)"
    " from {table} as rows, range(100) as copies (copy); "
)
# What breaks each promise that is a query: "table name", or "table column name" where columns share the name.
# More customers than a small business may have beyond a scale.
ADD_SIX = (
    "insert into features.customer_weeks select weeks.* replace ('other_' || number as customer_id, {}) "
    "from features.customer_weeks as weeks cross join range(6) as numbers (number) "
    "where customer_id = 'account_0' and review_week = date '2025-03-03'"
)
BREAKING_SQL: dict[str, str] = {
    "raw.events tracked_events_have_a_name": "update raw.events set event_name = null",
    "raw.events names_are_snake_case": "update raw.events set event_name = 'Order Completed'",
    "raw.events ids_are_not_blank": "update raw.events set anonymous_id = ' '",
    "raw.events nothing_happens_a_day_after_its_receipt": (
        "update raw.events set occurred_at = received_at + interval 25 hour"
    ),
    "raw.events clocks_were_set": "update raw.events set occurred_at = timestamp '1970-01-01 00:00:00'",
    "raw.events money_is_in_the_currency_of_the_workspace": (
        "update raw.events set currency = 'USD' where event_id = 'event_10'"
    ),
    "raw.events orders_bring_money_and_refunds_take_it": (
        "update raw.events set revenue = -revenue where event_id = 'event_20'"
    ),
    "raw.events properties texts_are_json": "update raw.events set properties = 'plan: team'",
    "raw.events traits texts_are_json": "update raw.events set traits = '{' where event_id = 'event_3'",
    "raw.events the_week_has_events": "delete from raw.events where occurred_at < date '2025-03-10'",
    "raw.events the_week_has_customers": "update raw.events set account_id = null",
    "raw.events the_week_is_complete": "delete from raw.events where occurred_at >= date '2025-03-08'",
    "raw.loads files_have_a_fingerprint": "update raw.loads set sha256 = upper(sha256)",
    "raw.loads every_row_is_accounted_for": "update raw.loads set rows_duplicate = null where load_id = 2",
    "raw.loads late_events_are_among_the_loaded": "update raw.loads set events_late = 39 where load_id = 2",
    "raw.loads files_are_not_empty": "update raw.loads set rows_read = 0 where load_id = 2",
    "raw.loads few_rows_of_a_file_are_rejected": "update raw.loads set rows_rejected = 3 where load_id = 2",
    "raw.loads most_rows_are_readable": "update raw.loads set rows_rejected = 21",
    "raw.loads few_events_are_late": "update raw.loads set events_late = 2",
    "raw.rejected_events rejections_have_a_reason": "update raw.rejected_events set reason = ' '",
    "raw.rejected_events rejected_rows_are_all_kept": "delete from raw.rejected_events where load_id = 3",
    "features.customer_weeks the_reviewed_week_is_there": (
        "delete from features.customer_weeks where review_week = date '2025-03-03'"
    ),
    "features.customer_weeks nothing_is_longer_ago_than_the_first_event": (
        "update features.customer_weeks set days_since_last_order = tenure_days + 1"
    ),
    "features.customer_weeks rows_do_not_see_the_future": (
        "update features.customer_weeks set first_seen_date = date '2025-03-10'"
    ),
    "features.customer_weeks recency_agrees_with_the_windows": (
        "update features.customer_weeks set days_since_last_activity = null where customer_id = 'account_0'"
    ),
    "features.customer_weeks activities_windows_lie_within_each_other": (
        "update features.customer_weeks set activities_28d = activities_90d + 1"
    ),
    "features.customer_weeks core_events_windows_lie_within_each_other": (
        "update features.customer_weeks set core_events_7d = core_events_28d + 1"
    ),
    "features.customer_weeks active_days_windows_lie_within_each_other": (
        "update features.customer_weeks set active_days_7d = -1"
    ),
    "features.customer_weeks sessions_windows_lie_within_each_other": (
        "update features.customer_weeks set sessions_28d = sessions_90d + 1"
    ),
    "features.customer_weeks orders_windows_lie_within_each_other": (
        "update features.customer_weeks set orders_365d = orders_ever + 1"
    ),
    "features.customer_weeks features_used_windows_lie_within_each_other": (
        "update features.customer_weeks set features_used_90d = features_used_ever + 1"
    ),
    "features.customer_weeks the_times_of_activity_are_those_of_90_days": (
        "update features.customer_weeks set best_weekday = null where customer_id = 'account_1'"
    ),
    "features.customer_weeks the_mix_of_features_is_that_of_the_features_used": (
        "update features.customer_weeks set top_feature_28d = 'tasks' where customer_id = 'account_1'"
    ),
    "features.customer_weeks platforms_and_topics_are_counted_where_they_are_named": (
        "update features.customer_weeks set content_topics_28d = content_views_28d + 1"
    ),
    "features.customer_weeks who_is_activated_has_done_it_on_a_day": (
        "update features.customer_weeks set is_activated = true where customer_id = 'account_3'"
    ),
    "features.customer_weeks what_was_reached_lies_between_the_first_event_and_the_end_of_the_week": (
        "update features.customer_weeks set days_to_five_features = tenure_days"
    ),
    "features.customer_weeks messages_sent_windows_lie_within_each_other": (
        "update features.customer_weeks set messages_sent_28d = messages_sent_90d + 1"
    ),
    "features.customer_weeks preferences_come_from_messages_that_were_sent": (
        "update features.customer_weeks set top_topic_90d = 'planning' where customer_id = 'account_1'"
    ),
    "features.customer_weeks offers_are_messages": (
        "update features.customer_weeks set offers_sent_90d = messages_sent_90d + 1"
    ),
    "features.customer_weeks opt_outs_agree_with_the_days_since": (
        "update features.customer_weeks set opt_outs_365d = 0 where customer_id = 'account_0'"
    ),
    "features.customer_weeks support_sentiment_90d the_scale_is_the_right_one": ADD_SIX.format(
        "-1.5 as support_sentiment_90d"
    ),
    "features.customer_weeks csat_mean_90d the_scale_is_the_right_one": ADD_SIX.format(
        "0.0 as csat_mean_90d"
    ),
    "features.customer_weeks nps_last the_scale_is_the_right_one": ADD_SIX.format("11 as nps_last"),
    "features.customer_weeks tickets_windows_lie_within_each_other": (
        "update features.customer_weeks set tickets_28d = tickets_90d + 1"
    ),
    "features.customer_weeks trends_are_those_of_core_events": (
        "update features.customer_weeks set usage_trend = null where customer_id = 'account_0'"
    ),
    "features.customer_weeks core_events_and_active_days_are_activities": (
        "update features.customer_weeks set core_events_28d = activities_28d + 1"
    ),
    "features.customer_weeks ratios_are_finite": (
        "update features.customer_weeks set usage_change_28d = 'infinity'::double"
    ),
    "features.customer_weeks rfm_scores_belong_to_buyers_of_the_year": (
        "update features.customer_weeks set rfm_f = null where customer_id = 'account_0'"
    ),
    "features.customer_weeks rfm_segments_fit_the_orders": (
        "update features.customer_weeks set rfm_segment = 'lapsed'"
    ),
    "features.customer_weeks cancelled_customers_have_a_date": (
        "update features.customer_weeks set cancelled_date = null"
    ),
    "features.customer_weeks scorable_customers_can_be_lost": (
        "update features.customer_weeks set is_scorable = true"
    ),
    "features.customer_weeks somebody_is_scorable": "update features.customer_weeks set is_scorable = false",
    "features.customer_week_labels labels_mature_a_horizon_after_their_week": (
        "update features.customer_week_labels set review_week = review_week + interval 7 day"
    ),
    "features.customer_week_labels some_stay_and_some_leave": (
        HUNDREDFOLD.format(table="features.customer_week_labels")
        + "update features.customer_week_labels set churned_next = false"
    ),
    "scores.churn every_scorable_customer_is_scored": "delete from scores.churn where churn_band = 'medium'",
    "scores.churn scored_customers_are_known": "update scores.churn set customer_id = 'nobody'",
    "scores.churn customers_are_scored_once": "insert into scores.churn from scores.churn",
    "scores.churn bands_follow_the_score": "update scores.churn set churn_band = 'low'",
    "scores.churn the_score_rises_with_the_probability": (
        "update scores.churn set churn_score = 60 where customer_id = 'account_0'"
    ),
    "scores.churn the_model_tells_customers_apart": (
        HUNDREDFOLD.format(table="scores.churn") + "update scores.churn set churn_probability = 0.1"
    ),
    "scores.health every_scorable_customer_is_scored": "delete from scores.health where health_score is null",
    "scores.health scored_customers_are_known": "update scores.health set customer_id = 'nobody'",
    "scores.health customers_are_scored_once": "insert into scores.health from scores.health",
    "scores.health scores_need_enough_signals": "update scores.health set weight_observed_share = 0.49",
    "scores.health bands_follow_the_score": "update scores.health set health_band = 'automated'",
    "scores.health_contributions unobserved_components_give_nothing": (
        "update scores.health_contributions set value = null"
    ),
    "scores.health_contributions components_count_once": (
        "update scores.health_contributions set component = 'nps'"
    ),
    "scores.health_contributions contributions_sum_to_the_score": (
        "update scores.health_contributions set contribution = contribution + 0.01 where component = 'nps'"
    ),
    "scores.clusters every_scorable_customer_is_scored": (
        "delete from scores.clusters where customer_id = 'account_3'"
    ),
    "scores.clusters scored_customers_are_known": "update scores.clusters set customer_id = 'nobody'",
    "scores.clusters customers_are_scored_once": "insert into scores.clusters from scores.clusters",
    "scores.clusters clusters_have_a_name": "update scores.clusters set cluster_name = ''",
    "scores.clusters names_and_numbers_of_clusters_agree": (
        "update scores.clusters set cluster_name = 'Power users'"
    ),
    "scores.clusters clusters_are_few_enough_to_name": (
        HUNDREDFOLD.format(table="scores.clusters")
        + "update scores.clusters set cluster_id = hash(customer_id) % 50"
    ),
    "scores.clusters clusters_divide_the_customers": (
        HUNDREDFOLD.format(table="scores.clusters")
        + "update scores.clusters set cluster_name = 'All' where customer_id <> 'account_0'"
    ),
    "marts.customers only_the_newest_week_is_shown": (
        "update marts.customers set review_week = date '2025-02-24' where customer_id = 'account_3'"
    ),
    "marts.customers everybody_is_there": "delete from marts.customers where customer_id = 'account_2'",
    "marts.customers churn_score scores_arrive": "update marts.customers set churn_score = null",
    "marts.customers health_score scores_arrive": "update marts.customers set health_score = 1",
    "marts.customers cluster_id scores_arrive": "delete from marts.customers where customer_id = 'account_0'",
    "marts.customers next_actions_are_whole": "update marts.customers set next_action_reason = null",
    "marts.customer_weeks the_newest_is_the_last": (
        "delete from marts.customer_weeks where review_week = date '2025-03-03'"
    ),
    "marts.customer_weeks the_history_is_as_long_as_agreed": (
        "update marts.customer_weeks set review_week = date '2024-09-02'"
    ),
    "marts.segments_weekly shares_of_a_scheme_sum_to_one": (
        "delete from marts.segments_weekly where segment = 'medium'"
    ),
    "marts.segments_weekly stages_and_levels_hold_everybody": (
        "delete from marts.segments_weekly where scheme = 'engagement'"
    ),
    "marts.metrics_daily longer_windows_see_more_customers": (
        "update marts.metrics_daily set active_customers_7d = 5 where activity_date = date '2025-03-01'"
    ),
    "marts.metrics_daily days_have_no_gaps": (
        "delete from marts.metrics_daily where activity_date = date '2025-03-01'"
    ),
    "marts.metrics_daily the_newest_is_the_last": (
        "delete from marts.metrics_daily where activity_date = date '2025-03-09'"
    ),
    "marts.metrics_weekly active_customers_are_known": "update marts.metrics_weekly set known_customers = 89",
    "marts.metrics_weekly weeks_have_no_gaps": (
        "delete from marts.metrics_weekly where review_week = date '2025-02-24'"
    ),
    "marts.metrics_weekly the_newest_is_the_last": (
        "insert into marts.metrics_weekly select * replace (date '2025-03-10' as review_week)"
        " from marts.metrics_weekly"
    ),
    "marts.metrics_weekly activity_does_not_collapse": "update marts.metrics_weekly set active_customers = 9",
    "marts.interventions only_the_newest_week_is_shown": "update marts.interventions set review_week = null",
    "marts.interventions actions_belong_to_their_team": (
        "update marts.interventions set owner_team = 'marketing'"
    ),
    "marts.interventions lists_fit_the_capacity": (
        "insert into marts.interventions from marts.interventions;"
        " insert into marts.interventions from marts.interventions"
    ),
    "marts.interventions sync_keys_are_customer_and_action": (
        "update marts.interventions set sync_key = customer_id"
    ),
    "marts.interventions sync_keys_are_unique": "insert into marts.interventions from marts.interventions",
    "marts.interventions rows_can_be_worked": "update marts.interventions set message = ' '",
    "marts.interventions listed_customers_are_known": "update marts.interventions set customer_id = 'nobody'",
}


def _key(table: TablePromises, promise: Promise) -> str:
    with_column = f"{table.table} {promise.column} {promise.name}"
    return with_column if with_column in BREAKING_SQL else f"{table.table} {promise.name}"


def _ways_to_break(table: TablePromises, promise: Promise) -> list[str]:
    """SQL that breaks a promise in each of the ways it can be broken."""
    arguments = promise.arguments
    put = f"update {table.table} set {promise.column} ="
    match promise.expectation:
        case "expect_column_values_to_not_be_null":
            return [f"{put} null"]
        case "expect_column_values_to_be_between":
            below = [] if arguments["min_value"] is None else [f"{put} {arguments['min_value'] - 0.6}"]
            above = [] if arguments["max_value"] is None else [f"{put} {arguments['max_value'] + 0.6}"]
            return below + above
        case "expect_column_values_to_be_in_set":
            return [f"{put} 'something else'"]
        case "expect_table_row_count_to_be_between":
            return [f"delete from {table.table}"]
        case _:
            return [BREAKING_SQL[_key(table, promise)]]


BREAKAGES = [
    (table, promise, statement) for table, promise in PROMISES for statement in _ways_to_break(table, promise)
]


@pytest.fixture
def broken(world: duckdb.DuckDBPyConnection) -> Iterator[Callable[[str], duckdb.DuckDBPyConnection]]:
    """Runs a statement that breaks a table of the world; the table is mended after the test."""
    statements: list[str] = []

    def break_with(statement: str) -> duckdb.DuckDBPyConnection:
        statements.append(statement)
        return world.execute(statement)

    yield break_with
    for table in {table.table for table in TABLES if f" {table.table} " in f"{statements[0]} "}:
        world.execute(f"create or replace table {table} as from kept.{table}")


@pytest.mark.parametrize("border", BORDERS)
def test_good_tables_keep_every_promise(world: duckdb.DuckDBPyConnection, border: str) -> None:
    results = check_border(
        engine_over(world), BORDERS[border], border=border, run_id="run", review_week=REVIEW_WEEK
    )
    assert [result.message for result in results if not result.passed] == []
    assert len(results) == sum(len(table.promises) for table in BORDERS[border])
    assert {(result.run_id, result.review_week, result.border) for result in results} == {
        ("run", REVIEW_WEEK, border)
    }


@pytest.mark.parametrize(
    ("table", "promise", "statement"),
    BREAKAGES,
    ids=[
        f"{table.table}-{promise.column}-{promise.name}-{index}"
        for index, (table, promise, _) in enumerate(BREAKAGES)
    ],
)
def test_a_broken_table_breaks_the_promise(
    broken: Callable[[str], duckdb.DuckDBPyConnection],
    table: TablePromises,
    promise: Promise,
    statement: str,
) -> None:
    world = broken(statement)
    (result,) = check_border(
        engine_over(world),
        [replace(table, promises=(promise,))],
        border="any",
        run_id="run",
        review_week=REVIEW_WEEK,
    )
    assert not result.passed
    assert result.severity == promise.severity
    assert "could not be checked" not in result.message
    assert result.message.startswith(f"{table.table}.{promise.column}" if promise.column else table.table)
    assert result.message.endswith(promise.notes)
    if promise.expectation != "expect_table_row_count_to_be_between":
        assert result.unexpected_count is not None
        assert result.unexpected_count > 0
        assert f"{result.unexpected_count:,}" in result.message


def test_a_slip_in_a_small_business_is_no_other_scale(
    broken: Callable[[str], duckdb.DuckDBPyConnection],
) -> None:
    world = broken("update features.customer_weeks set csat_mean_90d = 0 where customer_id = 'account_0'")
    results = check_border(
        engine_over(world), BORDERS["features"], border="features", run_id="run", review_week=REVIEW_WEEK
    )
    assert {(result.expectation, result.severity) for result in results if not result.passed} == {
        ("answers_are_on_the_scale", "warn")
    }


def test_every_way_to_break_belongs_to_a_promise() -> None:
    queries = {_key(table, promise) for table, promise in PROMISES if "rows_query" in str(promise.arguments)}
    assert set(BREAKING_SQL) == queries


def test_every_promise_says_what_it_means_and_how_bad_it_is() -> None:
    sentence = re.compile(r"[A-Za-z0-9\[].{20,}[.?!]")
    unclear = [promise.notes for _, promise in PROMISES if not sentence.fullmatch(promise.notes)]
    assert unclear == []
    assert {promise.severity for _, promise in PROMISES} == {"stop", "warn"}
    assert all(table.keys for table in TABLES)


def test_a_check_is_recognised_from_run_to_run() -> None:
    names = Counter((table.table, promise.column, promise.name) for table, promise in PROMISES)
    assert [name for name, times in names.items() if times > 1] == []


def test_promises_look_at_the_slice_that_is_new() -> None:
    slices = {table.table: table.where for table in TABLES if not table.table.startswith("marts.")}
    assert None not in slices.values()
    assert raw.events(customer="user", currency="EUR").where is None
    assert raw.events([], customer="user", currency="EUR").where == "load_id in (null)"
