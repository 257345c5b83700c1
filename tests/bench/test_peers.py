"""The peers: what they print, which of our models do their work, and the events that both read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from bench import peers
from bench.peers import (
    FLOOR_LINE,
    MODELS_OF_A_WEEK,
    MODELS_OF_ALL_DAYS,
    measure_peers,
    nodes_behind,
    nodes_of_weeks,
    read_peer,
    write_events,
)
from bench.watched import MeasuredCommandError, Watched
from bench.workspaces import (
    change_settings,
    demo_workspace,
    put_copies_beside,
    simulate,
    weeks_of_landing,
)
from pipeline.settings import read_settings

MANIFEST = {
    "parent_map": {
        "model.vitals.sessions": ["model.vitals.session_days"],
        "model.vitals.session_days": ["model.vitals.stg_events"],
        "model.vitals.stg_events": ["source.vitals.raw.events", "seed.vitals.events"],
        "model.vitals.usage": ["model.vitals.session_days", "source.vitals.ops.weeks_to_build"],
    },
    "child_map": {
        "source.vitals.ops.weeks_to_build": ["model.vitals.usage"],
        "model.vitals.usage": ["test.vitals.unique", "model.vitals.customer_weeks"],
        "model.vitals.customer_weeks": [],
        "test.vitals.unique": [],
    },
}


def test_what_the_peers_print_is_read() -> None:
    said = "a warning\npandas: 14.60 s, peak 2.10 GB, 123 sessions, 45 customer-days\n"
    run = read_peer("pandas", Watched(said, seconds=16.0, cpu_seconds=20.0, peak_gigabytes=2.2))
    assert (run.seconds, run.peak_gigabytes, run.sessions, run.customer_days) == (14.6, 2.2, 123, 45)
    assert FLOOR_LINE.search("one pass: 0.29 s\n")["seconds"] == "0.29"
    with pytest.raises(MeasuredCommandError, match="printed no figures"):
        read_peer("polars", Watched("nothing", 1.0, 1.0, 1.0))


def test_what_a_model_reads_counts_and_what_reads_it_does_not() -> None:
    assert nodes_behind(MANIFEST, {"sessions": "why"}) == {"sessions", "session_days", "stg_events"}
    with pytest.raises(KeyError):
        nodes_behind(MANIFEST, {"gone": "why"})
    assert nodes_of_weeks(MANIFEST) == {"usage", "customer_weeks"}


def test_the_models_of_the_work_are_there() -> None:
    models = Path(__file__).parents[2] / "dbt_project" / "models"
    named = MODELS_OF_ALL_DAYS | MODELS_OF_A_WEEK
    assert not [name for name in named if not list(models.rglob(f"{name}.sql"))]


def test_settings_are_changed_where_they_stand(tmp_path: Path) -> None:
    workspace = demo_workspace(tmp_path / "demo", {"training.history_weeks": "9"})
    settings = read_settings(workspace.folder)
    assert (settings.training.history_weeks, settings.marts.history_weeks) == (9, 26)
    with pytest.raises(KeyError):
        change_settings(workspace, {"stages.history_weeks": "9"})


def test_companies_side_by_side_have_ids_of_their_own(tmp_path: Path) -> None:
    workspace = demo_workspace(tmp_path / "demo")
    simulate(workspace, customers=20, weeks=3)
    files = f"read_parquet('{workspace.landing}/*.parquet')"
    ids = "count(event_id), count(distinct event_id), count(distinct user_id), count(distinct account_id)"
    members = "properties like '%member_id%'"
    with duckdb.connect() as connection:
        before = connection.execute(f"select {ids}, count(*) filter ({members}) from {files}").fetchone()
        put_copies_beside(workspace, 3)
        after = connection.execute(f"select {ids}, count(*) filter ({members}) from {files}").fetchone()
        of_others = connection.execute(
            f"""
            select count(*) from {files}
            where
                {members}
                and split_part(properties ->> 'member_id', '-', 2) <> split_part(account_id, '-', 2)
            """
        ).fetchone()[0]
    assert after == tuple(3 * count for count in before)
    assert before[-1] > 0
    assert of_others == 0


@pytest.mark.slow
def test_sessions_and_days_are_those_of_the_peers(tmp_path: Path) -> None:
    """The peers' own scripts, or where they are not there, rows that say so."""
    workspace = demo_workspace(tmp_path / "world")
    simulate(workspace, customers=60, weeks=12)
    results = measure_peers(workspace.landing, tmp_path / "peers", weeks_of_landing(workspace)[1])
    assert len(results) == 8
    if not peers.peers_folder().is_dir():
        assert all(
            result.value is None and "NOT MEASURED" in result.detail["not_measured"] for result in results
        )
        return
    differences = [result.value for result in results if "more_than" in result.name]
    assert differences == [0, 0, 0, 0]
    assert json.dumps(results[0].detail)


def test_the_events_of_the_peers_are_those_of_users(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            copy (
                select
                    'e' || i as event_id, case when i % 5 <> 0 then 'u' || (i % 3) end as user_id,
                    case when i % 7 <> 0 then 'page_viewed' end as event_name,
                    timestamp '2025-01-06' + to_minutes(cast(i as bigint)) as occurred_at,
                    cast(i as decimal(18, 2)) as revenue
                from range(100) as numbers(i)
            ) to '{landing}/events-2025-01-06.parquet' (format parquet)
            """
        )
    rows = write_events(landing, tmp_path / "all.parquet", None)
    assert rows == sum(i % 5 != 0 and i % 7 != 0 for i in range(100))
    some = write_events(landing, tmp_path / "some.parquet", 30)
    # Whole users: the first and the second, as the second begins before the thirtieth row.
    assert some == sum(i % 5 != 0 and i % 7 != 0 and i % 3 < 2 for i in range(100))
