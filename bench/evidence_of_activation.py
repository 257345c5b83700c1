"""First steps after the sign-up in a reviewed workspace, beside the truth of its world.

Reads the schema truth, the attached build, and the view received_sessions of `evidence_of_identities`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.reader import Reader
from simulation.activation import FIRST_STEPS

# Accounts that signed up in the world: the days of their first session, if it came whole, and when they were
# here again.
_FIRST_DAYS = """
    with firsts as (
        select account_id, min(started_at) as started_at
        from truth.sessions
        inner join truth.accounts using (account_id)
        where is_identified and not is_known_at_start
        group by account_id
    )
    select
        firsts.account_id,
        max(sessions.start_date) filter (where is_first and not is_divided) as first_date,
        max(sessions.end_date) filter (where is_first and not is_divided) as last_date,
        min(sessions.start_date) filter (where not is_first) as next_date
    from firsts
    inner join (
        select *, started_at as session_started_at from received_sessions where is_identified
    ) as sessions on firsts.account_id = sessions.account_id
    cross join lateral (select session_started_at = firsts.started_at as is_first)
    group by firsts.account_id
"""


@dataclass(frozen=True)
class ActivationEvidence:
    """The frames of the comparisons of activation, which say what their rows are."""

    steps_of_first_days: pd.DataFrame
    steps_of_weeks: pd.DataFrame
    activated: pd.DataFrame


def read_activation(read: Reader) -> ActivationEvidence:
    """All frames; of accounts that signed up in the world."""
    return ActivationEvidence(
        steps_of_first_days=_steps_of_first_days(read),
        steps_of_weeks=_steps_of_weeks(read),
        activated=_activated(read),
    )


def _steps_of_first_days(read: Reader) -> pd.DataFrame:
    names = ", ".join(f"'{step.event}'" for step in FIRST_STEPS)
    takes = ", ".join(f"activation.{step.planned}" for step in FIRST_STEPS)
    return read.frame(
        f"""
        with first_days as ({_FIRST_DAYS}),
        planted as (
            select
                account_id,
                unnest(['signed_up', {names}]) as event_name,
                unnest([true, {takes}]) as planted
            from truth.activation
        ),
        masks as (
            select customer_id, local_date, bit_or(activation_mask) as activation_mask
            from build.intermediate.customer_days group by customer_id, local_date
        )
        select
            first_days.account_id as customer_id,
            planted.event_name,
            planted.planted,
            coalesce((masks.activation_mask >> (steps.activation_step - 1)) & 1, 0) = 1 as found
        from first_days
        inner join planted using (account_id)
        inner join build.staging.stg_event_catalogue as steps
            on planted.event_name = steps.event_name and steps.activation_step is not null
        left join masks
            on first_days.account_id = masks.customer_id and first_days.first_date = masks.local_date
        where first_date = last_date and (next_date is null or next_date > last_date)
        """
    )


def _steps_of_weeks(read: Reader) -> pd.DataFrame:
    return read.frame(
        f"""
        with first_days as ({_FIRST_DAYS})
        select
            customer_weeks.customer_id,
            customer_weeks.review_week,
            -- The sign-up is a step, too.
            1 + activation.verifies::int + activation.completes_profile::int + activation.invites::int
            + activation.creates_project::int + activation.uses_core::int as planted_steps,
            customer_weeks.activation_steps_done as found_steps,
            customer_weeks.is_activated as found_is_activated
        from build.features.customer_weeks
        semi join reviewed_weeks on customer_weeks.review_week = reviewed_weeks.review_week
        inner join first_days on customer_weeks.customer_id = first_days.account_id
        inner join truth.activation on customer_weeks.customer_id = activation.account_id
        where
            last_date < customer_weeks.review_week + 7
            and (next_date is null or next_date >= customer_weeks.review_week + 7)
        """
    )


def _activated(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        select activation.is_activated as planted, customer_weeks.is_activated as found
        from build.features.customer_weeks
        inner join truth.activation on customer_weeks.customer_id = activation.account_id
        inner join truth.accounts on customer_weeks.customer_id = accounts.account_id
        where
            customer_weeks.review_week = (select max(review_week) from reviewed_weeks)
            and not accounts.is_known_at_start
        """
    )
