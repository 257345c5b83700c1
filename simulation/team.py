"""The people of an account: who is invited, who joins, who leaves; and what our servers tell about them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation.accounts import KNOWN_AT_START, Accounts, is_staying
from simulation.activation import FIRST_STEPS, INVITATION, Activation
from simulation.chance import choose, stream
from simulation.events import NO_ACCOUNT, OWNER, EventBatch, concatenate, make_events
from simulation.identifiers import MEMBERS_PER_ACCOUNT, user_ids
from simulation.json_text import json_objects
from simulation.parameters import DECLINING, TeamNumbers, WorldParameters
from simulation.sessions import Sessions, end_sessions_with, first_sessions, pick_sessions
from simulation.weeks import HOUR, MINUTE, SECOND, Week, working_times

ROLES = ("owner", "admin", "member", "guest")
INDUSTRIES = (
    "software",
    "consulting",
    "manufacturing",
    "retail",
    "education",
    "health",
    "construction",
    "non_profit",
)
INDUSTRY_WEIGHTS = (24.0, 20.0, 14.0, 13.0, 9.0, 8.0, 7.0, 5.0)
EMPLOYEES_BANDS = ("1-10", "11-50", "51-200", "201-1000", "over_1000")
EMPLOYEES_OF_BANDS = (1, 11, 51, 201, 1_001)  # from which number on each band begins
TEST_DOMAIN = "internal.vitals-demo.example"


def join_owners(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The owner of each account that signs up in the week, and the company that it is."""
    random = stream(parameters.seed, "companies", week.number)
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    accounts.joined[arriving] = OWNER
    joined_at = accounts.signed_up_at[arriving] + MINUTE // 2
    return concatenate(
        [
            *_join(random, accounts, arriving, np.full(len(arriving), OWNER), joined_at, parameters),
            _describe_companies(random, accounts, arriving, joined_at + SECOND, parameters.team),
        ]
    )


def import_members(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The teams of the accounts known at the start, as the first export of the business gives them."""
    random = stream(parameters.seed, "companies")
    known = np.flatnonzero(accounts.signup_week == KNOWN_AT_START)
    account = np.repeat(known, accounts.joined[known])
    member = _running_numbers(accounts.joined[known])
    imported_at = week.starts_at + 6 * HOUR
    return concatenate(
        [
            *_join(random, accounts, account, member, np.full(len(account), imported_at), parameters),
            _describe_companies(
                random, accounts, known, np.full(len(known), imported_at + SECOND), parameters.team
            ),
        ]
    )


def change_teams(
    random: np.random.Generator,
    accounts: Accounts,
    activation: Activation,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> tuple[EventBatch, np.ndarray]:
    """Invitations at the end of sessions, the joins that follow within the week, and removals.

    Returns also how many people were removed in the week, by account.
    """
    removals, removed = _remove(random, accounts, week, sessions, parameters)
    events = [removals, *_invite(random, accounts, activation, week, sessions, parameters)]
    return concatenate(events), removed


def _invite(
    random: np.random.Generator,
    accounts: Accounts,
    activation: Activation,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> list[EventBatch]:
    """Who signs up in the week invites in the first session or not at all, as the activation has it."""
    numbers = parameters.team
    visitors = sessions.account[np.diff(sessions.account, prepend=NO_ACCOUNT) > 0]
    visitors = visitors[is_staying(accounts, week)[visitors]]
    missing = np.maximum(accounts.team_target - accounts.members(), 0)
    missing = np.minimum(missing, MEMBERS_PER_ACCOUNT - 1 - accounts.joined)
    arrives = accounts.signup_week == week.number
    inviting = visitors[np.where(arrives, activation.invites, missing > 0)[visitors]]
    is_arriving = arrives[inviting]
    rate = np.where(is_arriving, numbers.first_invite_share, numbers.invite_rate)
    # who invites in the first session, invites at least one
    account = np.repeat(inviting, np.maximum(random.binomial(missing[inviting], rate), is_arriving))

    is_first = arrives[account]
    picked = np.where(is_first, first_sessions(sessions, account), pick_sessions(random, sessions, account))
    invited = end_sessions_with(
        random,
        FIRST_STEPS[INVITATION].event,
        sessions,
        picked,
        page=FIRST_STEPS[INVITATION].page,
        step=np.where(is_first, INVITATION, 0),
    )
    # who works alone and invites nevertheless has written to someone who has no use for it
    has_room = accounts.team_target[account] > accounts.members()[account]
    accepts = has_room & (random.random(len(account)) < numbers.accept_share)
    joining, waits = account[accepts], random.exponential(numbers.hours_to_join_mean, accepts.sum())
    joined_at = invited.occurred_at[accepts] + MINUTE + (waits * HOUR).astype(np.int64)
    # by the end of the week, so that nobody works next week who joins later (a session may end past it)
    joined_at = np.minimum(joined_at, np.maximum(week.ends_at, invited.occurred_at[accepts] + MINUTE))
    counts = np.bincount(joining, minlength=len(accounts))
    member = accounts.joined[joining] + _running_numbers(counts[counts > 0])
    accounts.joined += counts.astype(accounts.joined.dtype)
    return [invited, *_join(random, accounts, joining, member, joined_at, parameters)]


def _remove(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> tuple[EventBatch, np.ndarray]:
    """People who leave after they were here last: never the owner, the others in the order they came."""
    numbers = parameters.team
    others = accounts.members() - 1
    losing = is_staying(accounts, week) & (accounts.signup_week < week.number) & (others > 0)
    present = np.flatnonzero(losing)
    rate = np.where(
        accounts.archetype[present] == DECLINING, numbers.removal_rate_declining, numbers.removal_rate
    )
    leaving = random.binomial(others[present], rate)
    account = np.repeat(present, leaving)
    member = OWNER + accounts.removed[account] + _running_numbers(leaving[leaving > 0])
    accounts.removed[present] += leaving.astype(accounts.removed.dtype)
    removals = make_events(
        "team_member_removed",
        account,
        np.maximum(working_times(random, week, len(account)), _last_seen(sessions, account, member) + HOUR),
        properties=_member_properties(account, member, parameters),
    )
    return removals, np.bincount(account, minlength=len(accounts))


def _last_seen(sessions: Sessions, account: np.ndarray, member: np.ndarray) -> np.ndarray:
    """When the last session of each of the people ended; 0 for those who had none in the week."""
    people = sessions.account.astype(np.int64) * MEMBERS_PER_ACCOUNT + sessions.member
    order = np.lexsort((sessions.ends_at, people))
    wanted = account.astype(np.int64) * MEMBERS_PER_ACCOUNT + member
    last = np.searchsorted(people[order], wanted, side="right") - 1
    found = (last >= 0) & (people[order][last] == wanted)
    return np.where(found, sessions.ends_at[order][last], 0)


def _join(
    random: np.random.Generator,
    accounts: Accounts,
    account: np.ndarray,
    member: np.ndarray,
    joined_at: np.ndarray,
    parameters: WorldParameters,
) -> list[EventBatch]:
    """People join, and our server says who they are."""
    admins, guests = parameters.team.admin_share, parameters.team.guest_share
    role = 1 + choose(random, (admins, 1 - admins - guests, guests), len(account))
    own_domain = pc.binary_join_element_wise("customer-", pa.array(account).cast(pa.string()), ".example", "")
    traits = json_objects(
        {
            "email_domain": pc.if_else(pa.array(accounts.is_test[account]), TEST_DOMAIN, own_domain),
            "role": pa.array(ROLES).take(pa.array(np.where(member == OWNER, 0, role))),
        }
    )
    return [
        make_events(
            "team_member_joined",
            account,
            joined_at,
            properties=_member_properties(account, member, parameters),
        ),
        make_events("identify", account, joined_at, member=member, traits=traits),
    ]


def _describe_companies(
    random: np.random.Generator,
    accounts: Accounts,
    account: np.ndarray,
    occurred_at: np.ndarray,
    numbers: TeamNumbers,
) -> EventBatch:
    """What our server knows about each of the companies, told once; the people there are part of them."""
    factor = numbers.company_largest_factor ** random.random(len(account))
    band = np.searchsorted(EMPLOYEES_OF_BANDS, accounts.team_target[account] * factor, side="right") - 1
    industry = choose(random, INDUSTRY_WEIGHTS, len(account))
    is_test = pa.array(np.where(accounts.is_test[account], "true", "false"))
    traits = json_objects(
        {
            "industry": pa.array(INDUSTRIES).take(pa.array(industry)),
            "employees_band": pa.array(EMPLOYEES_BANDS).take(pa.array(band)),
            "is_test": is_test,
        },
        nested=frozenset({"is_test"}),
    )
    return make_events("group", account, occurred_at, member=OWNER, traits=traits)


def _member_properties(account: np.ndarray, member: np.ndarray, parameters: WorldParameters) -> pa.Array:
    return json_objects({"member_id": user_ids(account, member, parameters.customers)})


def _running_numbers(counts: np.ndarray) -> np.ndarray:
    """1 to count for each of the counts, one after the other."""
    starts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(starts, counts) + 1
