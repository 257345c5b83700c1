"""What tests of several rooms share."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

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
    first = business.vitals("run", VITALS_RUN_ID="first")
    assert first.code == 0, first.said
