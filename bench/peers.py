"""The work of the peers, done by `vitals load` and `vitals features` and by what one would write instead.

The peers read one Parquet file of events with five columns, deduplicate, cut sessions at gaps of 30 minutes,
sum to customer-days, and those to four windows of one week, all in memory. Ours does that work on its way to
much more, so of `features` only the models count that this work needs.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from bench.arithmetic import without_start_up
from bench.record import PROJECT_FOLDER, Result, Target
from bench.watched import MeasuredCommandError, Watched, watch
from bench.workspaces import ENGINE, MEMORY_SETTING, Ran, counted, demo_workspace, run_vitals
from pipeline.dbt import DbtProject
from pipeline.workspace import Workspace

PEERS_VARIABLE = "VITALS_PEERS"
PEERS = {"pandas": "pandas_features.py", "polars": "polars_features.py"}
SHARE_OF_TIME = {"pandas": Target(highest=0.5), "polars": Target(highest=0.6)}
LESS_MEMORY = Target(highest=1.0)
EQUAL = Target(0, 0)
TINY_EVENTS = 1_000
# "pandas: 14.60 s, peak 2.10 GB, 123 sessions, 456 customer-days"
PEER_LINE = re.compile(
    r"^\w+: (?P<seconds>[\d.]+) s, peak [\d.]+ GB, (?P<sessions>\d+) sessions, (?P<days>\d+) customer-days$",
    re.MULTILINE,
)
FLOOR_LINE = re.compile(r"^one pass: (?P<seconds>[\d.]+) s$", re.MULTILINE)

# What the peers' work is made of. The models that these read, as far back as raw, count too, whatever else
# they may be good for; what none of them reads (tickets, plans, labels, the feature row …) does not.
MODELS_OF_ALL_DAYS = {
    "sessions": "a row per session, as the peers' first grouping",
    "customer_days": "a row per customer and day, as their second",
}
MODELS_OF_A_WEEK = {
    "int_usage_summed_to_weeks": "events and active days of the windows of one week",
    "int_transactions_summed_to_weeks": "revenue of the windows of one week",
}
_ALL_EVENTS = """
    select event_id, user_id, event_name, occurred_at, cast(revenue as double) as revenue
    from read_parquet('{}/*.parquet')
"""
SOURCE_OF_WEEKS = "source.vitals.ops.weeks_to_build"


@dataclass(frozen=True)
class PeerRun:
    """What a peer printed, and the memory of its process as the kernel counted it."""

    seconds: float
    peak_gigabytes: float
    sessions: int
    customer_days: int


def peers_folder() -> Path:
    """Where the peers' scripts are: beside the checkout, unless the environment says where."""
    given = os.environ.get(PEERS_VARIABLE)
    return Path(given) if given else PROJECT_FOLDER.parent / "shared" / "peers"


def measure_peers(landing: Path, folder: Path, week: date) -> list[Result]:
    """Time the work of one week on the same events, ours first; `landing` holds the simulated Parquet."""
    folder.mkdir(parents=True)
    events, tiny = folder / "all" / "events.parquet", folder / "tiny" / "events.parquet"
    for path in (events, tiny):
        path.parent.mkdir()
    rows = write_events(landing, events, None)
    write_events(landing, tiny, TINY_EVENTS)
    as_of = week + timedelta(days=7)

    start_up = _our_work(tiny, folder / "start_up", week)
    ours = _our_work(events, folder / "ours", week)
    net = without_start_up(ours.seconds, start_up.seconds)
    our_seconds = sum(net.values())
    detail = {
        "rows": rows,
        "seconds": our_seconds,
        "peak_gigabytes": ours.peak_gigabytes,
        "sessions": ours.sessions,
        "customer_days": ours.customer_days,
        "start_up_seconds": sum(ours.seconds.values()) - our_seconds,
        "seconds_by_part": _largest_first(net),
        "seconds_of_data_tests_not_counted": ours.data_test_seconds,
    }
    return [result for peer in PEERS for result in _beside(peer, events, as_of, ours, our_seconds, detail)]


def floor_seconds(landing: Path, folder: Path) -> float | None:
    """Seconds of one grouping pass over the events, the least of three; None where the script is missing."""
    script = peers_folder() / "one_pass.py"
    if not script.is_file():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    events = folder / "one_pass.parquet"
    with duckdb.connect(config=ENGINE) as connection:
        connection.execute(
            f"copy ({_ALL_EVENTS.format(landing)}) to '{events}' (format parquet, compression zstd)"
        )
    said = (watch([sys.executable, str(script), str(events)]).said for _ in range(3))
    return min(float(FLOOR_LINE.search(each)["seconds"]) for each in said)


def write_events(landing: Path, path: Path, most: int | None) -> int:
    """Write the peers' five columns of the simulated events into one Parquet file; how many rows.

    Only events of users: the peers know no other ids. What has no name (identify, group) or no readable time
    is no row of theirs. Delivered twice stays twice. `most`: only so many rows, of whole users.
    """
    some = "" if most is None else f"where rows_before < {most}"
    with duckdb.connect(config=ENGINE) as connection:
        connection.execute(
            f"""
            copy (
                with events as (
                    {_ALL_EVENTS.format(landing)}
                    where user_id is not null and event_name is not null and occurred_at is not null
                ),
                users as (
                    select user_id, sum(count(*)) over (order by user_id) - count(*) as rows_before
                    from events group by user_id
                )
                select events.* from events semi join (from users {some}) as chosen using (user_id)
            ) to '{path}' (format parquet, compression zstd)
            """
        )
        return connection.execute(f"select count(*) from read_parquet('{path}')").fetchone()[0]


def read_peer(peer: str, watched: Watched) -> PeerRun:
    """What a peer printed. Raises MeasuredCommandError where it is not what its README says."""
    line = PEER_LINE.search(watched.said)
    if line is None:
        raise MeasuredCommandError(f"{peer} printed no figures: {watched.said.strip()[:200]}")
    return PeerRun(float(line["seconds"]), watched.peak_gigabytes, int(line["sessions"]), int(line["days"]))


def nodes_behind(manifest: Mapping[str, dict], models: Mapping[str, str]) -> set[str]:
    """The names of some models and of all that they read, directly or not. KeyError for an unknown one."""
    parents = manifest["parent_map"]
    waiting, found = [f"model.vitals.{name}" for name in models], set()
    while waiting:
        node = waiting.pop()
        if node not in found and node.startswith("model."):
            found.add(node)
            waiting += parents[node]
    return {node.rpartition(".")[2] for node in found}


def nodes_of_weeks(manifest: Mapping[str, dict]) -> set[str]:
    """The names of all models that read, directly or not, which weeks a run builds."""
    children = manifest["child_map"]
    waiting, found = [SOURCE_OF_WEEKS], set()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += children[node]
    return {node.rpartition(".")[2] for node in found if node.startswith("model.")}


@dataclass(frozen=True)
class _OurWork:
    seconds: dict[str, float]
    peak_gigabytes: float
    sessions: int
    customer_days: int
    data_test_seconds: float


def _our_work(events: Path, folder: Path, week: date) -> _OurWork:
    """Load and features of a workspace that is made for these events.

    A first run builds the weeks of the history; a second one, with nothing new, the reviewed week alone. So
    the models of weeks count as in the second, all others as in the first.
    """
    workspace = _workspace_of_peers(events, folder)
    load = run_vitals(workspace, "load")
    whole = run_vitals(workspace, "features", f"--week={week}")
    one_week = run_vitals(workspace, "features", f"--week={week}")
    manifest = DbtProject(workspace).manifest()
    as_of = week + timedelta(days=7)
    return _OurWork(
        seconds={"load": load.steps["load"]} | _seconds_of_the_work(manifest, whole, one_week),
        peak_gigabytes=max(ran.watched.peak_gigabytes for ran in (load, whole, one_week)),
        sessions=counted(workspace, "select count(*) from intermediate.sessions"),
        customer_days=counted(
            workspace,
            f"""
            select count(*) from (
                select distinct customer_id, local_date from intermediate.customer_days
                where local_date < date '{as_of}'
            )
            """,
        ),
        data_test_seconds=whole.data_test_seconds,
    )


def _seconds_of_the_work(manifest: dict, whole: Ran, one_week: Ran) -> dict[str, float]:
    of_all_days = nodes_behind(manifest, MODELS_OF_ALL_DAYS)
    # What all days are made of counts as in the first run, also where a later run reads only the newest days.
    of_weeks = nodes_of_weeks(manifest) - of_all_days
    return {
        name: (one_week if name in of_weeks else whole).models[name]
        for name in sorted(of_all_days | nodes_behind(manifest, MODELS_OF_A_WEEK))
        if name in whole.models
    }


def _workspace_of_peers(events: Path, folder: Path) -> Workspace:
    """A workspace that does what the peers do: users are customers, all events activity, nothing left out."""
    workspace = demo_workspace(
        folder,
        {
            "exclusions.bot_activities_per_hour": "1_000_000",
            "exclusions.bot_seconds_between_activities": "0.0",
            "exclusions.test_email_domains": "[]",
            "identity.meaningless_ids": "[]",
            "loading.lateness_limit_days": "365",
            "churn.definition": '"inactivity"',
            "training.history_weeks": "8",
            # Less than either peer takes, with the rest of the process.
            MEMORY_SETTING: "2.0",
        },
    )
    path = workspace.folder / "review.toml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^customer = .*$", 'customer = "user"', text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^time_zone = .*$", 'time_zone = "UTC"', text, count=1, flags=re.MULTILINE)
    before, _, _ = text.partition("[[sources]]")
    _, loading, after = text.partition("[loading]")
    without_segments = re.sub(r"^\[\[segments\]\]$.*?(?=^\[(?!\[segments))", "", after, flags=re.M | re.S)
    path.write_text(before + _SOURCE + loading + without_segments, encoding="utf-8")
    for own in workspace.features_folder.iterdir():
        own.unlink()
    workspace.features_folder.rmdir()
    with duckdb.connect() as connection:
        names = connection.execute(
            f"select distinct event_name from read_parquet('{events}') order by event_name"
        ).fetchall()
    with workspace.events_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event_name", "category", "feature", "is_activity", "is_core", "activation_step"])
        writer.writerows([name, "usage", "", "true", "true", ""] for (name,) in names)
    workspace.landing.mkdir(parents=True)
    (workspace.landing / events.name).hardlink_to(events)
    return workspace


_SOURCE = """\
[[sources]]
name = "events"
patterns = ["*.parquet"]
format = "parquet"
time_zone = "UTC"
equal_rows_are_duplicates = true
unknown_columns = "error"

[sources.columns]
event_id = "event_id"
event_type = { value = "track" }
event_name = "event_name"
user_id = "user_id"
occurred_at = "occurred_at"
revenue = "revenue"

"""


def _beside(
    peer: str, events: Path, as_of: date, ours: _OurWork, our_seconds: float, detail: dict
) -> list[Result]:
    script = peers_folder() / PEERS[peer]
    if not script.is_file():
        why = f"NOT MEASURED: {script.name} is not there; set {PEERS_VARIABLE} to the folder of the peers"
        print(why, file=sys.stderr)
        theirs, both = None, {"not_measured": why}
    else:
        theirs = read_peer(peer, watch([sys.executable, str(script), str(events), str(as_of)]))
        both = {"ours": {name: detail[name] for name in asdict(theirs)}, peer: asdict(theirs)}
    values = (
        ("share_of_time_of", "share", SHARE_OF_TIME[peer], theirs and our_seconds / theirs.seconds),
        ("share_of_memory_of", "share", LESS_MEMORY, theirs and ours.peak_gigabytes / theirs.peak_gigabytes),
        ("sessions_more_than", "sessions", EQUAL, theirs and ours.sessions - theirs.sessions),
        (
            "customer_days_more_than",
            "customer-days",
            EQUAL,
            theirs and ours.customer_days - theirs.customer_days,
        ),
    )
    return [
        Result(
            f"peers_10m_{what}_{peer}",
            value,
            unit,
            str(target),
            target.holds(value),
            both | ({"ours": detail} if what == "share_of_time_of" else {}),
        )
        for what, unit, target, value in values
    ]


def _largest_first(seconds: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(seconds.items(), key=lambda part: -part[1]))
