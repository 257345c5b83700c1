from __future__ import annotations

import subprocess

import pytest

from bench.simulation import Size, measure


def test_a_world_is_measured_in_a_process_of_its_own() -> None:
    results = {result.name: result for result in measure(Size("tiny", 60, "parquet", None), weeks=3)}
    assert set(results) == {
        "simulate_tiny_seconds",
        "simulate_tiny_peak_gigabytes",
        "simulate_tiny_events_per_second",
    }
    memory = results["simulate_tiny_peak_gigabytes"]
    assert 0.02 < memory.value < 2
    assert (memory.target, memory.holds) == ("≤ 2", True)
    assert memory.detail["events"] > 100
    assert memory.detail["landing_bytes"] > 1_000


def test_a_world_that_cannot_be_made_is_an_error() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        measure(Size("none", 0, "jsonl", None), weeks=3)
    assert "--customers is 0" in raised.value.output
