"""Week after week: the same as one by one, resumable after a kill, and clear about bad arguments."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.business import Business, copy_business, copy_workspace, run_log

PROJECT = Path(__file__).resolve().parents[2]
COMPARED = ("raw", "intermediate", "features", "scores", "marts")


def _newest(business: Business) -> date:
    return business.published("select max(review_week) from marts.customers")[0][0]


def _published_weeks(business: Business) -> list[str]:
    return [line["review_week"] for line in run_log(business) if line["event"] == "published"]


def _kill_in_the_second_week(business: Business, first: date, last: date) -> None:
    """Start a backfill in a process of its own and kill it once its second week is at work."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "backfill", "--workspace", str(business.folder)),
            *("--from", str(first), "--to", str(last)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        start_new_session=True,
    )
    second = str(first + timedelta(weeks=1))
    deadline = time.monotonic() + 120
    try:
        while not any(
            line["event"] == "step_started" and line["step"] == "train" and line["review_week"] == second
            for line in run_log(business)
        ):
            assert process.poll() is None, "the backfill ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_killed_backfill_goes_on_and_gives_what_the_weeks_give_one_by_one(
    reviewed: Business, tmp_path: Path
) -> None:
    last = _newest(reviewed)
    first, second = last - timedelta(weeks=2), last - timedelta(weeks=1)
    killed = copy_business(reviewed, tmp_path / "killed")
    _kill_in_the_second_week(killed, first, last)
    assert _published_weeks(killed)[1:] == [str(first)]

    resumed = killed.vitals("backfill", "--from", str(first + timedelta(days=3)), "--to", str(last))
    assert resumed.code == 0, resumed.said
    # The newest was there before, the first since the kill.
    assert f"2 weeks are already published and still valid: {first}, {last}" in resumed.said
    assert f"week of {second} (2 of 3)" in resumed.said
    assert _published_weeks(killed)[1:] == [str(first), str(second)]
    releases = [line["release"] for line in run_log(killed) if line["event"] == "published"]
    assert len(set(releases)) == 3
    assert all(str(week) in release for week, release in zip((first, second), releases[1:], strict=True))

    one_by_one = copy_business(reviewed, tmp_path / "one_by_one")
    for week in (first, second):
        done = one_by_one.vitals("run", "--week", str(week))
        assert done.code == 0, done.said
    assert killed.fingerprints(*COMPARED) == one_by_one.fingerprints(*COMPARED)
    databases = [(each.current / "warehouse.duckdb").resolve() for each in (killed, one_by_one)]
    assert killed.fingerprints("marts", database=databases[0]) == one_by_one.fingerprints(
        "marts", database=databases[1]
    )

    again = killed.vitals("backfill", "--from", str(first), "--to", str(last))
    assert again.code == 0, again.said
    assert "3 weeks are already published" in again.said
    assert len(_published_weeks(killed)) == 3


def test_weeks_outside_the_data_are_refused_before_a_week_is_touched(
    reviewed: Business, tmp_path: Path
) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    week = str(_newest(reviewed))
    before = business.fingerprints(*COMPARED, "ops")
    future = business.vitals("backfill", "--from", week, "--to", "2031-01-01")
    assert future.code == 2
    assert "the week of 2030-12-30 has no data, it lies in the future of the data" in future.said
    past = business.vitals("backfill", "--from", "2019-05-05", "--to", week)
    assert past.code == 2
    assert "the week of 2019-04-29 has no data, it lies before the data" in past.said
    first, last = business.built("select min(local_date), max(local_date) from staging.stg_events")[0]
    for refused in (past, future):
        assert f"events are loaded from {first} to {last}" in refused.said
    assert business.fingerprints(*COMPARED, "ops") == before
    assert business.current.resolve().name == "first"


def test_bad_arguments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    business = copy_workspace(tmp_path / "shop")
    turned = business.vitals("backfill", "--from", "2025-03-10", "--to", "2025-03-09")
    assert turned.code == 2
    assert "--from is in the week of 2025-03-10, which comes after that of --to, 2025-03-03" in turned.said
    assert (
        "--to is 'soon'; give a day"
        in business.vitals("backfill", "--from", "2025-03-10", "--to", "soon").said
    )
    missing = business.vitals("backfill", "--from", "2025-03-10")
    assert missing.code == 2
    assert not (business.data / "build").exists()
