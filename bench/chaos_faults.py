"""Other faults than kills: limits, damaged files, rights, two reviews at once, jumping clocks, planted ones.

Each answers with what went wrong in words, or with nothing. After each, the run that follows has to leave
what an undisturbed one leaves.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import struct
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from bench.chaos_comparison import difference
from bench.chaos_readers import Readers, signature_of
from bench.chaos_worlds import EMPTY, MONDAY, DisturbedWorld
from bench.forked import Before
from bench.workspaces import day_of

# The last is less than the page and the published warehouse take, so that it is met at the end of a run.
FILE_SIZES = (100_000, 1_000_000, 3_000_000)
# More than the process has when it is forked.
ADDRESS_SPACES = (150_000_000, 400_000_000)
SECONDS_OF_A_TORN_PUBLISHER = 4
# linux/capability.h
_CAPABILITY_VERSION, _DAC_OVERRIDE, _DAC_READ_SEARCH = 0x20080522, 1, 2

Fault = Callable[[DisturbedWorld], list[str]]


def limited_file_size(world: DisturbedWorld) -> list[str]:
    """A disk quota: no file may grow beyond some bytes."""
    return [
        problem
        for size in FILE_SIZES
        for problem in _ends_in_a_sentence(world, MONDAY, partial(_limit_file_size, size), f"{size:,} bytes")
    ]


def limited_memory(world: DisturbedWorld) -> list[str]:
    """An address space that the run outgrows. Libraries may die of it; nothing may be published or lost."""
    problems = []
    for size in ADDRESS_SPACES:
        world.put_back(MONDAY)
        code, said = world.run(before=partial(_limit_address_space, size))
        if code > 0 and "Traceback" in said:
            problems.append(f"{size:,} bytes: a traceback: {said.strip()[-300:]}")
        problems += _mends(world, MONDAY, f"after {size:,} bytes of memory", released=code == 0)
    return problems


def truncated_inputs(world: DisturbedWorld) -> list[str]:
    """The newest file of landing ends in its middle, as a copy that was interrupted."""
    return _damaged_landing(world, lambda content: content[: len(content) // 2], "cut in its middle")


def corrupt_inputs(world: DisturbedWorld) -> list[str]:
    """The newest file of landing has other bytes at its end, where Parquet keeps what the rest means."""
    return _damaged_landing(world, lambda content: content[:-64] + bytes(64), "overwritten at its end")


def damaged_build(world: DisturbedWorld) -> list[str]:
    """The build database is no database any more: the sentence says to move it away, and that helps."""
    problems = []
    for what, damage in (
        ("cut", lambda whole: whole[: len(whole) // 3]),
        ("zeroed", lambda whole: bytes(9999)),
    ):
        world.put_back(MONDAY)
        database = world.workspace.build_database
        database.write_bytes(damage(database.read_bytes()))
        code, said = world.run()
        if code != 1 or "Traceback" in said:
            problems.append(f"a {what} build: exit code {code}: {said.strip()[-300:]}")
        for path in database.parent.glob("build.duckdb*"):
            path.unlink()
        problems += _mends(world, EMPTY, f"after a {what} build")
    return problems


def rights_taken_away(world: DisturbedWorld) -> list[str]:
    """Folders that may not be written. Root gives up its right to write everywhere first."""
    problems = []
    for folder in (world.workspace.releases, world.workspace.build):
        world.put_back(MONDAY)
        mode = folder.stat().st_mode
        folder.chmod(0o500)
        try:
            code, said = world.run(before=_heed_rights)
        finally:
            folder.chmod(mode)
        # 2 where the settings name the folder.
        if code not in (1, 2) or "Traceback" in said:
            problems.append(f"{folder.name} without rights: exit code {code}: {said.strip()[-300:]}")
        problems += _mends(world, MONDAY, f"after {folder.name} without rights")
    return problems


def two_reviews_at_once(world: DisturbedWorld) -> list[str]:
    """The second one is refused with the first one's process, or comes after it; the tables stand once."""
    world.put_back(MONDAY)
    first = world.begin()
    world.wait_for_step(first, "load")
    second = world.begin("load")
    second.join()
    said = world.what_was_said()
    first.join()
    problems = []
    if first.exitcode != 0:
        problems.append(f"the first review ended with {first.exitcode}")
    if second.exitcode == 1 and f"process {first.pid}" not in said:
        problems.append(f"the second does not name the process {first.pid}: {said.strip()[-300:]}")
    if second.exitcode not in (0, 1):
        problems.append(f"the second review ended with {second.exitcode}")
    return problems + _differences(world, MONDAY, "after two reviews at once")


def jumping_clock(world: DisturbedWorld) -> list[str]:
    """The machine's clock goes back two years in the middle, and forward ten: tables do not know it."""
    problems = []
    for days in (-730, 3650):
        world.put_back(MONDAY)
        code, said = world.run(before=partial(_jump, days))
        if code != 0:
            problems.append(f"a jump of {days} days: exit code {code}: {said.strip()[-300:]}")
        else:
            problems += _differences(world, MONDAY, f"after a jump of {days} days")
        code, said = world.run("status")
        if code != 0:
            problems.append(f"status after a jump of {days} days: {said.strip()[-300:]}")
    return problems


def planted_rows_are_found(world: DisturbedWorld) -> dict[str, int]:
    """The control of the comparison: one row doubled and one lost in a build that was whole."""
    planted = world.kept / "planted.duckdb"
    shutil.copyfile(world.undisturbed[MONDAY].database, planted)
    with duckdb.connect(str(planted)) as connection:
        connection.execute(
            "insert into features.customer_weeks select * from features.customer_weeks using sample 1 rows"
        )
        connection.execute("delete from raw.events where event_id = (select min(event_id) from raw.events)")
    differs = difference(world.undisturbed[MONDAY].database, planted)
    return {"lost": sum(differs.lost.values()), "doubled": sum(differs.doubled.values())}


def torn_publications_are_seen(world: DisturbedWorld, readers: int) -> int:
    """The control of the readers: releases written over in place, where they read. How often they saw it."""
    world.put_back(MONDAY)
    served = world.kept / "torn"
    world.run_to_the_end()
    whole = [world.kept / "base_release", world.workspace.current_release.resolve()]
    shutil.copytree(whole[0], served)
    watching = Readers(readers, [served], world.whole_releases)
    watching.start()
    ends_at = time.monotonic() + SECONDS_OF_A_TORN_PUBLISHER
    number = 0
    while time.monotonic() < ends_at:
        number += 1
        source = whole[number % 2]
        shutil.copyfile(source / "warehouse.duckdb", served / "warehouse.duckdb")
        time.sleep(0.02)
        shutil.rmtree(served / "lists")
        shutil.copytree(source / "lists", served / "lists")
    seen = watching.stop()
    return seen.torn + seen.errors


def _ends_in_a_sentence(world: DisturbedWorld, start: str, before: Before, what: str) -> list[str]:
    """A run under a limit: exit code 1 and a sentence, the release as it was; without it, all is mended."""
    world.put_back(start)
    code, said = world.run(before=before)
    problems = []
    if code != 1 or "Traceback" in said:
        problems.append(f"{what}: exit code {code}: {said.strip()[-300:]}")
    return problems + _mends(world, start, f"after {what}", released=code == 0)


def _mends(world: DisturbedWorld, start: str, when: str, *, released: bool = False) -> list[str]:
    """Nothing was published; the next run leaves what an undisturbed one leaves."""
    problems = []
    if not released and signature_of(world.workspace.current_release.resolve()) != world.base_release:
        problems.append(f"{when} readers see another release")
    code, said = world.run()
    if code != 0:
        return [*problems, f"{when} the next run ends with {code}: {said.strip()[-300:]}"]
    return problems + _differences(world, start, when)


def _differences(world: DisturbedWorld, start: str, when: str) -> list[str]:
    differs, release_is_equal = world.compared(start)
    problems = [] if differs.is_none else [f"{when}: lost {differs.lost}, doubled {differs.doubled}"]
    return problems if release_is_equal else [*problems, f"{when} the release differs"]


def _damaged_landing(world: DisturbedWorld, damage: Callable[[bytes], bytes], what: str) -> list[str]:
    newest = max(world.workspace.landing.iterdir(), key=day_of)
    whole, times = newest.read_bytes(), newest.stat()
    world.put_back(MONDAY)
    try:
        newest.write_bytes(damage(whole))
        code, said = world.run()
    finally:
        newest.write_bytes(whole)
        os.utime(newest, ns=(times.st_atime_ns, times.st_mtime_ns))
    problems = []
    if code != 1 or "Traceback" in said or newest.name not in said:
        problems.append(f"a file {what}: exit code {code}: {said.strip()[-300:]}")
    return problems + _mends(world, MONDAY, f"after a file {what}")


def _limit_file_size(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _heed_rights() -> None:
    """Give up the two capabilities by which root passes over the rights of files (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    sets = ctypes.create_string_buffer(24)
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    # Effective, permitted and inheritable, of capabilities 0 to 31; then the same of the others.
    words = list(struct.unpack("6I", sets.raw))
    words[:3] = [word & ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH) for word in words[:3]]
    if libc.capset(header, struct.pack("6I", *words)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _limit_address_space(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    size = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _jump(days: int) -> None:
    """From the second look at the clock on, it shows another time."""
    looks = 0

    class JumpingClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            nonlocal looks
            looks += 1
            moment = datetime.now(tz)
            return moment if looks == 1 else moment + timedelta(days=days)

    from pipeline import release, review, runlog

    for module in (release, review, runlog):
        module.datetime = JumpingClock
