"""`make up` starts four processes and their Postgres, a review is triggered, `make down` ends all of it.

On the way: it listens on loopback alone, what is documented tidies up, half of it is ended and started again.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.running_airflow import free_port, started
from pipeline.processes import is_alive, left_of_session
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
    port, postgres_port = free_port(), free_port()
    environment = airflow_environment | {
        "VITALS_AIRFLOW_DIR": str(folder),
        "VITALS_WORKSPACE": str(business.folder),
        "AIRFLOW_PORT": str(port),
        "AIRFLOW_POSTGRES_PORT": str(postgres_port),
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
        noted = json.loads((folder / "processes.json").read_text(encoding="utf-8"))
        assert set(noted) == set(PROCESSES)
        check_that_it_listens_on_loopback_alone(folder, noted, {port, postgres_port})
        check_that_it_is_tidied_up(folder, postgres_port)
        os.kill(noted["scheduler"]["process"], signal.SIGKILL)
        half = service("up", environment)
        assert half.returncode == 1
        assert "not there any more: scheduler (" in half.stderr
        assert service("down", environment).returncode == 0
        again = service("up", environment)
        assert again.returncode == 0, again.stderr
        noted = json.loads((folder / "processes.json").read_text(encoding="utf-8"))
    finally:
        down = service("down", environment)
    assert down.returncode == 0, down.stderr
    # The parent of what outlives its starter, which is not ours, takes a moment to note its end.
    ends_at = time.monotonic() + 20
    while any(map(is_alive, processes_of(noted))) and time.monotonic() < ends_at:
        time.sleep(0.2)
    assert not processes_of(noted)
    assert not (folder / "postgres" / "postmaster.pid").exists()


def processes_of(noted: dict[str, dict]) -> list[int]:
    return [process for each in noted.values() for process in left_of_session(each["process"], each["birth"])]


def check_that_it_listens_on_loopback_alone(folder: Path, noted: dict[str, dict], ports: set[int]) -> None:
    server = int((folder / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    listening = [
        connection.laddr
        for process in (*processes_of(noted), server)
        for connection in psutil.Process(process).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.port for address in listening} >= ports
    assert all(ipaddress.ip_address(address.ip).is_loopback for address in listening), listening


def check_that_it_is_tidied_up(folder: Path, postgres_port: int) -> None:
    """What docs/airflow.md says to do once a month, as it stands there."""
    page = (PROJECT / "docs" / "airflow.md").read_text(encoding="utf-8")
    (commands,) = (
        block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if "db clean" in block
    )
    commands = (
        commands.replace("$PWD/.airflow", str(folder))
        .replace(".airflow/", f"{folder}/")
        .replace(":5439/", f":{postgres_port}/")
        .replace(".venv/bin/airflow", f"{sys.executable} -m airflow")
    )
    logs = folder / "home" / "logs"
    old, new = logs / "dag_id=old" / "attempt=1.log", logs / "dag_id=new" / "attempt=1.log"
    for path in (old, new):
        path.parent.mkdir()
        path.touch()
    os.utime(old, (0, 0))
    done = subprocess.run(["bash", "-ec", commands], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not old.exists()
    assert new.exists()
    assert (folder / "logs" / "triggerer.log").stat().st_size < 10_000


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
