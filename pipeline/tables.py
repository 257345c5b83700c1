"""The tables that the pipeline itself writes: scores, and the records of its own work in ops."""

from __future__ import annotations

from pipeline.touched import create_touched_tables
from pipeline.warehouse import Warehouse

_STATEMENTS = """
create table if not exists scores.churn (
    customer_id varchar, review_week date,
    churn_probability double, churn_score double, churn_band varchar, model_version varchar
);
create table if not exists scores.health (
    customer_id varchar, review_week date,
    health_score double, health_band varchar, weight_observed_share double, model_version varchar
);
create table if not exists scores.health_contributions (
    customer_id varchar, review_week date, component varchar, column_name varchar, value double,
    component_score double, weight double, contribution double, model_version varchar
);
create table if not exists scores.clusters (
    customer_id varchar, review_week date,
    cluster_id integer, cluster_name varchar, centrality_share double, model_version varchar
);
-- Who was in which segment of the workspace's own: members only, one row per customer, week and segment.
create table if not exists features.own_segments (customer_id varchar, review_week date, segment varchar);
create table if not exists ops.quality_checks (
    run_id varchar, review_week date, border varchar, table_name varchar, column_name varchar,
    expectation varchar, severity varchar, passed boolean, unexpected_count bigint, message varchar
);
create table if not exists ops.models (
    run_id varchar, model varchar, model_version varchar, review_week date, file_name varchar,
    rows_train bigint, trained_through date, parameters varchar, columns varchar
);
create table if not exists ops.model_metrics (
    run_id varchar, model varchar, model_version varchar, review_week date, horizon_days integer,
    rows_train bigint, rows_test bigint, trained_through date, metric varchar, value double,
    baseline double, low double, high double, is_backtest boolean
);
-- Weeks whose feature rows stand, and up to which load they know the events.
create table if not exists ops.built_weeks (review_week date, through_load_id bigint);
-- Weeks that were reviewed: the newest of them is what the marts show.
create table if not exists ops.reviewed_weeks (review_week date);
-- Steps whose promises hold: a later step asks here whether the one before it is finished.
create table if not exists ops.finished_steps (step varchar, review_week date, run_id varchar);
-- Up to which load the promises of raw were checked: one row, none before the first load.
create table if not exists ops.checked_loads (through_load_id bigint);
-- With which settings, catalogues and models a week was published last: whether that still stands.
create table if not exists ops.published_with (review_week date, settings_hash varchar);
-- At most one row: the review that a scheduler runs step by step, and the last load that it reads.
create table if not exists ops.review_under_way (
    run_id varchar, review_week date, through_load_id bigint, begun_at timestamp, seen_at timestamp
);
-- What raw and features were built with; a difference forces a rebuild.
create table if not exists ops.built_with (part varchar, settings_hash varchar);
"""


def create_tables(warehouse: Warehouse) -> None:
    """Create what is not there yet."""
    warehouse.run(_STATEMENTS)
    create_touched_tables(warehouse)
