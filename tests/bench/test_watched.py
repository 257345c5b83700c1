"""A watched process: its memory, its end, and every run of dbt in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.watched import MeasuredCommandError, watch

WRITE_RUNS = """
import json, sys, time
from pathlib import Path
runs = [("model.vitals.a", 1.0), ("test.vitals.t", 0.5)], [("model.vitals.a", 2.0)]
for number, results in enumerate(runs):
    content = {
        "metadata": {"invocation_id": str(number)},
        "results": [{"unique_id": node, "execution_time": seconds} for node, seconds in results],
    }
    Path(sys.argv[1]).write_text(json.dumps(content))
    time.sleep(0.4)
"""


def test_memory_of_children_is_counted() -> None:
    hungry = "kept = b'x' * 150_000_000; import time; time.sleep(0.3)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}])"
    watched = watch([sys.executable, "-c", child])
    assert 0.15 < watched.peak_gigabytes < 0.4
    assert 0.3 < watched.seconds < 30


def test_every_run_of_dbt_is_seen_and_what_lay_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run_results.json"
    earlier = {
        "metadata": {"invocation_id": "earlier"},
        "results": [{"unique_id": "model.vitals.a", "execution_time": 9.0}],
    }
    path.write_text(json.dumps(earlier), encoding="utf-8")
    watched = watch([sys.executable, "-c", WRITE_RUNS, str(path)], path)
    assert watched.nodes == {"model.vitals.a": 3.0, "test.vitals.t": 0.5}


def test_a_command_that_fails_says_what_it_said_last() -> None:
    with pytest.raises(MeasuredCommandError, match="no such thing"):
        watch([sys.executable, "-c", "import sys; print('well'); sys.exit('no such thing')"])
