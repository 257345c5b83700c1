"""Feed hostile files to load and to the readers of settings, in a process that may die of them.

`python -m tests.hostile.feed_hostile_files FOLDER FIRST LAST`: the cases of these numbers, of every kind.
Each case begins with a line on the standard output, and what is wrong with it is told in one more: a process
that is killed by a case shows which. The last line tells the most memory that the process needed.
"""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from pipeline.catalogue import read_events_of, read_playbook
from pipeline.errors import LONGEST_MESSAGE, VitalsError
from pipeline.workspace import WORKSPACES_FOLDER, Workspace
from tests.hostile.hostile_files import KINDS, KINDS_OF_LANDING, HostileFile, hostile_file, write_case
from tests.pipeline.loading import CSV_SOURCE, Shop, call, json_lines, open_shop

SECONDS_AT_MOST = 10.0
# Stands where a longer message was cut.
CUT = " … "


def feed(folder: Path, first: int, last: int) -> None:
    """Feed the cases and tell of them."""
    with (
        open_shop(folder / "demo") as demo,
        open_shop(folder / "shop", sources=CSV_SOURCE) as shop,
    ):
        for number in range(first, last):
            for kind in KINDS:
                print(f"case {kind} {number}", flush=True)
                case = hostile_file(kind, number)
                started = time.perf_counter()
                for wrong in _wrong_with(case, demo if kind == "jsonl" else shop, folder):
                    print(f"wrong {kind} {number}: {wrong}", flush=True)
                seconds = time.perf_counter() - started
                if seconds > SECONDS_AT_MOST:
                    print(f"wrong {kind} {number}: it took {seconds:.1f} s", flush=True)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}", flush=True)


def _wrong_with(case: HostileFile, shop: Shop, folder: Path) -> Iterator[str]:
    try:
        if case.kind in KINDS_OF_LANDING:
            yield from _wrong_with_load(case, shop)
        else:
            _read(case, folder / "settings")
    except VitalsError as error:
        yield from _wrong_with_message(str(error))
    except Exception:
        yield "a traceback: " + " | ".join(traceback.format_exc().splitlines()[-7:])
    if list(folder.rglob("hostile_was_here")) or Path("hostile_was_here").exists():
        yield "a shell has run"
    if list(folder.rglob("escaped.txt")):
        yield "an archive wrote beside itself"


def _wrong_with_load(case: HostileFile, shop: Shop) -> Iterator[str]:
    """The hostile file comes with a good one; where it is refused, the good one loads without it."""
    good = f"good-{case.kind}-{case.number}"
    path = write_case(case, shop.landing)
    if case.kind == "jsonl":
        beside = shop.put(f"{good}.jsonl", json_lines([call(1, messageId=good)]))
    else:
        beside = shop.put(f"{good}.csv", f"id,customer,at,amount\n{good},c,2025-03-04 10:00:00,1\n")
    expected = {good}
    try:
        shop.load()
        expected |= case.good_ids
    except VitalsError as error:
        yield from _wrong_with_message(str(error))
        path.unlink()
        shop.load()
    finally:
        path.unlink(missing_ok=True)
        beside.unlink()
    found = {event_id for (event_id,) in shop.rows("select event_id from raw.events")}
    if not expected <= found:
        yield f"lost {sorted(expected - found)[:3]}"
    shop.warehouse.run("delete from raw.events")
    shop.warehouse.run("delete from raw.rejected_events")
    shop.warehouse.run("delete from raw.loads")


def _read(case: HostileFile, folder: Path) -> None:
    for name in ("review.toml", "events.csv", "playbook.csv"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((WORKSPACES_FOLDER / "demo" / name).read_bytes())
    write_case(case, folder)
    workspace = Workspace(folder=folder, data=folder / "data")
    read_events_of(workspace)
    read_playbook(workspace.playbook_file)
    _ = workspace.spill_folder


def _wrong_with_message(said: str) -> Iterator[str]:
    if "Traceback" in said or len(said) > LONGEST_MESSAGE + len(CUT) or not said.strip():
        yield f"no sentence: {said[:300]!r}"


if __name__ == "__main__":
    feed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
