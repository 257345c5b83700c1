"""The measurement of what Airflow costs judges as the issue says, and says what a failed command said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.airflow import FIRST_REVIEW, _beside_a_run, _call


def test_a_review_may_take_one_and_a_half_runs_and_a_minute() -> None:
    tasks = {"load": 60.0, "features": 90.0}
    good, bad = (_beside_a_run("review", seconds, 100.0, tasks) for seconds in (210.0, 210.1))
    assert (good.target, good.holds, bad.holds) == ("≤ 210", True, False)
    assert good.detail["seconds_between_tasks"] == 60
    assert FIRST_REVIEW.holds(360)
    assert not FIRST_REVIEW.holds(361)


def test_a_command_that_fails_is_said_with_its_words(tmp_path: Path) -> None:
    assert _call(tmp_path, {}, sys.executable, "-c", "pass") > 0
    with pytest.raises(subprocess.CalledProcessError) as raised:
        _call(tmp_path, {}, sys.executable, "-c", "import sys; sys.exit('no room')")
    assert "no room" in raised.value.output
