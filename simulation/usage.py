"""Sessions, and what people do in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from simulation.accounts import Accounts, is_signed_up
from simulation.catalogue import (
    CAMPAIGN_WEIGHTS,
    COMPUTER,
    EVENT_CODES,
    FEATURE_EVENTS,
    FEATURE_WEIGHTS_BEGINNER,
    FEATURE_WEIGHTS_EVERYDAY,
    FEATURE_WEIGHTS_POWER,
    PAGE_WEIGHTS,
    PHONE,
    REFERRER_WEIGHTS,
)
from simulation.chance import choose
from simulation.events import NONE, EventBatch, make_events
from simulation.parameters import (
    CASUAL,
    DECLINING,
    NEW,
    POWER,
    DeliveryNumbers,
    UsageNumbers,
    WorldParameters,
)
from simulation.weeks import DAY, DAYS_PER_WEEK, HOUR, SECOND, Week

PAGE_VIEWED = EVENT_CODES["page_viewed"]
SIGNUP_TO_FIRST_SESSION = 120 * SECOND


@dataclass(frozen=True)
class Sessions:
    """Sessions of a week as parallel columns, sorted by account. Times in UTC milliseconds."""

    account: np.ndarray
    member: np.ndarray
    device: np.ndarray
    starts_at: np.ndarray
    ends_at: np.ndarray
    delay: np.ndarray  # of the sending device
    events: np.ndarray

    def __len__(self) -> int:
        return len(self.account)


def hold_sessions(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    cancels_at: np.ndarray,
    parameters: WorldParameters,
) -> Sessions:
    """The sessions of a week: active days by archetype and weekday, then sessions on each of them.

    `cancels_at` (by account) ends what an account does in the week of its cancellation; in the week of
    its sign-up the first session follows the sign-up.
    """
    numbers = parameters.usage
    account, starts_at = _session_starts(random, accounts, week, numbers)
    in_time = (starts_at > accounts.signed_up_at[account] + HOUR) & (starts_at < cancels_at[account])
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    first_starts = accounts.signed_up_at[arriving] + SIGNUP_TO_FIRST_SESSION
    account = np.concatenate([account[in_time], arriving])
    starts_at = np.concatenate([starts_at[in_time], first_starts])
    is_first = np.arange(len(account)) >= in_time.sum()
    order = np.lexsort((starts_at, account))
    account, starts_at, is_first = account[order], starts_at[order], is_first[order]

    device = np.where(random.random(len(account)) < numbers.phone_share, PHONE, COMPUTER)
    device = np.where(is_first, COMPUTER, device)
    mean_events = np.take(numbers.events_per_session, accounts.archetype[account])
    return Sessions(
        account=account,
        member=np.where(is_first, 1, _members(random, accounts, account, numbers)),
        device=device,
        starts_at=starts_at,
        ends_at=starts_at,
        delay=_delays(random, device, parameters.delivery),
        events=random.geometric(1 / mean_events),
    )


def fill_sessions(
    random: np.random.Generator, accounts: Accounts, sessions: Sessions, numbers: UsageNumbers
) -> tuple[Sessions, EventBatch]:
    """The sessions with their ends (the last event of each), and their usage events."""
    session = np.repeat(np.arange(len(sessions)), sessions.events)
    first_event = np.cumsum(sessions.events) - sessions.events
    is_first = np.zeros(len(session), dtype=np.bool_)
    is_first[first_event] = True
    account = sessions.account[session]

    gaps = numbers.gap_median_seconds * np.exp(numbers.gap_spread * random.standard_normal(len(session)))
    gaps = (np.minimum(gaps, numbers.gap_largest_seconds) * SECOND).astype(np.int64)
    gaps[is_first] = 0
    elapsed = np.cumsum(gaps)
    occurred_at = sessions.starts_at[session] + elapsed - elapsed[first_event][session]
    sessions = replace(sessions, ends_at=occurred_at[first_event + sessions.events - 1])

    page_share = np.where(is_first, numbers.entry_page_share, numbers.page_view_share)
    is_page = random.random(len(session)) < page_share
    feature = _features(random, accounts, account)
    page = np.where(is_page, choose(random, PAGE_WEIGHTS, len(session)), feature)
    comes_from = random.random(len(session))
    referrer = choose(random, REFERRER_WEIGHTS, len(session))
    campaign = choose(random, CAMPAIGN_WEIGHTS, len(session))
    usage = make_events(
        np.where(is_page, PAGE_VIEWED, feature),
        account,
        occurred_at,
        member=sessions.member[session],
        device=sessions.device[session],
        delay=sessions.delay[session],
        page=page,
        referrer=np.where(is_first & (comes_from < numbers.referrer_share), referrer, NONE),
        campaign=np.where(is_first & (comes_from < numbers.campaign_share), campaign, NONE),
    )
    return sessions, usage


def pick_sessions(random: np.random.Generator, sessions: Sessions, account: np.ndarray) -> np.ndarray:
    """For each of the given accounts the position of one of its sessions; every one has to have some."""
    first = np.searchsorted(sessions.account, account, side="left")
    after = np.searchsorted(sessions.account, account, side="right")
    return first + (random.random(len(account)) * (after - first)).astype(np.int64)


def end_sessions_with(
    random: np.random.Generator,
    event: str,
    sessions: Sessions,
    picked: np.ndarray,
    *,
    page: str,
    revenue: np.ndarray | None = None,
    properties: pa.Array | None = None,
) -> EventBatch:
    """An event by the person of each picked session, within two minutes after its last page."""
    pause = random.integers(10 * SECOND, 120 * SECOND, len(picked))
    return make_events(
        event,
        sessions.account[picked],
        sessions.ends_at[picked] + pause,
        member=sessions.member[picked],
        device=sessions.device[picked],
        delay=sessions.delay[picked],
        page=page,
        revenue=revenue,
        properties=properties,
    )


def _session_starts(
    random: np.random.Generator, accounts: Accounts, week: Week, numbers: UsageNumbers
) -> tuple[np.ndarray, np.ndarray]:
    """Accounts and start times of sessions, before sign-ups and cancellations are considered."""
    present = np.flatnonzero(is_signed_up(accounts, week))
    weekday_weights = np.tile(numbers.weekday_weights, (len(present), 1))
    is_power = accounts.archetype[present] == POWER
    weekday_weights[is_power, 5:] = numbers.weekend_weight_power
    chances = _daily_probability(accounts, present, numbers)
    variation = numbers.weekly_variation * random.standard_normal(len(present))
    chances = np.where(is_power, chances, chances * np.exp(variation))
    chances = np.minimum(chances[:, None] * weekday_weights, numbers.daily_probability_largest)
    row, day = np.nonzero(random.random((len(present), DAYS_PER_WEEK)) < chances)
    members = accounts.members()[present[row]]
    extra = numbers.extra_sessions_per_day + numbers.extra_sessions_per_member * (members - 1)
    sessions = 1 + random.poisson(extra)
    account, day = np.repeat(present[row], sessions), np.repeat(day, sessions)
    return account, week.day_starts[day] + _times_of_day(random, len(account), numbers)


def _daily_probability(accounts: Accounts, present: np.ndarray, numbers: UsageNumbers) -> np.ndarray:
    archetype = accounts.archetype[present]
    chances = np.take(numbers.daily_probability, archetype)
    declines_from = np.where(accounts.declined_from_power[present], POWER, CASUAL)
    shrunk = numbers.decline_per_week ** accounts.weeks_in_archetype[present]
    chances = np.where(
        archetype == DECLINING, np.take(numbers.daily_probability, declines_from) * shrunk, chances
    )
    has_habit = (archetype != POWER) & ~((archetype == DECLINING) & (declines_from == POWER))
    return np.where(has_habit, chances * accounts.habit[present], chances)


def _times_of_day(random: np.random.Generator, count: int, numbers: UsageNumbers) -> np.ndarray:
    """Milliseconds after the start of the day, from its peaks; nights belong to the evening before."""
    shares, hours, spreads = (np.array(column) for column in zip(*numbers.day_peaks, strict=True))
    peak = choose(random, tuple(shares), count)
    hour = hours[peak] + spreads[peak] * random.standard_normal(count)
    latest = numbers.day_closes_hour - 1 / 60
    return (np.clip(hour, numbers.day_opens_hour, latest) * HOUR).astype(np.int64) + random.integers(
        0, 60 * SECOND, count
    )


def _members(
    random: np.random.Generator, accounts: Accounts, account: np.ndarray, numbers: UsageNumbers
) -> np.ndarray:
    """Who of the team it was: position 0 is the owner, then the others in the order they came."""
    place = random.random(len(account)) ** numbers.member_skew
    position = (place * np.maximum(accounts.members()[account], 1)).astype(np.int64)
    return np.where(position == 0, 1, 1 + accounts.removed[account] + position)


def _features(random: np.random.Generator, accounts: Accounts, account: np.ndarray) -> np.ndarray:
    """A feature for each event, by the archetype's weights and the account's own preference."""
    weights = np.tile(np.array(FEATURE_WEIGHTS_EVERYDAY, dtype=np.float32), (len(accounts), 1))
    weights[accounts.archetype == NEW] = FEATURE_WEIGHTS_BEGINNER
    weights[accounts.archetype == POWER] = FEATURE_WEIGHTS_POWER
    limits = np.cumsum(weights * accounts.feature_preference, axis=1)
    limits /= limits[:, -1:]
    chosen = (random.random(len(account), dtype=np.float32)[:, None] >= limits[account]).sum(axis=1)
    return np.minimum(chosen, len(FEATURE_EVENTS) - 1)


def _delays(random: np.random.Generator, device: np.ndarray, numbers: DeliveryNumbers) -> np.ndarray:
    """Milliseconds for which a device keeps its events: mostly none, now and then hours to weeks."""
    share = np.where(device == PHONE, numbers.late_share_phone, numbers.late_share_computer)
    count = len(device)
    kind = choose(random, numbers.late_shares, count)
    hours = random.exponential(numbers.late_hours_mean, count) * HOUR
    days = random.uniform(*numbers.late_days_range, count) * DAY
    weeks = random.uniform(*numbers.late_weeks_range, count) * DAYS_PER_WEEK * DAY
    delay = np.choose(kind, [hours, days, weeks])
    return np.where(random.random(count) < share, delay, 0).astype(np.int64)
