"""The models, compiled once for all workers."""

from __future__ import annotations

import fcntl
import pickle
from pathlib import Path

import pytest

from tests.proofs.compiled_models import CompiledModels, compile_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> CompiledModels:
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "compiled_models"
    kept = Path(f"{shared}.pickle")
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(compile_models(shared)))
    # Written by this very run, a few lines above.
    return pickle.loads(kept.read_bytes())  # noqa: S301
