"""The border scores: what the models promise to the marts and to the people who act on them.

Grain: customer × review_week; `health_contributions` × component. Bands and limits come from review.toml and
are handed in. Call a function only for a week whose model ran: a table without rows misses every customer.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from expectations.promise import (
    Promise,
    TablePromises,
    between,
    never_null,
    no_result_of,
    no_row_where,
    one_of,
    sql_date,
)

KEYS = ("customer_id", "review_week")

CHURN_BANDS = ("low", "medium", "high")
HEALTH_BANDS = ("high_touch", "automated", "advocacy")

# Contributions are rounded to cents of a point and the score is their sum: half a cent is rounding.
ROUNDING_POINTS = 0.005
# Sums of weights are floats: closer than this is equal.
ROUNDING_SHARE = 1e-9
# Fewer than half of the customers with a health score: the components do not fit what is collected.
HEALTH_KNOWN_SHARE = 0.5
# One cluster with nearly everybody in it divides nobody.
LARGEST_CLUSTER_SHARE = 0.95


def churn(review_week: date, *, low_band_up_to_score: float, medium_band_up_to_score: float) -> TablePromises:
    """scores.churn at the reviewed week."""
    return TablePromises(
        table="scores.churn",
        keys=KEYS,
        where=_at(review_week),
        promises=(
            *_complete(review_week),
            never_null("churn_probability", "Who is scored has a probability; the model failed on this row."),
            between("churn_probability", 0, 1, "A probability lies between 0 and 1; calibration is broken."),
            never_null("churn_score", "The score is a map of the probability and exists wherever that does."),
            between("churn_score", 0, 100, "The anchors in review.toml map probabilities to 0 to 100."),
            never_null("churn_band", "Every score lies in a band; playbook and lists go by it."),
            one_of("churn_band", CHURN_BANDS, "Playbook and lists know these bands only."),
            no_row_where(
                "bands_follow_the_score",
                f"churn_band <> case when churn_score <= {low_band_up_to_score} then 'low'"
                f" when churn_score <= {medium_band_up_to_score} then 'medium' else 'high' end",
                "The band disagrees with the limits in review.toml; after a change of them, score again.",
                shown=(*KEYS, "churn_score", "churn_band"),
                column="churn_band",
            ),
            no_result_of(
                "the_score_rises_with_the_probability",
                "select customer_id, churn_probability, churn_score, score_before from ("
                "select *, max(churn_score) over (order by churn_probability, churn_score"
                " rows between unbounded preceding and 1 preceding) as score_before from {batch}"
                ") as in_order where churn_score < score_before",
                "A likelier loss must not get a lower score, or lists are worked in the wrong order.",
                column="churn_score",
            ),
            no_result_of(
                "the_model_tells_customers_apart",
                "select count(*) as customers, min(churn_probability) as churn_probability from {batch}"
                " having count(*) >= 100 and min(churn_probability) = max(churn_probability)",
                "A hundred customers or more got the same probability: the model learnt nothing.",
                column="churn_probability",
                severity="warn",
            ),
        ),
    )


def health(
    review_week: date,
    *,
    high_touch_below_score: float,
    advocacy_above_score: float,
    observed_weight_minimum_share: float,
) -> TablePromises:
    """scores.health at the reviewed week."""
    return TablePromises(
        table="scores.health",
        keys=KEYS,
        where=_at(review_week),
        promises=(
            *_complete(review_week),
            never_null(
                "weight_observed_share", "How much of the score was observed has to be said of everybody."
            ),
            between(
                "weight_observed_share", 0, 1, "The weights sum to 100, so no more than all can be observed."
            ),
            between("health_score", 0, 100, "A weighted mean of components of 0 to 100 stays within them."),
            no_row_where(
                "scores_need_enough_signals",
                f"abs(weight_observed_share - {observed_weight_minimum_share}) > {ROUNDING_SHARE} and"
                f" (health_score is null) <> (weight_observed_share < {observed_weight_minimum_share})",
                "A score exists exactly where enough weight was observed; fewer signals say nothing.",
                shown=(*KEYS, "weight_observed_share", "health_score"),
                column="health_score",
            ),
            never_null(
                "health_score",
                "More than half of the customers lack the signals; see [[health.components]] in review.toml.",
                severity="warn",
                at_least_share=HEALTH_KNOWN_SHARE,
            ),
            one_of("health_band", HEALTH_BANDS, "Playbook and lists know these bands only."),
            no_row_where(
                "bands_follow_the_score",
                "health_band is distinct from case"
                f" when health_score < {high_touch_below_score} then 'high_touch'"
                f" when health_score <= {advocacy_above_score} then 'automated'"
                f" when health_score > {advocacy_above_score} then 'advocacy' end",
                "The band disagrees with the limits in review.toml, or is there without a score.",
                shown=(*KEYS, "health_score", "health_band"),
                column="health_band",
            ),
        ),
    )


def health_contributions(review_week: date, *, components: Collection[str]) -> TablePromises:
    """scores.health_contributions at the reviewed week. components: their names in review.toml."""
    return TablePromises(
        table="scores.health_contributions",
        keys=(*KEYS, "component"),
        where=_at(review_week),
        promises=(
            never_null("component", "A contribution without its component explains nothing."),
            one_of("component", components, "review.toml has no such component; score the week again."),
            never_null("column_name", "A contribution names the column that it comes from."),
            between("component_score", 0, 100, "The anchors in review.toml map a component to 0 to 100."),
            never_null("weight", "Every component has its weight."),
            between("weight", 0, 100, "The weights of all components sum to 100."),
            between("contribution", 0, 100, "A contribution is a part of a score of 0 to 100."),
            no_row_where(
                "unobserved_components_give_nothing",
                "value is null and (component_score is not null or contribution <> 0)",
                "What was not observed has no score: its weight goes to the other components.",
                shown=(*KEYS, "component", "value", "component_score", "contribution"),
                column="contribution",
            ),
            no_result_of(
                "components_count_once",
                "select customer_id, component, count(*) as times from {batch}"
                " group by customer_id, component having count(*) > 1 order by customer_id, component",
                "A component that is there twice counts twice; the week was appended instead of replaced.",
                column="component",
            ),
            no_result_of(
                "contributions_sum_to_the_score",
                "select health.customer_id, health.health_score, sums.contributions"
                " from scores.health as health"
                " left join (select customer_id, sum(contribution) as contributions from {batch} as parts"
                " group by customer_id) as sums on sums.customer_id = health.customer_id"
                f" where health.{_at(review_week)} and health.health_score is not null"
                f" and abs(health.health_score - coalesce(sums.contributions, 0)) > {ROUNDING_POINTS}"
                " order by health.customer_id",
                "The score is the sum of what `vitals explain` shows; here it cannot be explained.",
                column="contribution",
            ),
        ),
    )


def clusters(review_week: date, *, largest_count: int) -> TablePromises:
    """scores.clusters at the reviewed week. largest_count: of clusters, from review.toml."""
    return TablePromises(
        table="scores.clusters",
        keys=KEYS,
        where=_at(review_week),
        promises=(
            *_complete(review_week),
            never_null("cluster_id", "Everybody who is clustered belongs to one cluster."),
            between("cluster_id", 0, None, "Clusters are numbered from 0 on."),
            no_row_where(
                "clusters_have_a_name",
                "cluster_name is null or trim(cluster_name) = ''",
                "People know clusters by their names; a nameless one cannot be worked with.",
                shown=(*KEYS, "cluster_id", "cluster_name"),
                column="cluster_name",
            ),
            never_null(
                "centrality_share", "How typical a customer is of its cluster has to be said of everybody."
            ),
            between("centrality_share", 0, 1, "1 is the middle of the cluster, 0 its edge."),
            no_result_of(
                "names_and_numbers_of_clusters_agree",
                "select * from (select count(distinct cluster_id) as numbers,"
                " count(distinct cluster_name) as names,"
                " count(distinct (cluster_id, cluster_name)) as pairs from {batch}) as counts"
                " where numbers <> pairs or names <> pairs",
                "One number has one name and one name one number, or tables by name mix clusters.",
                column="cluster_name",
                severity="warn",
            ),
            no_result_of(
                "clusters_are_few_enough_to_name",
                "select count(distinct cluster_id) as clusters from {batch}"
                f" having count(distinct cluster_id) > {largest_count}",
                f"More than the {largest_count} clusters that review.toml allows.",
                column="cluster_id",
            ),
            no_result_of(
                "clusters_divide_the_customers",
                "select cluster_name, customers from (select cluster_name, count(*) as customers,"
                " sum(count(*)) over () as all_customers from {batch} group by cluster_name) as sizes"
                f" where all_customers >= 100 and customers > {LARGEST_CLUSTER_SHARE} * all_customers",
                "Nearly everybody is in one cluster, so that knowing it tells nothing.",
                column="cluster_name",
                severity="warn",
            ),
        ),
    )


def _at(review_week: date) -> str:
    return f"review_week = {sql_date(review_week)}"


def _complete(review_week: date) -> tuple[Promise, ...]:
    """What holds for every table with one row per scored customer."""
    return (
        no_result_of(
            "every_scorable_customer_is_scored",
            "select weeks.customer_id, weeks.review_week from features.customer_weeks as weeks"
            " left join {batch} as scores on scores.customer_id = weeks.customer_id"
            f" where weeks.{_at(review_week)} and weeks.is_scorable and scores.customer_id is null"
            " order by weeks.customer_id",
            "Customers that can be scored have no row here: they would drop out of the lists unnoticed.",
            column="customer_id",
        ),
        no_result_of(
            "scored_customers_are_known",
            "select scores.customer_id, scores.review_week"
            " from {batch} as scores left join features.customer_weeks as weeks"
            f" on weeks.customer_id = scores.customer_id and weeks.{_at(review_week)}"
            " where weeks.customer_id is null order by scores.customer_id",
            "The features of the week know no such customer; the scores come from another build.",
            column="customer_id",
        ),
        no_result_of(
            "customers_are_scored_once",
            "select customer_id, count(*) as times from {batch}"
            " group by customer_id having count(*) > 1 order by customer_id",
            "Two rows of one customer double it in every mart; the week was appended instead of replaced.",
            column="customer_id",
        ),
        never_null("model_version", "Every score says which model made it."),
    )
