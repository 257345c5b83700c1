"""What events.csv does not list: NULL where nothing can be observed, named where something came anyway."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.catalogue import read_events_of
from pipeline.errors import SettingsError
from pipeline.workspace import WORKSPACES_FOLDER, Workspace
from tests.business import copy_workspace

HEADER = "event_name,category,feature,is_activity,is_core,activation_step\n"
# By kind: the columns that say something about it, whatever lies in the data.
COLUMNS = {
    "core events": (
        *(f"core_events_{days}d" for days in (7, 28, 90)),
        *(
            "days_since_last_core_event",
            "usage_change_28d",
            "usage_slope_8w",
            "usage_slope_12w",
            "usage_trend",
        ),
    ),
    "features": ("features_used_28d", "feature_adoption_share_28d"),
    "pages": ("pages_per_session_28d",),
    "orders": (
        *(f"orders_{window}" for window in ("28d", "90d", "365d", "ever")),
        *(f"revenue_{window}" for window in ("28d", "90d", "365d", "ever")),
        *("average_order_value_365d", "items_per_order_365d", "days_since_last_order"),
        *("days_between_orders_median", "order_regularity", "expected_next_order_date"),
        *("product_categories_365d", "top_category_365d", "category_concentration_365d"),
        *("discounted_order_share_365d", "discount_share_365d", "discount_response", "refund_share_365d"),
        *("payment_method_main", "payment_methods_365d", "rfm_recency_days", "rfm_frequency", "rfm_monetary"),
        *("rfm_r", "rfm_f", "rfm_m", "rfm_segment"),
    ),
    "messages": (
        *("messages_sent_28d", "messages_sent_90d", "email_open_share_90d", "email_click_share_90d"),
        *("response_hours_median_90d", "preferred_channel", "preferred_send_hour_local", "top_topic_90d"),
        *("offers_sent_90d", "offers_used_90d"),
    ),
    "consents": ("is_subscribed_email", "opt_outs_365d", "days_since_opt_out"),
    "tickets": ("tickets_28d", "tickets_90d", "open_tickets", "support_sentiment_90d"),
    "satisfaction": ("nps_last", "nps_days_ago"),
    "teams": ("active_members_28d", "team_size", "team_change_28d", "team_activity_share_28d"),
}


def test_what_cannot_be_observed_is_null_and_what_is_not_listed_is_named(tmp_path: Path) -> None:
    """A world with everything in it; the workspace lists an activity and the end of subscriptions."""
    business = copy_workspace(tmp_path / "few")
    shutil.rmtree(business.folder / "features")
    review = business.folder / "review.toml"
    before, _, rest = review.read_text(encoding="utf-8").partition("[[segments]]")
    review.write_text(before + "[marts]" + rest.partition("[marts]")[2], encoding="utf-8")
    (business.folder / "events.csv").write_text(
        f"{HEADER}dashboard_viewed,usage,,true,false,\nsubscription_cancelled,subscription,,false,false,\n",
        encoding="utf-8",
    )
    assert business.vitals("simulate", "--customers", "80", "--weeks", "16", "--seed", "5").code == 0
    done = business.vitals("run", "--to", "features")
    assert done.code == 0, done.said

    columns = [column for kind in COLUMNS.values() for column in kind]
    counted = ", ".join(f"count({column})" for column in columns)
    observed = business.built(f"select {counted} from features.customer_weeks")[0]
    assert {column: count for column, count in zip(columns, observed, strict=True) if count} == {}
    # What is listed is observed, 0 where nobody did it.
    rows, seen, cancellations = business.built(
        "select count(*), count(activities_28d), count(is_cancelled) from features.customer_weeks"
    )[0]
    assert rows == seen == cancellations > 0

    note = next(line for line in done.said.splitlines() if "events.csv does not list" in line)
    counts = business.built(
        """
        select event_name, sum(case when is_listed then 0 else 1 end)
        from staging.stg_events
        where local_date between
            (select review_week from ops.run_parameters) and (select review_week + 6 from ops.run_parameters)
        group by event_name having not bool_or(is_listed) order by 2 desc, 1
        """
    )
    for name, count in counts[:5]:
        assert f"{name} ({int(count):,})" in note
    assert f"and {len(counts) - 5} more" in note


@pytest.mark.parametrize(
    ("definition", "events", "message"),
    [
        (
            "cancellation",
            "ordered,commerce,,true,true,\n",
            "does not list subscription_cancelled, so nobody's",
        ),
        ("inactivity", "ordered,commerce,,true,false,\n", "lists no core event, so nobody's churn"),
    ],
)
def test_churn_that_cannot_be_observed_is_refused(
    tmp_path: Path, definition: str, events: str, message: str
) -> None:
    demo = WORKSPACES_FOLDER / "demo"
    text = (demo / "review.toml").read_text(encoding="utf-8")
    text = text.replace('definition = "cancellation"', f'definition = "{definition}"')
    (tmp_path / "review.toml").write_text(text, encoding="utf-8")
    (tmp_path / "events.csv").write_text(HEADER + events, encoding="utf-8")
    workspace = Workspace(folder=tmp_path, data=tmp_path / "data")
    with pytest.raises(SettingsError, match=message) as caught:
        read_events_of(workspace)
    assert f"churn.definition is '{definition}'" in str(caught.value)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in WORKSPACES_FOLDER.glob("*/review.toml")))
def test_the_churn_of_the_shipped_workspaces_can_be_observed(name: str, tmp_path: Path) -> None:
    assert read_events_of(Workspace(folder=WORKSPACES_FOLDER / name, data=tmp_path))
