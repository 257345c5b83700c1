"""The step `marts`: dbt builds what people read; promises guard the border."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.catalogue import read_workspace_playbook, write_seeds
from pipeline.display import StepDisplay
from pipeline.quality import check_promises
from pipeline.release import PUBLISHED_MARTS

if TYPE_CHECKING:
    from pipeline.review import Review


def marts_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Build marts and ops for the newest reviewed week."""
    warehouse, settings = review.warehouse, review.settings
    newest = warehouse.value(
        "select greatest(coalesce(max(review_week), $week), $week) from ops.reviewed_weeks",
        {"week": review.review_week},
    )
    # Settings that only the marts read may have changed since the features were built.
    warehouse.run(
        """
        update ops.run_parameters set
            review_week = $week, newest_review_week = $newest, observed_until_date = $newest + 7,
            capacity_per_owner_team = $capacity, marts_history_weeks = $history
        """,
        {
            "week": review.review_week,
            "newest": newest,
            "capacity": settings.interventions.capacity_per_owner_team,
            "history": settings.marts.history_weeks,
        },
    )
    write_seeds(review.workspace, review.dbt.seeds)
    display.update("building what people read")
    review.dbt.seed()
    nodes = review.dbt.build("marts", "ops", own=("own_marts",) if review.extension.models else ())

    from expectations import marts as promises

    checks = check_promises(
        warehouse,
        display,
        promises.all_tables(
            newest,
            history_weeks=settings.marts.history_weeks,
            owner_teams={
                action["action_id"]: action["owner_team"]
                for action in read_workspace_playbook(review.workspace)
            },
            capacity_per_owner_team=settings.interventions.capacity_per_owner_team,
        ),
        border="marts",
        run_id=review.run_id,
        review_week=review.review_week,
    )
    listed = warehouse.value("select count(*) from marts.interventions")
    display.summary = f"{nodes} models and tests, {checks} checks; {listed:,} customers on lists"
    rows = sum(warehouse.value(f"select count(*) from marts.{table}") for table in PUBLISHED_MARTS)
    return {"rows": rows, "checks": checks, "interventions": listed, "newest_review_week": newest}
