"""docs/performance.md and its picture are made of the results, and equal results give equal files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.cost_by_size import billion_results, size_results
from bench.performance import main
from bench.performance_page import (
    MEASURED_BLOCK,
    PAGE,
    PICTURE,
    WHAT_IS_MEASURED,
    with_figures,
    write_picture,
)
from bench.record import Result, Written, merge_results, read_results, write_results
from bench.reviewed_world import queries_of
from bench.workspaces import Cost
from pipeline.review import STEPS

PROJECT = Path(__file__).parents[2]


def cost(events: int) -> Cost:
    return Cost(
        events=events,
        customers=events // 300,
        seconds={step: 2.0 + number * events / 1e6 for number, step in enumerate(STEPS, start=1)},
        cpu_seconds={},
        peak_gigabytes=dict.fromkeys(STEPS, 0.3 + events / 10000000.0),
        disk_bytes={step: events * number for number, step in enumerate(STEPS)},
        models={"sessions": 12.345},
    )


@pytest.fixture
def written() -> Written:
    small, large = cost(1_000_000), cost(10_000_000)
    results = [
        *size_results("start_up", cost(1_000)),
        *size_results("1m", small),
        *size_results("10m", large),
        *billion_results([small, large], cost(1_000)),
        Result("peers_10m_share_of_time_of_pandas", 0.45678, "share", "≤ 0.5", True),
        Result("peers_10m_share_of_time_of_polars", 0.7, "share", "≤ 0.6", False, {"commit": "abc"}),
        Result("peers_10m_share_of_memory_of_pandas", None, "share", "≤ 1", None),
        Result(
            "peers_10m_share_of_memory_of_polars",
            0.6,
            "share",
            "≤ 1",
            True,
            {"commit": "abc", "processor": "Q"},
        ),
    ]
    machine = {
        "measured_on": "2026-11-22",
        "processor": "P",
        "cores": 2,
        "memory_gigabytes": 23.5,
        "system": "Linux",
    }
    return Written(machine, {"python": "3.11", "duckdb": "2.0.0"}, "0123456789abcdef-dirty", results)


def test_figures_go_between_the_marks_and_nothing_else_changes(written: Written) -> None:
    page = PAGE.read_text(encoding="utf-8")
    new = with_figures(page, written)
    assert MEASURED_BLOCK.sub("", new) == MEASURED_BLOCK.sub("", page)
    assert "| time of the peers' work at 10 million events, of pandas' | 0.457 | ≤ 0.5 | yes |" in new
    assert "| the same, of Polars' (an earlier commit) | 0.7 | ≤ 0.6 | **no** |" in new
    assert "| memory of that work, of pandas' | – | ≤ 1 | not measured |" in new
    assert "| the same, of Polars' (an earlier commit, on Q) | 0.6 | ≤ 1 | yes |" in new
    assert "| sessions, more than pandas counts | not measured | | |" in new
    assert "Measured on 2026-11-22: P, 2 cores, 23.5 GB of memory, Linux" in new
    assert "Nothing of this size was run: extrapolated from 1,000,000 and 10,000,000 events" in new
    assert "| `sessions` | 12.3 |" in new
    assert f"(pictures/{PICTURE.name})" in new
    assert with_figures(new, written) == new
    with pytest.raises(ValueError, match="no place for measured figures"):
        with_figures("nothing", written)


def test_the_picture_is_drawn_and_drawn_again(written: Written, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        assert write_picture(written, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    # S314 warns of XML from strangers; this file was written by this test a moment ago.
    assert ElementTree.parse(tmp_path / "one.svg").getroot().tag.endswith("svg")  # noqa: S314
    few = Written(written.machine, written.versions, written.commit, [])
    assert write_picture(few, tmp_path / "none.svg") is False


def test_every_result_is_named_once() -> None:
    names = [name for name, _ in WHAT_IS_MEASURED]
    assert len(names) == len(set(names))


def test_results_of_another_measurement_stay_and_say_whose_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bench.json"
    merge_results(path, [Result("kept", 1.0, "s"), Result("measured again", 1.0, "s")])
    monkeypatch.setattr("bench.record.commit", lambda: "another")
    merge_results(path, [Result("measured again", 2.0, "s")])
    kept, again = read_results(path).results
    assert (kept.name, kept.value, kept.detail["commit"] != "another") == ("kept", 1.0, True)
    assert (again.value, again.detail) == (2.0, {})
    assert json.loads(path.read_text(encoding="utf-8"))["commit"] == "another"
    write_results(path, [])
    assert read_results(path).results == []


def test_results_of_another_machine_say_of_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bench.json"
    for processor in ("P", "Q", "R"):
        monkeypatch.setattr("bench.record._processor", lambda processor=processor: processor)
        merge_results(path, [Result(f"on {processor}", 1.0, "s")])
    written = read_results(path)
    assert written.machine["processor"] == "R"
    assert [result.detail.get("processor") for result in written.results] == ["P", "Q", None]


def test_the_queries_of_the_readme_are_found() -> None:
    queries = queries_of((PROJECT / "README.md").read_text(encoding="utf-8"))
    assert len(queries) >= 4
    assert all(query.startswith(("select", "with")) for query in queries)


def test_other_sizes_do_not_reach_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--scale", "0.5"])
    assert "results of other sizes are no results" in capsys.readouterr().err


def test_a_page_that_is_not_there_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--page", str(tmp_path / "none.md")])
    assert "none.md is not there" in capsys.readouterr().err


def test_a_part_that_fails_is_told_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def parts(*_: object) -> Iterator[list[Result]]:
        yield [Result("first", 1.0, "s")]
        yield []
        yield [Result("third", 3.0, "s")]

    page, results = tmp_path / "page.md", tmp_path / "bench.json"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("bench.performance.measure", parts)
    files = ["--results", str(results), "--page", str(page), "--picture", str(tmp_path / "p.svg")]
    assert main(files) == 1
    assert [result.name for result in read_results(results).results] == ["first", "third"]
    assert "third" in capsys.readouterr().out


@pytest.mark.slow
def test_tiny_worlds_are_measured_from_end_to_end(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "bench.json"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    options = ["--scale", "0.003", "--only", "series", "weekly", "weeks", "--results", str(results)]
    assert main([*options, "--page", str(page), "--picture", str(tmp_path / "p.svg")]) == 0
    found = {result.name: result for result in read_results(results).results}
    assert {
        "increment_share_of_rebuild_10m",
        "billion_events_hours",
        "features_26_weeks_times_one_10m",
    } <= set(found)
    assert found["review_10m_seconds"].detail["seconds"].keys() == set(STEPS)
    assert "not measured" in page.read_text(encoding="utf-8")  # of what was not asked for
