"""What tests of several rooms share."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace import PROJECT_FOLDER
from tests.business import Business, copy_workspace

CUSTOMERS, WEEKS, SEED = 250, 44, 11


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Business:
    """A small demo after its first review, built once for all workers. Tests that change it copy it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "reviewed"
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            shutil.rmtree(shared, ignore_errors=True)
            _review_once(copy_workspace(shared / "demo"))
            (shared / "done").touch()
    return Business(shared / "demo")


def _review_once(business: Business) -> None:
    size = ("--customers", str(CUSTOMERS), "--weeks", str(WEEKS), "--seed", str(SEED))
    simulated = business.vitals("simulate", *size)
    assert simulated.code == 0, simulated.said
    # As a user does, with nothing imported before: the other commands of the tests are forked.
    first = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--workspace", str(business.folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "VITALS_RUN_ID": "first"},
        cwd=PROJECT_FOLDER,
        timeout=600,
        check=False,
    )
    assert first.returncode == 0, first.stdout + first.stderr
