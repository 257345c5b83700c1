"""The whole review on a small world: what it leaves, that it can be repeated, and that it fails safely."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from pipeline.load import load_landing
from pipeline.review import STEPS
from pipeline.warehouse import Warehouse
from pipeline.workspace import Workspace
from tests.business import Business, copy_business, copy_workspace, run_log


def test_the_release_is_whole(reviewed: Business) -> None:
    assert reviewed.current.is_symlink()
    assert reviewed.current.resolve().name == "first"
    assert (reviewed.current / "report" / "index.html").stat().st_size > 100_000
    tables = {
        f"{schema}.{table}"
        for schema, table in reviewed.published(
            "select table_schema, table_name from information_schema.tables"
        )
    }
    assert {
        "marts.customers",
        "marts.customer_weeks",
        "marts.segments_weekly",
        "marts.metrics_daily",
        "marts.metrics_weekly",
        "marts.interventions",
        "ops.runs",
        "ops.loads",
        "ops.rejected_events_daily",
        "ops.late_events_daily",
        "ops.quality_checks",
        "ops.models",
        "ops.model_metrics",
        "ops.rfm_cut_points",
    } <= tables
    assert not {table for table in tables if table.split(".")[0] not in ("marts", "ops")}
    customers, scored = reviewed.published("select count(*), count(churn_probability) from marts.customers")[
        0
    ]
    assert customers > 100
    assert 0 < scored < customers
    assert not list(reviewed.current.resolve().parent.glob("*.wal"))


def test_a_review_writes_only_where_its_data_lies(reviewed: Business) -> None:
    """dbt would write below the seeds' own path, which climbs out of the project."""
    assert {path.name for path in reviewed.folder.iterdir()} == {
        "review.toml",
        "events.csv",
        "playbook.csv",
        "features",
        "data",
    }
    assert {path.name for path in reviewed.data.iterdir()} == {
        "landing",
        "truth",
        "build",
        "history",
        "metrics",
        "serving",
    }
    assert {path.name for path in (reviewed.data / "build").iterdir()} == {
        "build.duckdb",
        "runs.jsonl",
        "candidate",
        "models",
        "seeds",
        "own_models",
        "dbt_target",
    }


def test_customers_add_up_over_the_tables(reviewed: Business) -> None:
    known = reviewed.published("select count(*) from marts.customers")[0][0]
    for scheme, counted in reviewed.published(
        """
        select scheme, sum(customers) from marts.segments_weekly
        where review_week = (select max(review_week) from marts.segments_weekly)
            and scheme in ('rfm', 'lifecycle', 'engagement')
        group by scheme
        """
    ):
        assert counted == known, scheme
    newest = reviewed.published("select * from marts.metrics_weekly order by review_week desc limit 1")
    assert newest
    (week, listed), *others = reviewed.published(
        "select review_week, count(*) from marts.interventions group by review_week"
    )
    assert not others
    assert listed > 0
    assert week == reviewed.published("select max(review_week) from marts.customers")[0][0]


def test_every_check_of_every_border_is_recorded(reviewed: Business) -> None:
    borders = dict(
        reviewed.published(
            "select border, count(*) from ops.quality_checks where run_id = 'first' group by border"
        )
    )
    assert set(borders) == {"raw", "features", "scores", "marts"}
    assert min(borders.values()) >= 5
    assert reviewed.published(
        "select count(*) from ops.quality_checks where not passed and severity = 'stop'"
    )[0] == (0,)


def test_lists_are_the_rows_of_the_table(reviewed: Business) -> None:
    listed = set()
    for path in sorted((reviewed.current / "lists").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            listed |= {row["sync_key"] for row in csv.DictReader(file)}
    assert listed == {key for (key,) in reviewed.published("select sync_key from marts.interventions")}


def test_what_was_said_is_kept(reviewed: Business) -> None:
    folder = reviewed.data / "history" / "first"
    kept = duckdb.sql(f"select count(*) from '{folder / 'churn.parquet'}'").fetchall()[0][0]
    assert kept == reviewed.published("select count(churn_probability) from marts.customers")[0][0]
    lists = duckdb.sql(f"select count(*) from '{folder / 'interventions.parquet'}'").fetchall()[0][0]
    assert lists == reviewed.published("select count(*) from marts.interventions")[0][0]
    judged = duckdb.sql(f"select count(*) from '{folder / 'model_metrics.parquet'}'").fetchall()[0][0]
    assert judged == reviewed.published("select count(*) from ops.model_metrics")[0][0] > 0


def test_models_are_judged_on_past_weeks_with_dates_and_rows(reviewed: Business) -> None:
    rows = reviewed.published(
        """
        select review_week, trained_through, rows_train, rows_test, value, baseline
        from ops.model_metrics where model = 'churn' and metric = 'auroc' and is_backtest
        """
    )
    assert rows
    reviewed_week = reviewed.published("select max(review_week) from marts.customers")[0][0]
    for week, trained_through, rows_train, rows_test, value, baseline in rows:
        assert week + timedelta(days=7 + 28) <= reviewed_week + timedelta(days=7)
        # No label that was used to judge a week had matured only after that week.
        assert trained_through + timedelta(days=28) <= week + timedelta(days=7)
        assert rows_train > 0
        assert rows_test > 0
        assert 0 <= value <= 1
        assert 0 <= baseline <= 1


def test_status_and_query_answer(reviewed: Business) -> None:
    status = reviewed.vitals("status")
    assert status.code == 0
    assert "published: first" in status.said
    assert "done" in status.said
    answer = reviewed.vitals("query", "select count(*) as customers from marts.customers", "--format", "json")
    assert json.loads(answer.said)["customers"] > 100
    as_csv = reviewed.vitals("query", "select 1 as one, [1, 2] as list, null as none", "--format", "csv")
    assert as_csv.said.splitlines() == ["one,list,none", '1,"[1, 2]",']
    exact = "select 12345678901234.5678::decimal(18, 4) as money, 'nan'::double as nothing"
    as_json = reviewed.vitals("query", exact, "--format", "json")
    assert as_json.said == '{"money":12345678901234.5678,"nothing":null}\n'
    table = reviewed.vitals("query", "select interval 1 day as pause, 0.5 as half")
    assert [line.split() for line in table.said.splitlines()] == [
        ["pause", "half"],
        ["1", "day,", "0:00:00", "0.5"],
    ]
    for statement in (
        "delete from marts.customers",
        "copy marts.customers to 'stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "set enable_external_access = true",
        "select nonsense",
        "select 1; select 2",
        "create temp table mine as select 1",
    ):
        refused = reviewed.vitals("query", statement)
        assert refused.code == 2, statement
        assert "cannot be run" in refused.said


def test_the_run_log_names_every_step(reviewed: Business) -> None:
    finished = [line["step"] for line in run_log(reviewed) if line["event"] == "step_finished"]
    assert finished[: len(STEPS)] == list(STEPS)


def test_a_second_run_gives_equal_tables(reviewed: Business, tmp_path: Path) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    schemas = ("raw", "intermediate", "features", "scores", "marts")
    before = again.fingerprints(*schemas)
    second = again.vitals("run", VITALS_RUN_ID="second")
    assert second.code == 0, second.said
    assert "nothing new" in second.said
    assert again.current.resolve().name == "second"
    after = again.fingerprints(*schemas)
    assert after == before
    assert (again.data / "serving" / "releases" / "first").is_dir()
    published = (again.current / "warehouse.duckdb").resolve()
    assert again.fingerprints("marts", database=published) == reviewed.fingerprints(
        "marts", database=(reviewed.current / "warehouse.duckdb").resolve()
    )
    page = (again.current / "report" / "index.html").read_text(encoding="utf-8")
    first_page = (reviewed.current / "report" / "index.html").read_text(encoding="utf-8")
    assert page.replace("second", "first").count("<") == first_page.count("<")
    # What the models of the week were judged by stands once, by the run that learnt them last.
    judged = "select model, metric, review_week from ops.model_metrics"
    assert sorted(again.published(judged)) == sorted(reviewed.published(judged))
    assert again.published("select distinct run_id from ops.model_metrics") == [("second",)]


def test_a_repeated_publication_is_a_new_release(reviewed: Business, tmp_path: Path) -> None:
    """A scheduler repeats a task under the run id that it had."""
    again = copy_business(reviewed, tmp_path / "demo")
    repeated = again.vitals("publish", VITALS_RUN_ID="first")
    assert repeated.code == 0, repeated.said
    assert again.current.resolve().name == "first-2"
    assert (again.data / "serving" / "releases" / "first" / "warehouse.duckdb").is_file()
    assert (again.data / "history" / "first-2" / "churn.parquet").is_file()
    assert not list((again.data / "serving" / "releases").glob(".*"))
    published = (again.current / "warehouse.duckdb").resolve()
    assert again.fingerprints("marts", database=published) == reviewed.fingerprints(
        "marts", database=(reviewed.current / "warehouse.duckdb").resolve()
    )


def test_only_the_newest_releases_are_kept(reviewed: Business, tmp_path: Path) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    releases = again.data / "serving" / "releases"
    for _ in range(6):
        assert again.vitals("publish", VITALS_RUN_ID="many").code == 0
        # Whoever read an old one has had an hour to read it.
        for path in releases.iterdir():
            an_hour_before = path.stat().st_mtime - 3600
            os.utime(path, (an_hour_before, an_hour_before))
    kept = {path.name for path in releases.iterdir()}
    assert kept == {f"many-{number}" for number in range(2, 7)}
    assert again.current.resolve().name == "many-6"


def test_a_release_is_kept_while_it_may_be_read(reviewed: Business, tmp_path: Path) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    first = again.current.resolve().name
    for _ in range(6):
        assert again.vitals("publish", VITALS_RUN_ID="many").code == 0
    kept = {path.name for path in (again.data / "serving" / "releases").iterdir()}
    # Six newer ones came within these minutes: the first may still be read.
    assert "many" in kept
    assert len(kept) >= 6 + (first in kept)


def test_a_release_that_cannot_be_written_leaves_the_old_one(reviewed: Business, tmp_path: Path) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    serving = again.data / "serving"
    (serving / ".current.next").mkdir()
    (serving / ".current.next" / "in the way").touch()
    failed = again.vitals("publish", VITALS_RUN_ID="late")
    assert failed.code == 1
    assert "The last release stands" in failed.said
    assert again.current.resolve().name == "first"
    assert [path.name for path in (serving / "releases").iterdir()] == ["first"]


def test_cutting_the_future_changes_no_column(reviewed: Business, tmp_path: Path) -> None:
    """The row of a week is what one would compute if the stream had ended with it."""
    zone = ZoneInfo("Europe/Berlin")
    newest = reviewed.built("select max(review_week) from features.customer_weeks")[0][0]
    week = newest - timedelta(weeks=6)
    end = datetime.combine(week + timedelta(days=7), datetime.min.time(), tzinfo=zone)
    cut = copy_workspace(tmp_path / "cut")
    kept = dropped = 0
    for path in sorted(reviewed.landing.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        past = [line for line in lines if not _is_later(line, end)]
        kept, dropped = kept + len(past), dropped + len(lines) - len(past)
        (cut.landing / path.name).write_text("".join(past), encoding="utf-8")
    assert kept > 1000
    assert dropped > 1000
    done = cut.vitals("run", "--to", "features", "--week", str(week))
    assert done.code == 0, done.said
    for table in ("features.customer_weeks", "features.own_features"):
        query = f"select * from {table} where review_week = date '{week}' order by customer_id"
        columns = [name for name, *_ in reviewed.built(f"describe {table}")]
        whole, ended = reviewed.built(query), cut.built(query)
        assert len(whole) == len(ended) > 50
        for index, column in enumerate(columns):
            assert [row[index] for row in whole] == [row[index] for row in ended], column


def _is_later(line: str, end: datetime) -> bool:
    """Whether the line says that it occurred at the moment or later; damaged lines say nothing."""
    said = re.search(r'"timestamp":"([^"]*Z)"', line)
    return said is not None and datetime.fromisoformat(said[1]) >= end


def _sound_lines(path: Path, count: int) -> list[str]:
    """The first lines of a file that any loader takes: whole, of different events, and not of the future."""
    sound = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            given = json.loads(line)
            if given["timestamp"] <= given["receivedAt"]:
                sound.setdefault(given["messageId"], line)
    assert len(sound) >= count
    return list(sound.values())[:count]


def test_an_unreadable_file_publishes_nothing(reviewed: Business, tmp_path: Path) -> None:
    broken = copy_business(reviewed, tmp_path / "demo")
    raw_before = broken.fingerprints("raw")
    release_before = sorted(path.name for path in (broken.current.resolve()).rglob("*"))
    (broken.landing / "events-2099-01-01.jsonl").write_text("{not json\n" * 50, encoding="utf-8")
    failed = broken.vitals("run", VITALS_RUN_ID="broken")
    assert failed.code == 1
    # Why, and where to look, although nothing of the file was kept.
    assert "50 rows, such as events-2099-01-01.jsonl, line 1" in failed.said
    assert broken.current.resolve().name == "first"
    assert sorted(path.name for path in (broken.current.resolve()).rglob("*")) == release_before
    assert broken.fingerprints("raw") == raw_before
    status = broken.vitals("status")
    assert "why broken failed" in status.said
    # The remedy that the message gives.
    (broken.landing / "events-2099-01-01.jsonl").unlink()
    mended = broken.vitals("run", VITALS_RUN_ID="mended")
    assert mended.code == 0, mended.said
    assert broken.current.resolve().name == "mended"


def load_as_a_killed_run_does(business: Business) -> None:
    """New files are in raw, and the run ended before they were checked."""
    workspace = Workspace(business.folder, business.data)
    with Warehouse(workspace.build_database, workspace.settings.warehouse) as warehouse:
        load_landing(warehouse, workspace)


def test_what_a_killed_run_loaded_is_checked_by_the_next(reviewed: Business, tmp_path: Path) -> None:
    killed = copy_business(reviewed, tmp_path / "demo")
    raw_before = killed.fingerprints("raw")
    wrong = killed.landing / "events-2099-01-01.jsonl"
    wrong.write_text("{not json\n" * 50, encoding="utf-8")
    load_as_a_killed_run_does(killed)
    assert killed.fingerprints("raw") != raw_before
    refused = killed.vitals("load")
    assert refused.code == 1
    assert "50 rows, such as events-2099-01-01.jsonl, line 1" in refused.said
    assert killed.fingerprints("raw") == raw_before
    wrong.unlink()
    assert killed.vitals("load").code == 0


def test_what_a_killed_run_loaded_makes_later_steps_wait(reviewed: Business, tmp_path: Path) -> None:
    killed = copy_business(reviewed, tmp_path / "demo")
    newest = sorted(killed.landing.glob("*.jsonl"))[-1]
    fresh = [line.replace('"messageId":"', '"messageId":"more-') for line in _sound_lines(newest, 5)]
    (killed.landing / "more.jsonl").write_text("\n".join(fresh) + "\n", encoding="utf-8")
    load_as_a_killed_run_does(killed)
    loaded = killed.vitals("load")
    assert loaded.code == 0, loaded.said
    assert "1 files that an earlier run loaded and did not come to check are checked now" in loaded.said
    refused = killed.vitals("run", "--from", "marts")
    assert refused.code == 1
    assert "vitals score" in refused.said
    # Once is enough.
    assert "earlier run" not in killed.vitals("load").said


def test_bad_lines_are_kept_apart_and_the_rest_is_loaded(reviewed: Business, tmp_path: Path) -> None:
    grown = copy_business(reviewed, tmp_path / "demo")
    newest = sorted(grown.landing.glob("*.jsonl"))[-1]
    good = _sound_lines(newest, 40)
    fresh = [line.replace('"messageId":"', '"messageId":"again-') for line in good]
    bad = ['{"messageId":"x"', "[]", fresh[0].replace('"timestamp":"2', '"timestamp":"not a time 2')]
    with gzip.open(grown.landing / "more.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([*fresh, *bad]) + "\n")
    before = grown.built("select count(*) from raw.events")[0][0]
    loaded = grown.vitals("load")
    assert loaded.code == 0, loaded.said
    assert grown.built("select count(*) from raw.events")[0][0] == before + 40
    rejected = grown.built(
        "select line_number, reason from raw.rejected_events where file_name = 'more.jsonl.gz' order by all"
    )
    assert [line for line, _ in rejected] == [41, 42, 43]
    assert all(reason for _, reason in rejected)


def test_new_events_make_later_steps_wait_for_features(reviewed: Business, tmp_path: Path) -> None:
    grown = copy_business(reviewed, tmp_path / "demo")
    newest = sorted(grown.landing.glob("*.jsonl"))[-1]
    lines = _sound_lines(newest, 5)
    fresh = [line.replace('"messageId":"', '"messageId":"more-') for line in lines]
    (grown.landing / "more.jsonl").write_text("\n".join(fresh) + "\n", encoding="utf-8")
    assert grown.vitals("load").code == 0
    refused = grown.vitals("run", "--from", "marts")
    assert refused.code == 1
    assert "vitals score" in refused.said
    assert grown.current.resolve().name == "first"


def test_changed_settings_are_not_published_over_old_features(reviewed: Business, tmp_path: Path) -> None:
    changed = copy_business(reviewed, tmp_path / "demo")
    path = changed.folder / "review.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("timeout_minutes = 30", "timeout_minutes = 5"), encoding="utf-8")
    refused = changed.vitals("run", "--from", "marts")
    assert refused.code == 1
    assert "vitals features" in refused.said
    rebuilt = changed.vitals("features")
    assert rebuilt.code == 0, rebuilt.said
    assert "built anew" in rebuilt.said
    more = changed.built("select count(*) from intermediate.sessions")
    assert more > reviewed.built("select count(*) from intermediate.sessions")


def test_a_health_component_needs_numbers(reviewed: Business, tmp_path: Path) -> None:
    changed = copy_business(reviewed, tmp_path / "demo")
    path = changed.folder / "review.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"nps_last"', '"lifecycle_stage"'), encoding="utf-8")
    refused = changed.vitals("train")
    assert refused.code == 2
    assert "'lifecycle_stage', which is a VARCHAR column" in refused.said


@pytest.mark.slow
def test_values_that_no_model_can_hold_are_taken_out_with_their_file(
    reviewed: Business, tmp_path: Path
) -> None:
    garbled = copy_business(reviewed, tmp_path / "demo")
    newest = sorted(garbled.landing.glob("*.jsonl"))[-1]
    order = json.loads(_sound_lines(newest, 1)[0])
    order |= {"type": "track", "event": "Order Completed", "properties": {"revenue": 99_999_999_999}}
    file = garbled.landing / "garbled.jsonl"
    file.write_text(
        "".join(json.dumps(order | {"messageId": f"order-{number}"}) + "\n" for number in range(1_001)),
        encoding="utf-8",
    )
    failed = garbled.vitals("run")
    assert failed.code == 1
    assert "the model customer_days could not be built" in failed.said
    assert garbled.current.resolve().name == "first"
    # The remedy that the message gives.
    file.unlink()
    (garbled.data / "build" / "build.duckdb").rename(tmp_path / "garbled.duckdb")
    mended = garbled.vitals("run", VITALS_RUN_ID="mended")
    assert mended.code == 0, mended.said
    assert garbled.fingerprints("features", "marts") == reviewed.fingerprints("features", "marts")


def test_a_changed_file_is_refused(reviewed: Business, tmp_path: Path) -> None:
    changed = copy_business(reviewed, tmp_path / "demo")
    path = sorted(changed.landing.glob("*.jsonl"))[3]
    path.write_text(path.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    refused = changed.vitals("load")
    assert refused.code == 1
    assert path.name in refused.said
    assert "changed" in refused.said


def test_a_database_in_use_is_said(reviewed: Business, tmp_path: Path) -> None:
    held = copy_business(reviewed, tmp_path / "demo")
    with duckdb.connect(str(held.data / "build" / "build.duckdb")):
        refused = held.vitals("load")
    assert refused.code == 1
    assert "locked by another process" in refused.said
    assert str(os.getpid()) in refused.said
    # Status needs no database.
    assert held.vitals("status").code == 0


def test_a_damaged_database_is_said(reviewed: Business, tmp_path: Path) -> None:
    damaged = copy_business(reviewed, tmp_path / "Could not set lock on file")
    (damaged.data / "build" / "build.duckdb").write_bytes(b"no database at all" * 1000)
    refused = damaged.vitals("load")
    assert refused.code == 1
    assert "cannot be opened" in refused.said
    assert "locked" not in refused.said
    assert "it is rebuilt from landing" in " ".join(refused.said.split())


def test_a_week_outside_the_data_is_refused(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    refused = business.vitals("features", "--week", "2031-01-01")
    assert refused.code == 2
    assert "the week of 2030-12-30 has no data, it lies in the future of the data" in refused.said
    refused = business.vitals("features", "--week", "2001-01-01")
    assert refused.code == 2
    assert "the week of 2001-01-01 has no data, it lies before the data" in refused.said


def test_an_older_week_is_restated_and_the_marts_stay_at_the_newest(
    reviewed: Business, tmp_path: Path
) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    newest: date = business.published("select max(review_week) from marts.customers")[0][0]
    features_before = business.fingerprints("intermediate", "features")
    older = business.vitals("run", "--week", str(newest - timedelta(weeks=3)), VITALS_RUN_ID="older")
    assert older.code == 0, older.said
    assert business.current.resolve().name == "older"
    assert business.published("select max(review_week) from marts.customers")[0][0] == newest
    assert business.fingerprints("intermediate", "features") == features_before
    scored = business.published(
        "select review_week from marts.customer_weeks where churn_probability is not null group by all"
    )
    assert {week for (week,) in scored} == {newest, newest - timedelta(weeks=3)}
