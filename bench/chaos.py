"""Kill the review, starve it, damage what it reads, and see whether it recovers: `make chaos`.

Every kill is followed by a run, and that run's tables and release are compared with those of a run that
nothing disturbed; meanwhile readers query what is published. Controls plant a fault and see whether it is
found. The figures go to bench/results/chaos.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import chaos_faults
from bench.chaos_kills import Killed, kill_runs, planned_kills
from bench.chaos_readers import Readers, Seen
from bench.chaos_worlds import MONDAY, SmallWorld
from bench.record import RESULTS_FOLDER, Result, Target, merge_results, number_text, table_text

NONE = Target(lowest=0, highest=0)
SOME = Target(lowest=1)
# Two runs at once use two cores, and waits of one are time of the other.
WORLDS = 2
FAULTS = {
    "limited_file_size": chaos_faults.limited_file_size,
    "limited_memory": chaos_faults.limited_memory,
    "truncated_inputs": chaos_faults.truncated_inputs,
    "corrupt_inputs": chaos_faults.corrupt_inputs,
    "damaged_build": chaos_faults.damaged_build,
    "rights_taken_away": chaos_faults.rights_taken_away,
    "two_reviews_at_once": chaos_faults.two_reviews_at_once,
    "jumping_clock": chaos_faults.jumping_clock,
}
NOT_FOR_ROOT = ("rights_taken_away",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 all targets hold, 1 one does not."""
    asked = command_line().parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vitals-chaos-") as folder:
        worlds = make_worlds(Path(folder), asked.worlds)
        steps = {step: round(seconds, 1) for step, seconds in worlds[0].undisturbed[MONDAY].steps.items()}
        _tell(began, f"{len(worlds)} worlds made and run undisturbed: {steps}")
        results = measure_controls(worlds[0], asked.readers)
        _tell(began, "controls done")
        results += measure_publications(worlds[0], asked.publishes, asked.queries, asked.readers)
        _tell(began, f"{asked.publishes} publications among readers done")
        for name in asked.faults:
            results.append(measure_fault(name, worlds[0]))
            _tell(began, f"{name}: {results[-1].detail.get('problems') or 'nothing amiss'}")
        if asked.kills:
            results += measure_kills(worlds, asked.kills, asked.readers, asked.seed, began)
    results.append(
        Result(
            "chaos_minutes", (time.monotonic() - began) / 60, "minutes", "≤ 40", None, {"kills": asked.kills}
        )
    )
    merge_results(asked.results, results)
    rows = [
        [result.name, number_text(result.value), result.unit, result.target or "–", number_text(result.holds)]
        for result in results
    ]
    print(table_text(["measured", "value", "unit", "target", "holds"], rows))
    print(f"written: {asked.results}")
    return int(any(result.holds is False for result in results))


def command_line() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="runs that are killed")
    parser.add_argument("--publishes", type=int, default=50, help="publications among readers")
    parser.add_argument("--queries", type=int, default=500, help="queries of each reader meanwhile, at least")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="runs at once")
    parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS), metavar="FAULT")
    parser.add_argument("--seed", type=int, default=7, help="the same seed kills at the same moments")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER / "chaos.json")
    return parser


def make_worlds(folder: Path, count: int) -> list[SmallWorld]:
    """So many worlds, made at once. Raises RuntimeError where an undisturbed run fails."""
    with ThreadPoolExecutor(count) as makers:
        return list(makers.map(SmallWorld.make, [folder / f"world{number}" for number in range(count)]))


def measure_kills(
    worlds: Sequence[SmallWorld], count: int, readers: int, seed: int, began: float
) -> list[Result]:
    """Kill runs while readers query all worlds."""
    whole = set().union(*(world.whole_releases for world in worlds))
    watching = Readers(readers, [world.workspace.current_release for world in worlds], whole)
    watching.start()

    def tell(number: int, killed: Killed) -> None:
        amiss = killed.failure or (killed.lost or killed.doubled or not killed.release_is_equal)
        if amiss or number % 10 == 0:
            _tell(began, f"{number} of {count} kills{f': {killed}' if amiss else ''}")

    try:
        killed = kill_runs(worlds, planned_kills(count, seed), tell)
    finally:
        seen = watching.stop()
    return results_of_kills(killed, seen)


def results_of_kills(killed: Sequence[Killed], seen: Seen) -> list[Result]:
    """What kills and the readers among them come to."""
    logs = [each.log_bytes for each in killed]
    detail = {
        "kills_by_step": dict(sorted(Counter(each.during for each in killed).items())),
        "starts": dict(Counter(each.planned.start for each in killed)),
        "kills_with_a_write_ahead_log": sum(each > 0 for each in logs),
        "largest_write_ahead_log_bytes": max(logs),
        "median_seconds_to_kill_and_run_again": statistics.median(each.seconds for each in killed),
    }
    amiss = [str(each) for each in killed if each.lost or each.doubled or not each.release_is_equal]
    unlike = sum(not each.release_is_equal for each in killed)
    return [
        Result("kills", len(killed), "kills", detail=detail),
        _judged(
            "rows_lost", sum(sum(each.lost.values()) for each in killed), "rows", NONE, {"amiss": amiss[:5]}
        ),
        _judged("rows_doubled", sum(sum(each.doubled.values()) for each in killed), "rows", NONE),
        _judged("releases_that_differ", unlike, "runs", NONE),
        _judged(
            "runs_after_a_kill_that_failed",
            sum(bool(each.failure) for each in killed),
            "runs",
            NONE,
            {"failures": [each.failure for each in killed if each.failure][:5]},
        ),
        Result("builds_that_had_to_be_rebuilt", sum(each.rebuilt for each in killed), "builds"),
        _judged("torn_reads_among_kills", seen.torn, "reads", NONE, _of_readers(seen)),
        _judged("reader_errors_among_kills", seen.errors, "errors", NONE),
    ]


def measure_publications(world: SmallWorld, publishes: int, queries: int, readers: int) -> list[Result]:
    """Publish so often, and on until every reader has asked often enough; two contents in turn."""
    watching = Readers(readers, [world.workspace.current_release], world.whole_releases)
    world.put_back(MONDAY)
    world.run_to_the_end()
    watching.start()
    failed, published = [], 0
    while published < publishes or not watching.have_asked(queries):
        code, said = world.run("publish")
        published += 1
        if code != 0:
            failed.append(said.strip()[-300:])
        # The other content: what was published the week before.
        world.show_base_release()
    seen = watching.stop()
    detail = _of_readers(seen) | {"readers": readers}
    return [
        _judged("publishes_among_readers", published, "publishes", Target(lowest=publishes)),
        _judged("publishes_that_failed", len(failed), "publishes", NONE, {"failures": failed[:3]}),
        _judged("fewest_queries_of_a_reader", seen.fewest_queries, "queries", Target(lowest=queries), detail),
        _judged("torn_reads_among_publishes", seen.torn, "reads", NONE),
        _judged("reader_errors_among_publishes", seen.errors, "errors", NONE),
    ]


def measure_fault(name: str, world: SmallWorld) -> Result:
    """One other fault: how many things went wrong; no value where it cannot be tried."""
    if name in NOT_FOR_ROOT and os.geteuid() == 0:
        return Result(name, None, "problems", str(NONE), None, {"skipped": "root may write everywhere"})
    problems = FAULTS[name](world)
    return _judged(name, len(problems), "problems", NONE, {"problems": problems})


def measure_controls(world: SmallWorld, readers: int) -> list[Result]:
    """Planted faults: a harness that does not find them proves nothing."""
    planted = chaos_faults.planted_rows_are_found(world)
    torn = chaos_faults.torn_publications_are_seen(world, readers)
    return [
        _judged("control_planted_row_lost", planted["lost"], "rows", SOME),
        _judged("control_planted_row_doubled", planted["doubled"], "rows", SOME),
        _judged("control_torn_publications_seen", torn, "reads", SOME),
    ]


def _of_readers(seen: Seen) -> dict:
    return {"queries": seen.queries, "releases_seen": len(seen.releases), "example": seen.example}


def _judged(name: str, value: float, unit: str, target: Target, detail: dict | None = None) -> Result:
    return Result(name, value, unit, str(target), target.holds(value), detail or {})


def _tell(began: float, text: str) -> None:
    print(f"{(time.monotonic() - began) / 60:5.1f} min  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
