"""The step `features`: dbt builds staging, intermediate and features; promises guard the border."""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas

from pipeline.builtwith import built_with, sorted_with
from pipeline.catalogue import write_seeds
from pipeline.display import StepDisplay
from pipeline.extension.building import build_features, sort_into_segments, write_models
from pipeline.quality import check_promises
from pipeline.settings import Settings
from pipeline.tables import create_tables
from pipeline.touched import (
    first_week_to_label,
    forget_what_was_built,
    record_events_built,
    write_weeks_touched,
)
from pipeline.warehouse import Warehouse
from pipeline.weeks import WEEK, WeekPlan, plan_weeks, week_bounds

if TYPE_CHECKING:
    from pipeline.review import Review

# How many events that events.csv misses are named in the note about them.
UNLISTED_NAMED = 5
# Rows that a gigabyte of the engine carries while they are joined; it ran out at 740,000 of large weeks.
CUSTOMER_WEEKS_PER_GIGABYTE = 500_000


def features_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Build the feature rows that are missing, that newer events touch, and of the reviewed week."""
    warehouse, settings = review.warehouse, review.settings
    _check_that_the_week_came(review, display)
    write_seeds(review.workspace, review.dbt.seeds)
    write_models(review.extension, review.dbt.own_models)
    wanted = built_with(review)
    is_rebuild = _forget_if_built_otherwise(warehouse, display, wanted)
    plan = plan_weeks(warehouse, settings, review.review_week)
    through = warehouse.value("select coalesce(max(load_id), 0) from raw.loads")
    write_weeks_touched(warehouse, settings)
    write_run_parameters(warehouse, settings, plan)
    if plan.restated:
        display.notice(
            f"{len(plan.restated)} earlier weeks from {plan.restated[0]} on are restated: events came later."
        )
    forget_weeks_to_build(warehouse, plan)
    review.dbt.seed()
    nodes = _build_in_passes(review, display, plan, is_rebuild=is_rebuild)
    _sort_into_segments(review, display, plan, is_rebuild=is_rebuild)
    with warehouse.transaction():
        record_built_weeks(warehouse, plan, through)
        warehouse.run("delete from ops.built_with where part = 'features'")
        warehouse.run("insert into ops.built_with values ('features', ?)", [wanted])

    from expectations import features as promises

    checks = check_promises(
        warehouse,
        display,
        [
            promises.customer_weeks(review.review_week),
            promises.customer_week_labels(review.review_week, horizon_days=settings.churn.horizon_days),
        ],
        border="features",
        run_id=review.run_id,
        review_week=review.review_week,
    )
    _name_unlisted_events(review, display)
    customers = warehouse.value(
        "select count(*) from features.customer_weeks where review_week = ?", [review.review_week]
    )
    display.summary = (
        f"week of {review.review_week}: {customers:,} customers; {len(plan.build)} weeks built, "
        f"{nodes} models and tests, {checks} checks"
    )
    rows = warehouse.value(
        "select count(*) from features.customer_weeks where list_contains(?, review_week)", [list(plan.build)]
    )
    return {"rows": rows, "customers": customers, "weeks_built": len(plan.build), "checks": checks}


def _build_in_passes(review: Review, display: StepDisplay, plan: WeekPlan, *, is_rebuild: bool) -> int:
    """Build as many weeks at once as the engine's memory carries; how many nodes ran.

    What does not depend on the weeks is built by the first pass, labels, which look from week to week, by the
    last.
    """
    passes = weeks_in_passes(plan.build, _weeks_at_once(review, len(plan.build)))
    nodes, built = 0, 0
    for weeks in passes:
        display.update(
            f"building {len(plan.build)} weeks" + (f", {built} of them stand" if len(passes) > 1 else "")
        )
        write_weeks_to_build(review.warehouse, weeks)
        nodes += build_features(
            review,
            display,
            weeks,
            is_rebuild=is_rebuild,
            is_first_pass=weeks is passes[0],
            is_last_pass=weeks is passes[-1],
        )
        built += len(weeks)
    return nodes


def _weeks_at_once(review: Review, weeks: int) -> int:
    """How many weeks the engine's memory carries if every customer has a row in each; at least 1."""
    if weeks == 1:
        return 1
    # Who is whose customer is not known yet; so many ids there are at most.
    id_column = "account_id" if review.settings.customer == "account" else "user_id"
    customers = review.warehouse.value(f"select approx_count_distinct({id_column}) from raw.events")
    rows = review.settings.warehouse.memory_limit_gigabytes * CUSTOMER_WEEKS_PER_GIGABYTE
    return max(1, int(rows / max(1, customers)))


def weeks_in_passes(weeks: tuple[date, ...], at_once: int) -> list[tuple[date, ...]]:
    """Weeks in their order, in passes as equal as can be of no more than so many."""
    passes = math.ceil(len(weeks) / at_once)
    ends = [round(number * len(weeks) / passes) for number in range(passes + 1)]
    return [weeks[begin:end] for begin, end in itertools.pairwise(ends)]


def forget_weeks_to_build(warehouse: Warehouse, plan: WeekPlan) -> None:
    """Before a build: the weeks that are built lose their rows, and count as missing until they stand again.

    dbt replaces the weeks that a model finds rows for. Where an earlier receipt has taken a week's only
    events away, a model finds none, and the rows of the build before would stay.
    """
    with warehouse.transaction():
        for table in _tables_by_week(warehouse):
            warehouse.run(f"delete from {table} where list_contains(?, review_week)", [plan.build])
        warehouse.run("delete from ops.built_weeks where list_contains(?, review_week)", [plan.build])


def record_built_weeks(warehouse: Warehouse, plan: WeekPlan, through_load_id: int) -> None:
    """After a build: forget the weeks that are not kept, and note up to which load the others know."""
    for table in _tables_by_week(warehouse):
        warehouse.run(f"delete from {table} where not list_contains(?, review_week)", [plan.keep])
    warehouse.run(
        """
        delete from ops.built_weeks
        where list_contains(?, review_week) or not list_contains(?, review_week)
        """,
        [plan.build, plan.keep],
    )
    warehouse.run("insert into ops.built_weeks select unnest(?::date[]), ?", [plan.build, through_load_id])
    record_events_built(warehouse, through_load_id, _observed_until(plan))


def _tables_by_week(warehouse: Warehouse) -> list[str]:
    """The tables of intermediate and features that hold a row per week; views hold nothing to forget."""
    return [
        name
        for (name,) in warehouse.rows(
            """
            select columns.table_schema || '.' || columns.table_name
            from information_schema.columns as columns
            inner join information_schema.tables as tables using (table_schema, table_name)
            where columns.column_name = 'review_week'
                and columns.table_schema in ('intermediate', 'features')
                and tables.table_type = 'BASE TABLE'
            order by all
            """
        )
    ]


def _check_that_the_week_came(review: Review, display: StepDisplay) -> None:
    """Raises BrokenPromiseError before anything is built where the week has nothing to review."""
    from expectations import raw as promises

    starts_at, ends_at = week_bounds(review.review_week, review.settings.time_zone)
    check_promises(
        review.warehouse,
        display,
        [promises.reviewed_week(starts_at, ends_at, customer=review.settings.customer)],
        border="raw",
        run_id=review.run_id,
        review_week=review.review_week,
    )


def _forget_if_built_otherwise(warehouse: Warehouse, display: StepDisplay, wanted: str) -> bool:
    """Drop what was built with other settings or models; True where everything is to be built anew."""
    known = warehouse.value("select settings_hash from ops.built_with where part = 'features'")
    if known == wanted:
        return False
    if known is not None:
        display.notice(
            "review.toml, events.csv, the models or own features changed in what they build: "
            "staging, intermediate and features are built anew from raw."
        )
    with warehouse.transaction():
        warehouse.run("delete from ops.built_weeks")
        warehouse.run("delete from ops.built_with where part = 'features'")
        forget_what_was_built(warehouse)
        for schema in ("features", "staging"):
            warehouse.run(f"drop schema if exists {schema} cascade")
            warehouse.run(f"create schema {schema}")
    create_tables(warehouse)
    return True


def _sort_into_segments(review: Review, display: StepDisplay, plan: WeekPlan, *, is_rebuild: bool) -> None:
    """The weeks that were built, and all kept ones where the own segments changed."""
    warehouse, wanted = review.warehouse, sorted_with(review)
    known = warehouse.value("select settings_hash from ops.built_with where part = 'segments'")
    if known is not None and known != wanted and not is_rebuild:
        display.notice(
            f"[[segments]] of review.toml changed: the {len(plan.keep)} kept weeks are sorted into them anew."
        )
    warehouse.run("delete from ops.built_with where part = 'segments'")
    sort_into_segments(review, plan.build if known == wanted else None)
    warehouse.run("insert into ops.built_with values ('segments', ?)", [wanted])


def _name_unlisted_events(review: Review, display: StepDisplay) -> None:
    """Note which events of the reviewed week events.csv misses, the most frequent first."""
    starts_at, ends_at = week_bounds(review.review_week, review.settings.time_zone)
    unlisted = review.warehouse.rows(
        """
        select event_name, count(*) as times
        from raw.events
        where
            occurred_at >= $starts_at and occurred_at < $ends_at and not is_late
            and event_name not in (select event_name from staging.events)
        group by event_name order by times desc, event_name
        """,
        {"starts_at": starts_at, "ends_at": ends_at},
    )
    if not unlisted:
        return
    named = ", ".join(f"{name} ({times:,})" for name, times in unlisted[:UNLISTED_NAMED])
    more = f" and {len(unlisted) - UNLISTED_NAMED} more" if len(unlisted) > UNLISTED_NAMED else ""
    display.notice(
        f"events.csv does not list {named}{more}; these events of the week are counted in "
        "ops.event_counts_daily and are no activity. List them if they mean something."
    )


def _observed_until(plan: WeekPlan) -> date:
    """Labels know the events before this day."""
    return plan.newest_review_week + WEEK


def write_run_parameters(warehouse: Warehouse, settings: Settings, plan: WeekPlan) -> None:
    """The one-row table, and the list of weeks, that the models read in the place of dbt vars."""
    sessions, stages, engagement = settings.sessions, settings.stages, settings.engagement
    warehouse.run(
        """
        create or replace table ops.run_parameters as
        select
            $review_week::date as review_week,
            $newest_review_week::date as newest_review_week,
            $observed_until_date::date as observed_until_date,
            $labels_from_week::date as labels_from_week,
            $customer_kind::varchar as customer_kind,
            $time_zone::varchar as time_zone,
            $session_timeout_microseconds::bigint as session_timeout_microseconds,
            $session_cap_microseconds::bigint as session_cap_microseconds,
            $uses_session_ids_of_sources::boolean as uses_session_ids_of_sources,
            $owners_per_id_at_most::integer as owners_per_id_at_most,
            $ids_merged_per_customer_at_most::integer as ids_merged_per_customer_at_most,
            $meaningless_ids::varchar[] as meaningless_ids,
            $longest_meaningless_id_letters::integer as longest_meaningless_id_letters,
            $test_email_domains::varchar[] as test_email_domains,
            $bot_activities_per_hour::integer as bot_activities_per_hour,
            $bot_seconds_between_activities::double as bot_seconds_between_activities,
            $churn_definition::varchar as churn_definition,
            $churn_horizon_days::integer as churn_horizon_days,
            $churned_after_quiet_days::integer as churned_after_quiet_days,
            $dormant_after_quiet_days::integer as dormant_after_quiet_days,
            $onboarding_up_to_tenure_days::integer as onboarding_up_to_tenure_days,
            $adopting_up_to_tenure_days::integer as adopting_up_to_tenure_days,
            $at_risk_usage_change_share::double as at_risk_usage_change_share,
            $at_risk_core_events_before::integer as at_risk_core_events_before,
            $power_user_rank_share::double as power_user_rank_share,
            $power_user_features::integer as power_user_features,
            $disengaged_after_quiet_days::integer as disengaged_after_quiet_days,
            $highly_engaged_active_days_28d::integer as highly_engaged_active_days_28d,
            $highly_engaged_features::integer as highly_engaged_features,
            $moderately_engaged_features::integer as moderately_engaged_features,
            $capacity_per_owner_team::integer as capacity_per_owner_team,
            $marts_history_weeks::integer as marts_history_weeks
        """,
        {
            "review_week": plan.review_week,
            "newest_review_week": plan.newest_review_week,
            "observed_until_date": _observed_until(plan),
            "labels_from_week": first_week_to_label(warehouse, settings, plan.build, _observed_until(plan)),
            "customer_kind": settings.customer,
            "time_zone": settings.time_zone,
            "session_timeout_microseconds": sessions.timeout_minutes * 60_000_000,
            "session_cap_microseconds": sessions.cap_hours * 3_600_000_000,
            "uses_session_ids_of_sources": sessions.use_ids_of_sources,
            **settings.identity.model_dump(mode="json"),
            "longest_meaningless_id_letters": max(map(len, settings.identity.meaningless_ids), default=0),
            **settings.exclusions.model_dump(mode="json"),
            "churn_definition": settings.churn.definition,
            "churn_horizon_days": settings.churn.horizon_days,
            **stages.model_dump(),
            **engagement.model_dump(),
            "capacity_per_owner_team": settings.interventions.capacity_per_owner_team,
            "marts_history_weeks": settings.marts.history_weeks,
        },
    )
    write_weeks_to_build(warehouse, plan.build)


def write_weeks_to_build(warehouse: Warehouse, build: tuple[date, ...]) -> None:
    """The weeks whose rows the models write: a list, and its bounds, which the engine takes for constants."""
    weeks = pandas.DataFrame({"review_week": build, "end_date": [week + WEEK for week in build]})
    with warehouse.registered("weeks_planned", weeks):
        warehouse.run(
            """
            create or replace table ops.weeks_to_build as
            select review_week::date as review_week, end_date::date as end_date from weeks_planned
            """
        )
    for name, week in (("first", min(build)), ("last", max(build))):
        warehouse.run(f"create or replace macro ops.{name}_week_to_build() as date '{week}'")
