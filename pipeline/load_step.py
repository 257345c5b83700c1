"""The step `load`: landing → raw, and the promises about what came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.display import StepDisplay
from pipeline.errors import BrokenPromiseError, VitalsError
from pipeline.load import load_landing, undo_loads
from pipeline.load.storing import LEDGER_COUNTS
from pipeline.quality import check_promises
from pipeline.warehouse import Warehouse

if TYPE_CHECKING:
    from pipeline.review import Review


def load_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Load new files. Where what they brought breaks a promise, none of it stays in raw.

    Files that an earlier run loaded, and did not come to check because it was killed or met a file that it
    could not read, are checked as new ones are.
    """
    warehouse = review.warehouse
    if held := _files_held_out(review):
        display.summary = held
        # Nothing was looked at, so nothing counts as checked.
        return dict.fromkeys((*LEDGER_COUNTS, "rows", "files_loaded", "files_known", "checks"), 0) | {
            "files_checked": None
        }
    _forget_if_loaded_otherwise(review, display)
    checked_through = _checked_through(warehouse)
    report = load_landing(warehouse, review.workspace, display.update)
    for notice in report.notices:
        display.notice(notice)
    load_ids = _loads_after(warehouse, checked_through)
    if len(load_ids) > len(report.load_ids):
        display.notice(
            f"{len(load_ids) - len(report.load_ids):,} files that an earlier run loaded and did not come to "
            "check are checked now."
        )
    checks = 0
    if load_ids:
        from expectations import raw as promises

        try:
            checks = check_promises(
                warehouse,
                display,
                promises.all_tables(
                    load_ids, customer=review.settings.customer, currency=review.settings.currency
                ),
                border="raw",
                run_id=review.run_id,
                review_week=None,
            )
        except BrokenPromiseError as error:
            reasons = _commonest_reasons(warehouse, load_ids)
            undo_loads(warehouse, load_ids)
            raise BrokenPromiseError(
                f"{error}{reasons} Nothing of the {len(load_ids)} new files was kept: mend or "
                "remove them and run `vitals load` again."
            ) from None
    display.summary = (
        f"{report.files_loaded:,} new files, {report.rows_read:,} rows: {report.events_loaded:,} events, "
        f"{report.rows_duplicate:,} duplicates, {report.rows_rejected:,} rejected, "
        f"{report.events_late:,} late"
        if report.files_loaded
        else f"nothing new ({report.files_skipped:,} files known)"
    )
    return {
        "rows": report.events_loaded,
        "files_loaded": report.files_loaded,
        "files_checked": len(load_ids),
        "files_known": report.files_skipped,
        "rows_read": report.rows_read,
        "rows_duplicate": report.rows_duplicate,
        "rows_rejected": report.rows_rejected,
        "rows_grouped": report.rows_grouped,
        "events_loaded": report.events_loaded,
        "events_late": report.events_late,
        "checks": checks,
        "ledger": _ledger_totals(warehouse),
    }


def note_loads_checked(warehouse: Warehouse) -> None:
    """All that is in raw now has kept its promises."""
    warehouse.run("delete from ops.checked_loads")
    warehouse.run("insert into ops.checked_loads select coalesce(max(load_id), 0) from raw.loads")


def _checked_through(warehouse: Warehouse) -> int:
    """The last load that was checked: noted before anything is loaded, so that a kill cannot hide a load."""
    if warehouse.value("select count(*) from ops.checked_loads") == 0:
        if warehouse.has_table("raw.loads"):
            note_loads_checked(warehouse)
        else:
            warehouse.run("insert into ops.checked_loads values (0)")
    return warehouse.value("select through_load_id from ops.checked_loads")


def _loads_after(warehouse: Warehouse, load_id: int) -> tuple[int, ...]:
    rows = warehouse.rows("select load_id from raw.loads where load_id > ? order by load_id", [load_id])
    return tuple(each for (each,) in rows)


def _ledger_totals(warehouse: Warehouse) -> dict[str, int]:
    """All that is in raw now, by whichever run it came: the run log is read where the database is not."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in LEDGER_COUNTS)
    ((files, *totals),) = warehouse.rows(f"select count(*), {sums} from raw.loads")
    return {"files_loaded": files, **dict(zip(LEDGER_COUNTS, totals, strict=True))}


def _files_held_out(review: Review) -> str:
    """Why nothing may be loaded now, in a sentence; empty where files may be loaded."""
    other = review.other_review_under_way()
    if other is None:
        return ""
    return (
        f"nothing is loaded now: {other.in_words()} and reads the first {other.through_load_id:,} files; "
        "`vitals load` loads what landed since once it is published."
    )


def _commonest_reasons(warehouse: Warehouse, load_ids: tuple[int, ...]) -> str:
    """Why rows were rejected, before they are taken back; empty where none was."""
    rows = warehouse.rows(
        """
        select
            reason, count(*) as rows,
            arg_min(file_name || ', line ' || line_number, line_number) as example
        from raw.rejected_events where list_contains(?, load_id)
        group by reason order by rows desc, reason limit 3
        """,
        [list(load_ids)],
    )
    if not rows:
        return ""
    named = "; ".join(f"{reason} ({count:,} rows, such as {example})" for reason, count, example in rows)
    return f" Rejected rows: {named}."


def _forget_if_loaded_otherwise(review: Review, display: StepDisplay) -> None:
    """Where sources or lateness changed in review.toml, raw is read anew from landing."""
    warehouse = review.warehouse
    wanted = review.settings.load_hash()
    known = warehouse.value("select settings_hash from ops.built_with where part = 'raw'")
    if known == wanted:
        return
    if known is not None and warehouse.has_table("raw.loads"):
        names = [name for (name,) in warehouse.rows("select file_name from raw.loads order by file_name")]
        gone = [name for name in names if not (review.workspace.landing / name).is_file()]
        if gone:
            raise VitalsError(
                f"review.toml changed in how files are read, so all of them have to be read again, but "
                f"{len(gone)} of {len(names)} loaded files are no longer in {review.workspace.landing} "
                f"({gone[0]}, for one). Put them back, or undo the change of [[sources]] and [loading]."
            )
        display.notice(
            f"review.toml changed in how files are read: raw is built anew from {len(names)} files."
        )
        with warehouse.transaction():
            warehouse.run("drop schema raw cascade")
            warehouse.run("create schema raw")
            warehouse.run("delete from ops.built_with")
            warehouse.run("delete from ops.built_weeks")
            warehouse.run("delete from ops.checked_loads")
    warehouse.run("delete from ops.built_with where part = 'raw'")
    warehouse.run("insert into ops.built_with values ('raw', ?)", [wanted])
