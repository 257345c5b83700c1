"""The step `report`: the page and the lists, from the candidate tables."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pipeline.display import StepDisplay
from pipeline.release import candidate_folder

if TYPE_CHECKING:
    from pipeline.review import Review

# Of the newcomers' weeks the page counts the active ones at whole periods after the first; one more row of
# each week, active or not, says that the week is on record.
NEWCOMER_WEEKS = """
    with newcomer_weeks as (
        select
            customer_id, review_week, active_days_28d,
            (review_week - date_trunc('week', first_seen_date)::date) // 7 as age_weeks
        from marts.customer_weeks
        inner join (select customer_id, first_seen_date from marts.customers) using (customer_id)
        where first_seen_date >= (select min(review_week) from marts.customer_weeks)
    )
    select customer_id, review_week, active_days_28d from newcomer_weeks
    where active_days_28d > 0 and age_weeks % $period_weeks = 0
    union all
    select min(customer_id), review_week, min(active_days_28d) * 0 from newcomer_weeks group by review_week
    order by all
"""


def report_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Write page and lists into the candidate folder."""
    from report.cohorts import PERIOD_WEEKS
    from report.lists import list_csv, split_by_team
    from report.page import ReviewHeader, ReviewTables, render_page
    from report.tables import CUSTOMER_COLUMNS, CUSTOMER_WEEK_COLUMNS

    warehouse, settings = review.warehouse, review.settings
    newest = warehouse.value("select newest_review_week from ops.run_parameters")
    display.update("drawing the page")
    tables = ReviewTables(
        customers=warehouse.frame(
            f"select {', '.join(CUSTOMER_COLUMNS)} from marts.customers order by customer_id"
        ),
        customer_weeks=warehouse.frame(
            f"""
            select {", ".join(CUSTOMER_WEEK_COLUMNS)} from marts.customer_weeks
            where review_week >= $week::date - 7 order by customer_id, review_week
            """,
            {"week": newest},
        ),
        newcomer_weeks=warehouse.frame(NEWCOMER_WEEKS, {"period_weeks": PERIOD_WEEKS}),
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
            """
            select customer_id, review_week, component, weight, component_score, contribution
            from scores.health_contributions
            where review_week = ? and component_score is not null
            order by all
            """,
            [newest],
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
    listed = sum(len(rows) for rows in teams.values())
    return {"rows": listed, "page_bytes": len(page), "lists": len(teams)}
