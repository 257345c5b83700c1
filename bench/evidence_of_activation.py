"""First steps after the sign-up in a reviewed workspace, beside the truth of its world.

Reads the schema truth, the attached build, and the view received_sessions of `evidence_of_identities`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.reader import Reader


@dataclass(frozen=True)
class ActivationEvidence:
    """The frames of the comparisons of activation, which say what their rows are."""

    steps: pd.DataFrame
    activated: pd.DataFrame


def read_activation(read: Reader) -> ActivationEvidence:
    """Both frames; of accounts that signed up in the world."""
    return ActivationEvidence(steps=_steps(read), activated=_activated(read))


def _steps(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with firsts as (
            select account_id, min(started_at) as started_at
            from truth.sessions where is_identified group by account_id
        ),
        -- Whole first sessions, and when the account was here again.
        known as (
            select
                firsts.account_id,
                max(sessions.end_date) filter (
                    where sessions.started_at = firsts.started_at and not sessions.is_divided
                ) as first_date,
                min(sessions.start_date) filter (where sessions.started_at > firsts.started_at) as next_date
            from firsts
            inner join received_sessions as sessions
                on firsts.account_id = sessions.account_id and sessions.is_identified
            group by firsts.account_id
        )
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
        inner join known on customer_weeks.customer_id = known.account_id
        inner join truth.activation on customer_weeks.customer_id = activation.account_id
        inner join truth.accounts on customer_weeks.customer_id = accounts.account_id
        where
            not accounts.is_known_at_start
            and known.first_date < customer_weeks.review_week + 7
            and (known.next_date is null or known.next_date >= customer_weeks.review_week + 7)
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
