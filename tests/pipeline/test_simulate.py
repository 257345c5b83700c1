from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.business import Business, copy_workspace

SIZE = ("--customers", "80", "--weeks", "5")


def _simulated(folder: Path, *options: str) -> Business:
    business = copy_workspace(folder)
    done = business.vitals("simulate", *SIZE, *options)
    assert done.code == 0, done.said
    assert "(simulated)" in done.said
    return business


def _files(business: Business) -> dict[str, str]:
    """Content of every file of landing and truth, as a digest by its name."""
    return {
        str(path.relative_to(business.data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("landing", "truth")
        for path in sorted((business.data / folder).iterdir())
    }


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_the_same_seed_gives_equal_files_and_another_seed_another_world(
    tmp_path: Path, file_format: str
) -> None:
    first, again, other = (
        _files(_simulated(tmp_path / name, "--format", file_format, "--seed", seed))
        for name, seed in (("first", "3"), ("again", "3"), ("other", "4"))
    )
    assert first == again
    assert sum(name.endswith(f".{file_format}") for name in first if name.startswith("landing/")) >= 35
    days = {name for name in first.keys() & other.keys() if name.startswith("landing/")}
    assert len(days) >= 35
    assert not [name for name in days if first[name] == other[name]]


def test_parquet_and_json_lines_load_into_the_same_events(tmp_path: Path) -> None:
    query = """
        select * exclude (load_id, source, properties, traits), json_keys(properties), json_keys(traits)
        from raw.events order by event_id, occurred_at
    """
    loaded = {}
    for file_format in ("jsonl", "parquet"):
        business = _simulated(tmp_path / file_format, "--format", file_format)
        done = business.vitals("load")
        assert done.code == 0, done.said
        assert "note" not in done.said
        loaded[file_format] = business.built(query)
        ((lines, rejected),) = business.built("select sum(rows_read), sum(rows_rejected) from raw.loads")
        assert lines == len(loaded[file_format]) + rejected + _duplicates(business)
    assert loaded["jsonl"] == loaded["parquet"]
    assert len(loaded["jsonl"]) > 1_000


def _duplicates(business: Business) -> int:
    return business.built("select sum(rows_duplicate) from raw.loads")[0][0]


def test_the_planted_numbers_are_written_beside_the_truth(tmp_path: Path) -> None:
    business = _simulated(tmp_path / "demo", "--seed", "9")
    told = json.loads((business.data / "truth" / "parameters.json").read_text(encoding="utf-8"))
    assert (told["customers"], told["weeks"], told["seed"]) == (80, 5, 9)
    assert told["hazard"]["notice_weeks"] == 4
    assert told["activation"] and told["commerce"] and told["message"] and told["anomaly"]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    business = copy_workspace(tmp_path / "demo")
    refused = business.vitals("simulate", *SIZE, "--format", "csv")
    assert refused.code == 2
    assert "--format is 'csv'; give jsonl or parquet." in refused.said
    assert not list(business.landing.glob("*"))
