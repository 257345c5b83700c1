"""`make up` starts four processes and their Postgres, a review is triggered, `make down` ends all of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.running_airflow import free_port, started
from pipeline.processes import is_alive
from pipeline.review import STEPS
from pipeline.service import PROCESSES, _postgres_programs
from tests.business import copy_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_postgres_programs() is None, reason="Postgres is not installed"),
]
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below tmp_path, into which the user of Postgres cannot look.
    made = Path(tempfile.mkdtemp(prefix="vitals-airflow-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_from_nothing_to_a_finished_first_review(
    airflow_environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("psycopg", reason="the driver comes with `make setup`")
    business = copy_workspace(tmp_path / "world")
    simulated = business.vitals("simulate", "--customers", "250", "--weeks", "30")
    assert simulated.code == 0, simulated.said
    port = free_port()
    environment = airflow_environment | {
        "VITALS_AIRFLOW_DIR": str(folder),
        "VITALS_WORKSPACE": str(business.folder),
        "AIRFLOW_PORT": str(port),
        "AIRFLOW_POSTGRES_PORT": str(free_port()),
    }
    try:
        up = service("up", environment)
        assert up.returncode == 0, up.stderr
        airflow = started(f"http://127.0.0.1:{port}", folder / "home", folder / "logs" / "scheduler.log")
        run_id = airflow.trigger("weekly_review")
        airflow.unpause("weekly_review")
        assert airflow.wait_for("weekly_review", run_id) == "success"
        assert airflow.tasks("weekly_review", run_id) == dict.fromkeys(STEPS, "success")
        assert (business.current / "report" / "index.html").is_file()
        twice = service("up", environment)
        assert twice.returncode == 1
        assert "is up already" in twice.stderr
        processes = json.loads((folder / "processes.json").read_text(encoding="utf-8"))
        assert set(processes) == set(PROCESSES)
    finally:
        down = service("down", environment)
    assert down.returncode == 0, down.stderr
    # The parent of what outlives its starter, which is not ours, takes a moment to note its end.
    ends_at = time.monotonic() + 20
    while any(map(is_alive, processes.values())) and time.monotonic() < ends_at:
        time.sleep(0.2)
    assert not any(map(is_alive, processes.values()))
    assert not (folder / "postgres" / "postmaster.pid").exists()


def service(action: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As `make up` and `make down` call it."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline.service", action],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=400,
    )
