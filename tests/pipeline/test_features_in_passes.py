"""Weeks whose rows do not fit into the memory at once are built in passes: the same rows come of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.features import weeks_in_passes
from pipeline.workspace import Workspace
from tests.business import Business, copy_business, run_log

WEEKS = tuple(date(2025, 1, 6) + timedelta(weeks=number) for number in range(7))
# The whole command, in an engine of which a gigabyte carries next to nothing.
IN_PASSES = """
import sys
from pipeline import features
from pipeline.cli import app

features.CUSTOMER_WEEKS_PER_GIGABYTE = int(sys.argv.pop(1))
in_passes = features.weeks_in_passes

def said(*given):
    passes = in_passes(*given)
    print(len(passes), "passes")
    return passes

features.weeks_in_passes = said
app()
"""


@pytest.mark.parametrize(
    ("at_once", "sizes"), [(7, [7]), (100, [7]), (6, [3, 4]), (3, [2, 2, 3]), (1, [1] * 7)]
)
def test_passes_hold_every_week_once_and_no_more_than_fit(at_once: int, sizes: list[int]) -> None:
    passes = weeks_in_passes(WEEKS, at_once)
    assert sorted(map(len, passes)) == sizes
    assert sum(passes, ()) == WEEKS


def test_a_rebuild_in_passes_equals_one_at_once(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    at_once = business.fingerprints("features")
    customers, weeks = business.built(
        """
        select approx_count_distinct(account_id), (select count(*) from ops.built_weeks) from raw.events
        """
    )[0]
    with duckdb.connect(str(business.data / "build" / "build.duckdb")) as connection:
        # As after a change of the models: everything is built anew.
        connection.execute("update ops.built_with set settings_hash = 'other' where part = 'features'")
    gigabytes = Workspace(business.folder, business.data).settings.warehouse.memory_limit_gigabytes
    a_third = int(customers * (weeks // 3 + 1) / gigabytes)
    done = subprocess.run(
        [sys.executable, "-c", IN_PASSES, str(a_third), "features", "--workspace", str(business.folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "VITALS_RUN_ID": "in-passes"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 passes" in done.stdout
    assert business.fingerprints("features") == at_once
    summary = next(
        line["details"] for line in reversed(run_log(business)) if line["event"] == "step_finished"
    )
    assert summary["weeks_built"] == weeks
