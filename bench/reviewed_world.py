"""A simulated world reviewed as a business would: all of its past at once, then one week more.

What is measured: every step of the full rebuild with its seconds, memory and disk; the weekly run after it,
up to its release; and the queries of the README on that release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from bench.arithmetic import percentile_95, ratio, without_start_up
from bench.record import PROJECT_FOLDER, Result, Target
from bench.workspaces import (
    Cost,
    Ran,
    bring_back,
    demo_workspace,
    folder_bytes,
    hold_back,
    put_copies_beside,
    review_step_by_step,
    run_vitals,
    simulate,
    weeks_of_landing,
)
from pipeline.warehouse import open_published
from pipeline.workspace import Workspace

WEEK = timedelta(days=7)
TIMES_PER_QUERY = 20
INCREMENT_SHARE = Target(highest=0.05)
PUBLISHING_SHARE = Target(highest=0.2)
QUERY_MILLISECONDS = Target(highest=100.0)
RELEASE_GIGABYTES_PER_MILLION = Target(highest=2.0)

Say = Callable[[str], None]


@dataclass(frozen=True)
class WorldSize:
    """A world by its customers and weeks; `changes` are keys of review.toml with other values.

    companies: how many equal ones stand side by side, where one of all customers would not fit into memory.
    """

    name: str
    customers: int
    weeks: int
    changes: Mapping[str, str] | None = None
    companies: int = 1


@dataclass(frozen=True)
class RebuiltWorld:
    """A world reviewed up to the week before its last; what was received from then on lies aside."""

    size: WorldSize
    workspace: Workspace
    last_week: date
    aside: Path
    rebuild: Cost


@dataclass(frozen=True)
class ReviewedWorld:
    """Where the world lies, the week that came last, and what its reviews took."""

    size: WorldSize
    workspace: Workspace
    week: date
    rebuild: Cost
    weekly: Ran


def rebuild_world(size: WorldSize, folder: Path, say: Say) -> Cost:
    """Simulate a world and review its last week, and all before it, from nothing."""
    workspace = demo_workspace(folder, size.changes)
    say(f"{size.name}: simulating and reviewing {size.customers:,} customers × {size.weeks} weeks")
    simulate(workspace, size.customers, size.weeks)
    return review_step_by_step(workspace, size.customers, weeks_of_landing(workspace)[1])


def review_world(size: WorldSize, folder: Path, say: Say) -> ReviewedWorld:
    """Simulate a world, review all but its last week from nothing, then run the last week."""
    return review_last_week(review_before_last_week(size, folder, say), say)


def review_before_last_week(size: WorldSize, folder: Path, say: Say) -> RebuiltWorld:
    """Simulate a world and review all but its last week from nothing."""
    workspace = demo_workspace(folder, size.changes)
    say(f"{size.name}: simulating {size.customers:,} customers × {size.weeks} weeks")
    simulate(workspace, size.customers // size.companies, size.weeks)
    if size.companies > 1:
        put_copies_beside(workspace, size.companies)
    _, week = weeks_of_landing(workspace)
    # What is received from Monday on, among it what happened before: such weeks are restated.
    aside = folder / "next_week"
    hold_back(workspace, aside, week)
    say(f"{size.name}: reviewing all weeks before the last")
    rebuild = review_step_by_step(workspace, size.customers, week - WEEK)
    return RebuiltWorld(size, workspace, week, aside, rebuild)


def review_last_week(world: RebuiltWorld, say: Say) -> ReviewedWorld:
    """Run the last week, as a scheduler would on its Monday."""
    bring_back(world.workspace, world.aside)
    say(f"{world.size.name}: running the last week")
    weekly = run_vitals(world.workspace, "run", f"--week={world.last_week}")
    return ReviewedWorld(world.size, world.workspace, world.last_week, world.rebuild, weekly)


def weekly_results(world: ReviewedWorld, start_up: ReviewedWorld) -> list[Result]:
    """What one week more takes beside a full rebuild, and publishing beside the rest of the run.

    start_up: the same in a tiny world. A first run starts up longer than a later one: dbt reads all models.
    """
    steps = ("load", "features")
    rebuild = without_start_up(
        {step: world.rebuild.seconds[step] for step in steps}, start_up.rebuild.seconds
    )
    week = without_start_up({step: world.weekly.steps[step] for step in steps}, start_up.weekly.steps)
    share = ratio(sum(week.values()), sum(rebuild.values()))
    publishing = world.weekly.steps["publish"] / sum(world.weekly.steps.values())
    new_events = world.weekly.details["load"]["events_loaded"]
    weekly_detail = {
        "events_before": world.rebuild.events,
        "events_new": new_events,
        "events_new_share": new_events / world.rebuild.events,
        "weeks_built": world.weekly.details["features"]["weeks_built"],
        "seconds_of_rebuild": rebuild,
        "seconds_of_week": week,
        "start_up_seconds_of_rebuild": {step: start_up.rebuild.seconds[step] for step in steps},
        "start_up_seconds_of_week": {step: start_up.weekly.steps[step] for step in steps},
    }
    return [
        _judged(
            f"increment_share_of_rebuild_{world.size.name}", share, "share", INCREMENT_SHARE, weekly_detail
        ),
        _judged(
            f"publishing_share_of_week_{world.size.name}",
            publishing,
            "share",
            PUBLISHING_SHARE,
            {
                "seconds_by_step": world.weekly.steps,
                "cpu_seconds_of_process": world.weekly.watched.cpu_seconds,
                "peak_gigabytes": world.weekly.watched.peak_gigabytes,
            },
        ),
    ]


def release_results(world: ReviewedWorld) -> list[Result]:
    """How large the release is per million customers, and how fast it answers the README's questions."""
    release = world.workspace.current_release.resolve()
    gigabytes = folder_bytes(release) / 1e9
    per_million = gigabytes * 1e6 / world.size.customers
    queries = queries_of((PROJECT_FOLDER / "README.md").read_text(encoding="utf-8"))
    seconds = query_seconds(world.workspace, release / "warehouse.duckdb", queries)
    every = [each for times in seconds.values() for each in times]
    return [
        _judged(
            f"release_gigabytes_per_million_customers_{world.size.name}",
            per_million,
            "gigabytes",
            RELEASE_GIGABYTES_PER_MILLION,
            {
                "release_gigabytes": gigabytes,
                "customers": world.size.customers,
                "weeks_of_world": world.size.weeks,
                "assumption": "grows with the customers",
            },
        ),
        _judged(
            f"readme_queries_p95_milliseconds_{world.size.name}",
            percentile_95(every) * 1000,
            "milliseconds",
            QUERY_MILLISECONDS,
            {
                "queries": len(queries),
                "times_each": TIMES_PER_QUERY,
                "slowest_milliseconds": max(every) * 1000,
                "p95_milliseconds_by_query": {
                    sql: percentile_95(times) * 1000 for sql, times in seconds.items()
                },
            },
        ),
    ]


def queries_of(page: str) -> list[str]:
    """The SQL that a page shows: its blocks of SQL, and what it gives to `vitals query`."""
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    commands = re.findall(r'^\$ \S*vitals query "(.*?)"', page, re.MULTILINE)
    return [" ".join(sql.split()) for sql in (*blocks, *commands)]


def query_seconds(workspace: Workspace, warehouse: Path, queries: list[str]) -> dict[str, list[float]]:
    """Seconds of each query, rows and all, on one read-only connection; the first time is among them."""
    seconds: dict[str, list[float]] = {}
    with open_published(warehouse, workspace.settings.warehouse, workspace.spill_folder) as connection:
        for _ in range(TIMES_PER_QUERY):
            for sql in queries:
                started = perf_counter()
                connection.execute(sql).fetchall()
                seconds.setdefault(sql, []).append(perf_counter() - started)
    return seconds


def _judged(name: str, value: float | None, unit: str, target: Target, detail: dict) -> Result:
    return Result(name, value, unit, str(target), target.holds(value), detail)
