"""Kill the review, starve it, damage what it reads, and see whether it recovers: `make chaos`.

Every kill is followed by a run, and that run's tables and release are compared with those of a run that
nothing disturbed; meanwhile readers query what is published. Controls plant a fault and see whether it is
found. The figures go to bench/results/chaos.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bench import chaos_faults
from bench.chaos_kills import (
    Killed,
    Planned,
    kill_runs,
    kills_by_quarter,
    planned_kills,
    planned_kills_of_steps,
)
from bench.chaos_readers import Readers, Seen
from bench.chaos_worlds import MONDAY, DisturbedWorld, demo, over_worlds, small
from bench.record import RESULTS_FOLDER, Result, Target, merge_results, number_text, table_text
from pipeline.review import STEPS

NONE = Target(lowest=0, highest=0)
SOME = Target(lowest=1)
# Two runs at once use two cores, and waits of one are time of the other.
WORLDS = 2
# What `make chaos` kills, and the time that it has; with fewer kills a quarter of a step may miss by chance.
KILLS = 200
MINUTES = Target(highest=40)
READERS_OF_DEMO = 2
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 all targets hold, 1 one does not."""
    asked = command_line().parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vitals-chaos-") as folder:
        worlds = make_worlds(Path(folder), asked.worlds)
        steps = {step: round(seconds, 1) for step, seconds in worlds[0].undisturbed[MONDAY].steps.items()}
        _tell(began, f"{len(worlds)} worlds made and run undisturbed: {steps}")
        # The demo from here on, beside all else: its runs take long, and the small worlds often wait.
        with ThreadPoolExecutor(1) as beside:
            of_demo = beside.submit(measure_demo, Path(folder), asked.demo_kills, asked.seed, began)
            results = measure_controls(worlds[0], asked.readers)
            _tell(began, "controls done")
            results += measure_publications(worlds[0], asked.publishes, asked.queries, asked.readers)
            _tell(began, f"{asked.publishes} publications among readers done")
            results += over_worlds(
                worlds, asked.faults, lambda world, name: measure_fault(name, world, began)
            )
            if asked.kills:
                results += measure_kills(worlds, asked.kills, asked.readers, asked.seed, began)
            results += of_demo.result()
    if asked.kills >= KILLS and set(asked.faults) == set(FAULTS):
        minutes = (time.monotonic() - began) / 60
        results.append(_judged("chaos_minutes", minutes, "minutes", MINUTES, {"kills": asked.kills}))
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
    parser.add_argument("--kills", type=int, default=KILLS, help="runs that are killed")
    parser.add_argument("--demo-kills", type=int, default=len(STEPS), help="runs of the demo that are killed")
    parser.add_argument("--publishes", type=int, default=50, help="publications among readers")
    parser.add_argument("--queries", type=int, default=500, help="queries of each reader meanwhile, at least")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="runs at once")
    parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS), metavar="FAULT")
    parser.add_argument("--seed", type=int, default=7, help="the same seed kills at the same moments")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER / "chaos.json")
    return parser


def make_worlds(folder: Path, count: int) -> list[DisturbedWorld]:
    """So many small worlds, made at once. Raises RuntimeError where an undisturbed run fails."""
    size = small()
    with ThreadPoolExecutor(count) as makers:
        made = [
            makers.submit(DisturbedWorld.make, folder / f"world{number}", size) for number in range(count)
        ]
        return [each.result() for each in made]


def measure_demo(folder: Path, count: int, seed: int, began: float) -> list[Result]:
    """A few kills of the demo as it is, from Monday on: nothing where none is asked for."""
    if not count:
        return []
    world = DisturbedWorld.make(folder / "demo", demo())
    steps = {step: round(seconds, 1) for step, seconds in world.undisturbed[MONDAY].steps.items()}
    _tell(began, f"the demo made and run undisturbed: {steps}")
    killed, seen = kill_among_readers(
        [world], planned_kills_of_steps(count, seed), READERS_OF_DEMO, began, "kills of the demo"
    )
    return results_of_kills(killed, seen, of="demo_")


def measure_kills(
    worlds: Sequence[DisturbedWorld], count: int, readers: int, seed: int, began: float
) -> list[Result]:
    """Kill runs of small worlds while readers query all of them."""
    killed, seen = kill_among_readers(worlds, planned_kills(count, seed), readers, began, "kills")
    return results_of_kills(killed, seen)


def kill_among_readers(
    worlds: Sequence[DisturbedWorld], planned: Sequence[Planned], readers: int, began: float, what: str
) -> tuple[list[Killed], Seen]:
    """Kill as planned; what came of it, and what readers saw meanwhile."""
    whole = set().union(*(world.whole_releases for world in worlds))
    watching = Readers(readers, [world.workspace.current_release for world in worlds], whole)
    watching.start()

    def tell(number: int, each: Killed) -> None:
        if each.is_amiss or number % 10 == 0:
            _tell(began, f"{number} of {len(planned)} {what}{f': {each}' if each.is_amiss else ''}")

    try:
        killed = kill_runs(worlds, planned, tell)
    finally:
        seen = watching.stop()
    return killed, seen


def results_of_kills(killed: Sequence[Killed], seen: Seen, of: str = "") -> list[Result]:
    """What kills and the readers among them come to."""
    logs = [each.log_bytes for each in killed]
    detail = {
        "kills_by_step": dict(sorted(Counter(each.during for each in killed).items())),
        "starts": dict(sorted(Counter(each.planned.start for each in killed).items())),
        "killed_once_more_while_opening": sum(each.again for each in killed),
        "kills_with_a_write_ahead_log": sum(each > 0 for each in logs),
        "largest_write_ahead_log_bytes": max(logs),
        "median_seconds_to_kill_and_run_again": statistics.median(each.seconds for each in killed),
    }
    amiss = [str(each) for each in killed if each.lost or each.doubled or not each.release_is_equal]
    lost, doubled = (
        sum(sum(rows.values()) for rows in sides)
        for sides in ((each.lost for each in killed), (each.doubled for each in killed))
    )
    failures = [each.failure for each in killed if each.failure]
    results = [
        Result("kills", len(killed), "kills", detail=detail),
        _judged("rows_lost", lost, "rows", NONE, {"amiss": amiss[:5]}),
        _judged("rows_doubled", doubled, "rows", NONE),
        _judged("releases_that_differ", sum(not each.release_is_equal for each in killed), "runs", NONE),
        _judged("runs_after_a_kill_that_failed", len(failures), "runs", NONE, {"failures": failures[:5]}),
        Result("builds_that_had_to_be_rebuilt", sum(each.rebuilt for each in killed), "builds"),
        _judged("torn_reads_among_kills", seen.torn, "reads", NONE, _of_readers(seen)),
        _judged("reader_errors_among_kills", seen.errors, "errors", NONE),
    ]
    if len(killed) >= KILLS:
        quarters = kills_by_quarter(killed)
        missed = sum(count == 0 for counts in quarters.values() for count in counts)
        results.append(_judged("quarters_of_steps_without_a_kill", missed, "quarters", NONE, quarters))
    return [replace(result, name=f"{of}{result.name}") for result in results]


def measure_publications(world: DisturbedWorld, publishes: int, queries: int, readers: int) -> list[Result]:
    """Publish so often while every reader asks as often as it has to, in step; two contents in turn."""
    watching = Readers(readers, [world.workspace.current_release], world.whole_releases)
    world.put_back(MONDAY)
    world.run_to_the_end()
    watching.start()
    failed = []
    for published in range(publishes):
        watching.wait_for(queries * published // publishes)
        # The other content, which is what was published the week before, until the next publication.
        world.show_base_release()
        code, said = world.run("publish")
        if code != 0:
            failed.append(said.strip()[-300:])
    watching.wait_for(queries)
    seen = watching.stop()
    detail = _of_readers(seen) | {"readers": readers}
    return [
        Result("publishes_among_readers", publishes, "publishes"),
        _judged("publishes_that_failed", len(failed), "publishes", NONE, {"failures": failed[:3]}),
        _judged("fewest_queries_of_a_reader", seen.fewest_queries, "queries", Target(lowest=queries), detail),
        _judged("torn_reads_among_publishes", seen.torn, "reads", NONE),
        _judged("reader_errors_among_publishes", seen.errors, "errors", NONE),
    ]


def measure_fault(name: str, world: DisturbedWorld, began: float) -> Result:
    """One other fault: how many things went wrong."""
    problems = FAULTS[name](world)
    _tell(began, f"{name}: {problems or 'nothing amiss'}")
    return _judged(name, len(problems), "problems", NONE, {"problems": problems})


def measure_controls(world: DisturbedWorld, readers: int) -> list[Result]:
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
