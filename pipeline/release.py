"""The step `publish`: audit the candidate, write the release beside the others, swap one link.

A release holds warehouse.duckdb (marts and ops), report/ and lists/, so that page, lists and tables always
belong together. Readers follow data/serving/current; nothing they can see is ever changed in place.
"""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.display import StepDisplay
from pipeline.errors import BrokenPromiseError, VitalsError
from pipeline.runlog import RUNS_COLUMNS, read_runs, runs_table
from pipeline.warehouse import PUBLISHED_STORAGE_VERSION, Warehouse
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.review import Review

RELEASES_KEPT = 5
SECONDS_TO_READ = 600
PUBLISHED_MARTS = (
    "customers",
    "customer_weeks",
    "segments_weekly",
    "metrics_daily",
    "metrics_weekly",
    "interventions",
)
# Where the workspace has columns of its own.
PUBLISHED_OWN_MARTS = ("own_features",)
# What the pipeline keeps for itself in ops (run_parameters, built_weeks …) is no reader's business.
PUBLISHED_OPS = (
    "loads",
    "rejected_events_daily",
    "late_events_daily",
    "event_counts_daily",
    "identity_exceptions",
    "rfm_cut_points",
    "quality_checks",
    "models",
    "model_metrics",
    "runs",
)
SCORES_KEPT = ("churn", "health", "health_contributions", "clusters")


def candidate_folder(workspace: Workspace) -> Path:
    """Where the report step leaves page and lists until they are published."""
    return workspace.build / "candidate"


def publish_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Publish the candidate. Raises before the swap where anything is amiss; the old release then stays."""
    workspace, warehouse = review.workspace, review.warehouse
    candidate = candidate_folder(workspace)
    if not (candidate / "report" / "index.html").is_file():
        raise VitalsError(f"{candidate} has no page. Run `vitals report` first.")
    _check_link(workspace.current_release)
    release = workspace.releases / _release_name(review)
    # Hidden until it is whole: a reader who lists the folder never sees a part.
    part = workspace.releases / f".{release.name}.part"
    written = [part]
    try:
        workspace.releases.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(workspace.releases)
        part.mkdir()
        display.update("copying the tables")
        rows = _copy_tables(review, part / "warehouse.duckdb")
        shutil.copytree(candidate / "report", part / "report")
        shutil.copytree(candidate / "lists", part / "lists")
        display.update("keeping what was said")
        said = workspace.history / release.name
        written.append(said)
        _keep_what_was_said(warehouse, said, review)
        _sync(part)
        written.append(release)
        part.rename(release)
        swap_link(workspace.current_release, release)
    except BaseException as error:
        # Where the link was swapped before, readers have it. Paths to it may lead through links of others.
        if workspace.current_release.resolve() != release.resolve():
            for folder in written:
                shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise VitalsError(
            f"the release could not be written: {error.strerror or error} ({error.filename}). "
            "The last release stands as it was. Make room or give the right to write there, then run "
            "`vitals publish`."
        ) from None
    review.log.write(
        "published",
        review_week=review.review_week,
        release=release.name,
        shown_week=warehouse.value("select newest_review_week from ops.run_parameters"),
    )
    warehouse.run(
        """
        insert into ops.reviewed_weeks
        select $week where $week not in (select review_week from ops.reviewed_weeks)
        """,
        {"week": review.review_week},
    )
    _remove_old(workspace.releases, release)
    megabytes = (release / "warehouse.duckdb").stat().st_size / 1e6
    display.summary = f"release {release.name}: {rows:,} rows, {megabytes:.1f} MB"
    return {"release": release.name, "rows": rows, "megabytes": round(megabytes, 3)}


def _check_link(link: Path) -> None:
    """Raises VitalsError where something stands in the place of the link that no link can replace."""
    if link.is_dir() and not link.is_symlink():
        raise VitalsError(
            f"{link} is a folder and has to be a link to a release; a backup that was restored with its "
            "links followed leaves one. Move it away, then run `vitals publish`."
        )


def _release_name(review: Review) -> str:
    """The run's id; numbered where it was used, as when a scheduler repeats the task of one run.

    A repeated publication is a new one: neither a release nor what was said with it is written over.
    """
    workspace, run_id = review.workspace, review.run_id
    used = {release for run in read_runs(workspace.run_log) for release in run.releases}
    names = chain([run_id], (f"{run_id}-{number}" for number in count(2)))
    return next(name for name in names if name not in used and not (workspace.releases / name).exists())


def _copy_tables(review: Review, path: Path) -> int:
    """Write the published warehouse and count it against the build; the number of rows."""
    warehouse = review.warehouse
    _write_runs(review)
    escaped = str(path).replace("'", "''")
    warehouse.run(f"attach '{escaped}' as release (storage_version '{PUBLISHED_STORAGE_VERSION}')")
    try:
        total = 0
        marts = PUBLISHED_MARTS + (PUBLISHED_OWN_MARTS if review.extension.models else ())
        for schema, tables in (("marts", marts), ("ops", PUBLISHED_OPS)):
            warehouse.run(f"create schema release.{schema}")
            for table in tables:
                warehouse.run(f"create table release.{schema}.{table} as select * from {schema}.{table}")
                written = warehouse.value(f"select count(*) from release.{schema}.{table}")
                built = warehouse.value(f"select count(*) from {schema}.{table}")
                if written != built:
                    raise BrokenPromiseError(
                        f"{schema}.{table} has {written:,} rows in the release and {built:,} in the build. "
                        "The last release stands as it was; run `vitals publish` again."
                    )
                total += written
        warehouse.run("checkpoint release")
    finally:
        warehouse.run("detach release")
    return total


def _write_runs(review: Review) -> None:
    """ops.runs: what the run log says of every run and step, the one that is under way among them."""
    runs = read_runs(review.workspace.run_log)
    for run in runs:
        if run.run_id == review.run_id:
            # Readers see this row only if the run ends well. What publishing still takes is not known yet.
            now = datetime.now(UTC)
            run.published, run.status, run.finished_at = True, "done", now
            run.done_by_step["publish"].end("done", now, review.footprint.measured().as_details())
    columns = ", ".join(f"{name}::{kind} as {name}" for name, kind in RUNS_COLUMNS.items())
    with review.warehouse.registered("runs_so_far", runs_table(runs)):
        review.warehouse.run(f"create or replace table ops.runs as select {columns} from runs_so_far")


def _keep_what_was_said(warehouse: Warehouse, folder: Path, review: Review) -> None:
    """Scores and lists as they are published: what outcomes are later held against."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for table in SCORES_KEPT:
        _write_parquet(
            warehouse,
            f"select * from scores.{table} where review_week = date '{review.review_week}' order by all",
            folder / f"{table}.parquet",
        )
    _write_parquet(
        warehouse, "select * from marts.interventions order by all", folder / "interventions.parquet"
    )
    _write_parquet(
        warehouse,
        f"""
        select metrics.* from ops.model_metrics as metrics
        semi join ops.models as models
            on metrics.run_id = models.run_id and models.review_week = date '{review.review_week}'
        order by all
        """,
        folder / "model_metrics.parquet",
    )


def _write_parquet(warehouse: Warehouse, query: str, path: Path) -> None:
    escaped = str(path).replace("'", "''")
    warehouse.run(f"copy ({query}) to '{escaped}' (format parquet, compression zstd)")


def swap_link(link: Path, release: Path) -> None:
    """Point the link at the release in one atomic step."""
    following = link.with_name(f".{link.name}.next")
    following.unlink(missing_ok=True)
    following.symlink_to(Path("releases") / release.name)
    following.replace(link)
    _sync_folder(link.parent)


def _sync(folder: Path) -> None:
    """Bring every file of a folder to disk, so that a power cut after the swap loses nothing."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(releases: Path) -> None:
    """Parts that a crash left behind."""
    for part in releases.glob(".*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _remove_old(releases: Path, newest: Path) -> None:
    """Keep the newest five, and any other until readers who found it current have had time to read it.

    Readers that hold an old file open keep it until they close it.
    """
    others = [path for path in releases.iterdir() if path.is_dir() and path != newest]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    # Each was current until the next newer one came.
    replaced_at = [newest.stat().st_mtime, *(path.stat().st_mtime for path in others)]
    for path, until in list(zip(others, replaced_at, strict=False))[RELEASES_KEPT - 1 :]:
        if time.time() - until > SECONDS_TO_READ:
            shutil.rmtree(path, ignore_errors=True)
