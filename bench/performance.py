"""What the weekly review costs, beside its peers and by size: `python -m bench.performance`, `make bench`.

Everything is measured through the command `vitals`, in folders that are removed afterwards. With --large
also a hundred million events of three million customers, which needs 45 GB of disk. With --only some parts
are measured alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.cost_by_size import billion_results, large_results, large_week_results, size_results
from bench.long_history import measure_history
from bench.peers import floor_seconds, measure_peers
from bench.performance_page import PAGE, PICTURE, with_figures, write_picture
from bench.record import (
    RESULTS_FOLDER,
    Result,
    merge_results,
    number_text,
    read_results,
    table_text,
)
from bench.reviewed_world import (
    RebuiltWorld,
    ReviewedWorld,
    WorldSize,
    rebuild_world,
    release_results,
    review_before_last_week,
    review_last_week,
    review_world,
    weekly_results,
)
from bench.watched import MeasuredCommandError
from bench.weeks_at_once import measure_weeks
from bench.workspaces import MEMORY_SETTING, Cost, demo_workspace, simulate, weeks_of_landing

WEEKS = 104  # so that the last of them brings about one event in a hundred
START_UP = WorldSize("start_up", 20, 20)  # about a thousand events
SMALL, MILLION = WorldSize("100k", 360, WEEKS), WorldSize("1m", 3_600, WEEKS)
# Ten million of them events of users, which is what the peers read; visitors have a million more.
TEN_MILLION = WorldSize("10m", 39_000, WEEKS)
# Few weeks, so that many customers have few events each; ten companies, because a world of so many customers
# would take 20 GB to simulate. The engine gets what leaves room for the rest of the process.
LARGE = WorldSize("100m", 3_000_000, 4, companies=10)
LARGE_MEMORY_GIGABYTES = "8.0"
CUSTOMERS_OF_HISTORY = 5_000
PARTS = ("series", "weekly", "weeks", "peers", "history", "large")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 done, 1 a command that was measured failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.performance", description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a hundred million events")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="these parts; the other results stay")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="all worlds this much smaller, to try it out"
    )
    parser.add_argument(
        "--folder", type=Path, help="where worlds are made; a folder of the system's otherwise"
    )
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER / "bench.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    asked = parser.parse_args(arguments)
    if asked.scale != 1 and asked.page == PAGE:
        parser.error("results of other sizes are no results: give --results, --page and --picture elsewhere")
    if not asked.page.is_file():
        parser.error(f"{asked.page} is not there: copy {PAGE} to it, whose figures are then written anew")
    parts = set(asked.only or PARTS) - (set() if asked.large else {"large"})
    results, code = [], 0
    try:
        with tempfile.TemporaryDirectory(prefix="vitals-bench-", dir=asked.folder) as folder:
            # Written part by part: what was measured is not lost where another part fails.
            for part in measure(Path(folder), parts, asked.scale):
                merge_results(asked.results, part)
                results += part
                code = max(code, int(not part))
    except MeasuredCommandError as error:
        print(error, file=sys.stderr)
        code = 1
    if results:
        _write_page(asked.results, asked.page, asked.picture)
    rows = [
        [result.name, number_text(result.value), result.unit, result.target or "–", number_text(result.holds)]
        for result in results
    ]
    print(table_text(["measured", "value", "unit", "target", "holds"], rows))
    print(f"written: {asked.results}, {asked.page}")
    return code


def measure(folder: Path, parts: set[str], scale: float = 1.0) -> Iterator[list[Result]]:
    """The results of some parts, each as it is there; worlds are removed when nothing needs them any more.

    A part that fails gives no result, and the others go on. Raises MeasuredCommandError where a world fails
    that several parts need.
    """
    start_up = review_world(START_UP, folder / "start_up", _say)
    yield size_results("start_up", start_up.rebuild)
    costs: list[Cost] = []
    if "series" in parts:
        for size in [*([SMALL] if "large" in parts else []), MILLION]:
            costs.append(rebuild_world(_scaled(size, scale), folder / size.name, _say))
            yield size_results(size.name, costs[-1])
            shutil.rmtree(folder / size.name)
    if parts & {"series", "weekly", "weeks", "large"}:
        world = review_world(_scaled(TEN_MILLION, scale), folder / "ten_million", _say)
        costs.append(world.rebuild)
        yield size_results(TEN_MILLION.name, world.rebuild)
        yield weekly_results(world, start_up) + release_results(world)
        if len(costs) > 1:
            yield billion_results(costs, start_up.rebuild)
        if "weeks" in parts:
            _say("weeks: all features of few and of many weeks")
            floor = floor_seconds(world.workspace.landing, folder / "floor")
            yield _unless_it_fails(lambda: measure_weeks(world, start_up.weekly.steps, floor))
        if "peers" in parts:
            _say("peers: the work of one week")
            yield _unless_it_fails(
                lambda: measure_peers(world.workspace.landing, folder / "peers", world.week)
            )
            shutil.rmtree(folder / "peers")
        shutil.rmtree(world.workspace.folder)
    elif "peers" in parts:
        workspace = demo_workspace(folder / "ten_million")
        simulate(workspace, _scaled(TEN_MILLION, scale).customers, WEEKS)
        _say("peers: the work of one week")
        yield measure_peers(workspace.landing, folder / "peers", weeks_of_landing(workspace)[1])
        shutil.rmtree(workspace.folder)
    if "history" in parts:
        customers = _scaled(WorldSize("", CUSTOMERS_OF_HISTORY, 0), scale).customers
        yield _unless_it_fails(
            lambda: measure_history(customers, folder / "history", start_up.weekly.steps, _say)
        )
        shutil.rmtree(folder / "history")
    if "large" in parts:
        size = replace(_scaled(LARGE, scale), changes={MEMORY_SETTING: LARGE_MEMORY_GIGABYTES})
        large = review_before_last_week(size, folder / "large", _say)
        yield size_results(LARGE.name, large.rebuild) + large_results(costs[-1], large.rebuild)
        yield billion_results([*costs, large.rebuild], start_up.rebuild)
        yield _unless_it_fails(lambda: _measure_week_of_large(large, start_up))


def _measure_week_of_large(large: RebuiltWorld, start_up: ReviewedWorld) -> list[Result]:
    world = review_last_week(large, _say)
    peak = world.weekly.watched.peak_gigabytes
    return weekly_results(world, start_up) + release_results(world) + large_week_results(peak)


def _unless_it_fails(measure_part: Callable[[], list[Result]]) -> list[Result]:
    try:
        return measure_part()
    except MeasuredCommandError as error:
        _say(f"NOT MEASURED: {error}")
        return []


def _scaled(size: WorldSize, scale: float) -> WorldSize:
    return replace(size, customers=max(20 * size.companies, round(size.customers * scale)))


def _write_page(results: Path, page: Path, picture: Path) -> None:
    """Bring the page and its picture up to date with all results that stand written."""
    written = read_results(results)
    page.write_text(with_figures(page.read_text(encoding="utf-8"), written), encoding="utf-8")
    write_picture(written, picture)


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
