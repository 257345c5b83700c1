"""The border marts: what published tables promise to analysts, BI tools and the teams that work the lists.

The marts always show the newest reviewed week, also when an older one is restated. dbt's tests guard keys and
identities inside the warehouse; here is what a reader would stumble over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from expectations.promise import (
    Promise,
    TablePromises,
    between,
    has_rows,
    never_null,
    no_result_of,
    no_row_where,
    one_of,
    sql_date,
    sql_text,
)

# The segments of a workspace's own may overlap and leave customers out; those of all other schemes divide.
OWN_SCHEME = "own"
SEGMENT_SCHEMES = ("rfm", "lifecycle", "engagement", "cluster", "health_band", "churn_band", OWN_SCHEME)
# Every customer has one of these, so that their segments hold everybody.
COMPLETE_SCHEMES = ("lifecycle", "engagement")

# Shares are quotients of whole numbers; summing a few of them errs less than this.
ROUNDING_SHARE = 1e-6
# Half of the active customers gone within a week: a missing source is likelier than that.
COLLAPSE_SHARE = 0.5
# Below this, half of them is a matter of chance.
COLLAPSE_CUSTOMERS = 20


def all_tables(
    newest_review_week: date,
    *,
    history_weeks: int,
    owner_teams: Mapping[str, str],
    capacity_per_owner_team: int,
) -> list[TablePromises]:
    """Every table of this border; the parameters are those of the functions below."""
    return [
        customers(newest_review_week),
        customer_weeks(newest_review_week, history_weeks=history_weeks),
        segments_weekly(newest_review_week),
        metrics_daily(newest_review_week),
        metrics_weekly(newest_review_week),
        interventions(
            newest_review_week, owner_teams=owner_teams, capacity_per_owner_team=capacity_per_owner_team
        ),
    ]


def customers(newest_review_week: date) -> TablePromises:
    """marts.customers, grain customer: everybody at the newest reviewed week."""
    week = sql_date(newest_review_week)
    return TablePromises(
        table="marts.customers",
        keys=("customer_id",),
        promises=(
            has_rows("The table that most readers start from is empty."),
            _only_week(week),
            no_result_of(
                "everybody_is_there",
                "select weeks.customer_id from features.customer_weeks as weeks"
                " left join {batch} as customers on customers.customer_id = weeks.customer_id"
                f" where weeks.review_week = {week} and customers.customer_id is null"
                " order by weeks.customer_id",
                "Customers of the week's features were lost on the way to the marts.",
                column="customer_id",
            ),
            _score_arrives("churn", "churn_score", week),
            _score_arrives("health", "health_score", week),
            _score_arrives("clusters", "cluster_id", week),
            no_row_where(
                "next_actions_are_whole",
                "(next_action_id is null) <> (next_action_title is null)"
                " or (next_action_id is null) <> (next_action_reason is null)",
                "An action has an id, a title and a reason; one without the others helps nobody.",
                shown=("customer_id", "next_action_id", "next_action_title", "next_action_reason"),
                column="next_action_id",
            ),
        ),
    )


def customer_weeks(newest_review_week: date, *, history_weeks: int) -> TablePromises:
    """marts.customer_weeks, grain customer × review_week: the narrow history, newest weeks only."""
    first = sql_date(newest_review_week - timedelta(weeks=history_weeks - 1))
    return TablePromises(
        table="marts.customer_weeks",
        keys=("customer_id", "review_week"),
        promises=(
            _ends_with(
                "review_week",
                sql_date(newest_review_week),
                "The history ends with another week than the one that was reviewed last.",
            ),
            no_row_where(
                "the_history_is_as_long_as_agreed",
                f"review_week < {first}",
                f"Readers were promised {history_weeks} weeks; older ones make every query slower.",
                shown=("customer_id", "review_week"),
                column="review_week",
                severity="warn",
            ),
        ),
    )


def segments_weekly(newest_review_week: date) -> TablePromises:
    """marts.segments_weekly, grain scheme × segment × review_week."""
    in_schemes = ", ".join(
        f"coalesce(sum(customers) filter (where scheme = '{scheme}'), 0) as in_{scheme}"
        for scheme in COMPLETE_SCHEMES
    )
    differ = " or ".join(f"in_{scheme} <> in_all" for scheme in COMPLETE_SCHEMES)
    return TablePromises(
        table="marts.segments_weekly",
        keys=("scheme", "segment", "review_week"),
        promises=(
            never_null("segment", "Customers without a segment are left out, not shown as a nameless one."),
            one_of("scheme", SEGMENT_SCHEMES, "Reports and dashboards know these schemes only."),
            between("customers", 1, None, "A segment without customers has no row."),
            between("customer_share", 0, 1, "A share of the customers lies between 0 and 1."),
            between("active_days_28d_mean", 0, 28, "The window has 28 days."),
            between("churn_probability_mean", 0, 1, "A mean of probabilities lies between 0 and 1."),
            between("health_score_mean", 0, 100, "A mean of scores of 0 to 100 stays within them."),
            no_result_of(
                "shares_of_a_scheme_sum_to_one",
                "select scheme, review_week, sum(customer_share) as customer_share from {batch}"
                f" where scheme <> '{OWN_SCHEME}' group by scheme, review_week"
                f" having abs(sum(customer_share) - 1) > {ROUNDING_SHARE} order by review_week, scheme",
                "The segments of a scheme divide the customers: their shares make one whole in every week.",
                column="customer_share",
            ),
            no_result_of(
                "stages_and_levels_hold_everybody",
                f"select * from (select {in_schemes}, (select count(*) from marts.customers) as in_all"
                f" from {{batch}} where review_week = {sql_date(newest_review_week)}) as sums where {differ}",
                "Every customer has a stage and a level, so that these segments add up to all customers.",
                column="customers",
            ),
        ),
    )


def metrics_daily(newest_review_week: date) -> TablePromises:
    """marts.metrics_daily, grain day."""
    return TablePromises(
        table="marts.metrics_daily",
        keys=("activity_date",),
        promises=(
            between("active_customers", 0, None, "A number of customers cannot be negative."),
            between("stickiness_share", 0, 1, "Who is active on a day is active in its 28 days."),
            between("orders", 0, None, "A number of orders cannot be negative."),
            no_row_where(
                "longer_windows_see_more_customers",
                "active_customers > active_customers_7d or active_customers_7d > active_customers_28d"
                " or new_customers > active_customers",
                "Who is active on a day is active in the 7 and 28 days that end with it; so are the new.",
                shown=(
                    "activity_date",
                    "new_customers",
                    "active_customers",
                    "active_customers_7d",
                    "active_customers_28d",
                ),
                column="active_customers",
            ),
            no_result_of(
                "days_have_no_gaps",
                "select count(*) as days, min(activity_date) as first_day, max(activity_date) as last_day"
                " from {batch}"
                " having count(distinct activity_date) <> max(activity_date) - min(activity_date) + 1",
                "A quiet day is a row of zeros; a day that is missing bends every line of a chart.",
                column="activity_date",
            ),
            _ends_with(
                "activity_date",
                sql_date(newest_review_week + timedelta(days=6)),
                "The days end with the Sunday of the newest reviewed week, not before and not after it.",
            ),
        ),
    )


def metrics_weekly(newest_review_week: date) -> TablePromises:
    """marts.metrics_weekly, grain review_week. That the lifecycle account adds up is a test of dbt's."""
    week = sql_date(newest_review_week)
    return TablePromises(
        table="marts.metrics_weekly",
        keys=("review_week",),
        promises=(
            between("stickiness_share", 0, 1, "Who is active in a week is active in its 28 days."),
            between("churned_customers", 0, None, "A number of customers cannot be negative."),
            no_row_where(
                "active_customers_are_known",
                "active_customers > known_customers or active_customers > active_customers_28d",
                "Who is active in a week is known by its end and active in the 28 days that end with it.",
                shown=("review_week", "active_customers", "active_customers_28d", "known_customers"),
                column="active_customers",
            ),
            no_result_of(
                "weeks_have_no_gaps",
                "select count(*) as weeks, min(review_week) as first_week, max(review_week) as last_week"
                " from {batch}"
                " having 7 * (count(distinct review_week) - 1) <> max(review_week) - min(review_week)",
                "Comparisons with the week before take the row before; a missing week makes them wrong.",
                column="review_week",
            ),
            _ends_with(
                "review_week", week, "Key figures are read off the last row: it is the newest reviewed week."
            ),
            no_row_where(
                "activity_does_not_collapse",
                f"review_week = {week} and previous_active_customers >= {COLLAPSE_CUSTOMERS}"
                f" and active_customers < {COLLAPSE_SHARE} * previous_active_customers",
                "Fewer than half as many as last week are active: a holiday, or is a source missing?",
                shown=("review_week", "previous_active_customers", "active_customers"),
                column="active_customers",
                severity="warn",
            ),
        ),
    )


def interventions(
    newest_review_week: date, *, owner_teams: Mapping[str, str], capacity_per_owner_team: int
) -> TablePromises:
    """marts.interventions, grain customer × review_week × action: the working lists.

    owner_teams: action_id -> owner_team, from the playbook. capacity_per_owner_team: rows a week.
    """
    known = ", ".join(f"({sql_text(action)}, {sql_text(team)})" for action, team in owner_teams.items())
    return TablePromises(
        table="marts.interventions",
        keys=("customer_id", "action_id"),
        promises=(
            has_rows(
                "Nobody is on a list: does applies_to in playbook.csv name what exists?", severity="warn"
            ),
            _only_week(sql_date(newest_review_week)),
            one_of("action_id", owner_teams, "playbook.csv has no such action, so nobody knows what to do."),
            no_row_where(
                "actions_belong_to_their_team",
                f"(action_id, owner_team) not in ({known})" if known else "true",
                "playbook.csv gives the action to another team; the list reaches the wrong people.",
                shown=("customer_id", "action_id", "owner_team"),
                column="owner_team",
            ),
            no_result_of(
                "lists_fit_the_capacity",
                "select owner_team, count(*) as customers from {batch} group by owner_team"
                f" having count(*) > {capacity_per_owner_team} order by owner_team",
                f"review.toml says that a team can work {capacity_per_owner_team} customers a week.",
                column="owner_team",
            ),
            no_row_where(
                "sync_keys_are_customer_and_action",
                "sync_key is distinct from customer_id || ':' || action_id",
                "Other tools recognise a row by this key; another key makes a removal and a new row of it.",
                shown=("customer_id", "action_id", "sync_key"),
                column="sync_key",
            ),
            no_result_of(
                "sync_keys_are_unique",
                "select sync_key, count(*) as times from {batch}"
                " group by sync_key having count(*) > 1 order by sync_key",
                "Activation tools want one row per key and take any of several.",
                column="sync_key",
            ),
            no_row_where(
                "rows_can_be_worked",
                " or ".join(f"{column} is null or trim({column}) = ''" for column in _WORKED_WITH),
                "Who works the list needs to know what to do, why, by which channel and whose task it is.",
                shown=("customer_id", "action_id", *_WORKED_WITH),
            ),
            between("rank", 1, None, "Ranks count from 1, the most urgent first."),
            never_null("rank", "Without a rank nobody knows whom to call first."),
            never_null("priority_score", "Without a priority the ranks are arbitrary."),
            between("cost", 0, None, "An action cannot cost less than nothing; see playbook.csv."),
            between(
                "assumed_uplift", 0, 1, "The uplift is a share of the customers: 0 to 1; see playbook.csv."
            ),
            no_result_of(
                "listed_customers_are_known",
                "select lists.customer_id, lists.action_id from {batch} as lists"
                " left join marts.customers as customers on customers.customer_id = lists.customer_id"
                " where customers.customer_id is null order by lists.customer_id",
                "The list names a customer whom marts.customers does not have.",
                column="customer_id",
            ),
        ),
    )


_WORKED_WITH = ("title", "reason", "channel", "owner_team", "message")


def _only_week(week: str) -> Promise:
    return no_row_where(
        "only_the_newest_week_is_shown",
        f"review_week is distinct from {week}",
        "The table shows the newest reviewed week; a row of another week would be taken for it.",
        shown=("customer_id", "review_week"),
        column="review_week",
    )


def _ends_with(column: str, last: str, notes: str) -> Promise:
    return no_result_of(
        "the_newest_is_the_last",
        f"select max({column}) as {column} from {{batch}} having max({column}) is distinct from {last}",
        notes,
        column=column,
    )


def _score_arrives(table: str, column: str, week: str) -> Promise:
    return no_result_of(
        "scores_arrive",
        f"select scores.customer_id, scores.{column} as {column}_scored, customers.{column}"
        f" from scores.{table} as scores"
        " left join {batch} as customers on customers.customer_id = scores.customer_id"
        f" where scores.review_week = {week} and customers.{column} is distinct from scores.{column}"
        " order by scores.customer_id",
        f"scores.{table} says something else than the mart: build the marts again after scoring.",
        column=column,
    )
