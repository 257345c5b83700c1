"""The step `report`: the page and the lists, from the candidate tables."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pipeline.display import StepDisplay
from pipeline.release import candidate_folder

if TYPE_CHECKING:
    from pipeline.review import Review


def report_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Write page and lists into the candidate folder."""
    from report.lists import list_csv, split_by_team
    from report.page import ReviewHeader, ReviewTables, render_page

    warehouse, settings = review.warehouse, review.settings
    newest = warehouse.value("select newest_review_week from ops.run_parameters")
    display.update("drawing the page")
    tables = ReviewTables(
        customers=warehouse.frame("select * from marts.customers order by customer_id"),
        customer_weeks=warehouse.frame(
            "select * from marts.customer_weeks where review_week >= $week::date - 7 order by all",
            {"week": newest},
        ),
        newcomer_weeks=warehouse.frame(
            """
            select customer_id, review_week, active_days_28d
            from marts.customer_weeks
            where customer_id in (
                select customer_id from marts.customers
                where first_seen_date >= (select min(review_week) from marts.customer_weeks)
            )
            order by all
            """
        ),
        segments_weekly=warehouse.frame("select * from marts.segments_weekly order by all"),
        metrics_daily=warehouse.frame("select * from marts.metrics_daily order by activity_date"),
        metrics_weekly=warehouse.frame("select * from marts.metrics_weekly order by review_week"),
        interventions=warehouse.frame("select * from marts.interventions order by owner_team, rank"),
        quality_checks=warehouse.frame(
            """
            select * from ops.quality_checks where run_id = ? order by all
            """,
            [review.run_id],
        ),
        model_metrics=warehouse.frame(
            """
            select * from ops.model_metrics
            where run_id = (
                select run_id from ops.models where review_week = $week order by run_id desc limit 1
            )
            order by all
            """,
            {"week": newest},
        ),
        loads=warehouse.frame("select * from ops.loads order by load_id"),
        late_events_daily=warehouse.frame("select * from ops.late_events_daily order by all"),
        health_contributions=warehouse.frame(
            "select * from scores.health_contributions where review_week = ? order by all", [newest]
        ),
    )
    header = ReviewHeader(
        title=settings.title,
        data_notice=settings.data_notice,
        currency=settings.currency,
        review_week=newest,
        time_zone=settings.time_zone,
        customer_kind=settings.customer,
        run_id=review.run_id,
    )
    page = render_page(header, tables)
    folder = candidate_folder(review.workspace)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "report").mkdir(parents=True)
    (folder / "lists").mkdir()
    (folder / "report" / "index.html").write_text(page, encoding="utf-8")
    teams = split_by_team(tables.interventions)
    for team, rows in teams.items():
        (folder / "lists" / f"{team}.csv").write_text(list_csv(rows), encoding="utf-8", newline="")
    display.summary = f"page of {len(page) / 1e6:.1f} MB, {len(teams)} lists"
    return {"page_bytes": len(page), "lists": len(teams)}
