"""A running Airflow, worked through its REST API as a person's scripts do."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDED = ("success", "failed")


@dataclass
class Running:
    """A started Airflow and a token to work it."""

    address: str
    token: str = field(default="", repr=False)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 the address is this machine's
            f"{self.address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def trigger(self, dag: str, logical_date: str | None = None, **params: Any) -> str:
        body = {"logical_date": logical_date, "conf": params}
        return self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"]

    def unpause(self, dag: str) -> None:
        self.ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})

    def end_scheduled_runs(self, dag: str) -> None:
        """End runs that wait for the data of the present week, which no test brings."""
        for run in self.ask("GET", f"/api/v2/dags/{dag}/dagRuns?run_type=scheduled")["dag_runs"]:
            self.ask("PATCH", f"/api/v2/dags/{dag}/dagRuns/{run['dag_run_id']}", {"state": "failed"})

    def wait_for(self, dag: str, run_id: str, seconds: float = 420) -> str:
        """The state in which a run ended."""
        ends_at = time.monotonic() + seconds
        state = ""
        while time.monotonic() < ends_at:
            state = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")["state"]
            if state in ENDED:
                return state
            time.sleep(1)
        return f"{state} after {seconds} seconds"

    def wait_for_backfill(self, dag: str, number: int, weeks: int, seconds: float = 420) -> dict[str, str]:
        """The states in which the runs of a backfill ended, by their ids, in the order of their dates."""
        ends_at = time.monotonic() + seconds
        runs: dict[str, str] = {}
        while time.monotonic() < ends_at:
            found = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns?run_type=backfill&order_by=logical_date")
            runs = {run["dag_run_id"]: run["state"] for run in found["dag_runs"]}
            if len(runs) == weeks and set(runs.values()) <= set(ENDED):
                return runs
            time.sleep(1)
        raise RuntimeError(f"backfill {number} after {seconds} seconds: {runs}")

    def tasks(self, dag: str, run_id: str) -> dict[str, str]:
        found = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def log(self, dag: str, run_id: str, task: str, number: int = 1) -> str:
        path = f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/logs/{number}"
        return json.dumps(self.ask("GET", path), ensure_ascii=False)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def started(address: str, home: Path, said: Path) -> Running:
    """Log in once it is healthy and has read the DAGs. Raises RuntimeError, with its log, where it is not."""
    running = Running(address)
    passwords = home / "simple_auth_manager_passwords.json.generated"
    ends_at = time.monotonic() + 240
    while time.monotonic() < ends_at:
        try:
            if not running.token:
                password = json.loads(passwords.read_text(encoding="utf-8"))["admin"]
                login = {"username": "admin", "password": password}
                running.token = running.ask("POST", "/auth/token", login)["access_token"]
            health = running.ask("GET", "/api/v2/monitor/health")
            running.ask("GET", "/api/v2/dags/weekly_review")
            running.ask("GET", "/api/v2/dags/load_events")
            if health["scheduler"]["status"] == "healthy":
                return running
        except (OSError, ValueError, KeyError):
            # Not listening yet, or the DAGs are not read yet.
            pass
        time.sleep(1)
    raise RuntimeError(said.read_text(encoding="utf-8", errors="replace")[-4000:])
