"""Who comes when, and what people do while they are there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import Accounts, is_signed_up
from simulation.activation import Activation
from simulation.anomalies import (
    OUTLIER_ACTIONS,
    PATTERN_BREAK,
    SPIKE,
    SUDDEN_DROP,
    SUSPICIOUS_ACTIVITY,
    Anomalies,
)
from simulation.catalogue import (
    CAMPAIGN_WEIGHTS,
    COMPUTER,
    CONTENT_TOPIC_WEIGHTS,
    CONTENT_TOPICS,
    EVENT_CODES,
    FEATURE_EVENTS,
    FEATURE_WEIGHTS_BEGINNER,
    FEATURE_WEIGHTS_EVERYDAY,
    FEATURE_WEIGHTS_POWER,
    HOME_COMPUTER,
    PAGE_CODES,
    PAGE_WEIGHTS,
    PHONE,
    REFERRER_WEIGHTS,
)
from simulation.chance import choose
from simulation.events import NONE, EventBatch, concatenate, make_events
from simulation.json_text import json_objects
from simulation.parameters import (
    CASUAL,
    DECLINING,
    NEW,
    POWER,
    SEASONAL,
    DeliveryNumbers,
    UsageNumbers,
    WorldParameters,
)
from simulation.seasons import is_in_season, usage_factors
from simulation.sessions import EXPORTING, FIRST_LOOK, USUAL, Sessions, join_sessions, take_sessions
from simulation.weeks import DAY, DAYS_PER_WEEK, HOUR, MINUTE, SECOND, Week, working_times

PAGE_VIEWED = EVENT_CODES["page_viewed"]
CONTENT_VIEWED = EVENT_CODES["content_viewed"]
EXPORT_RUN = EVENT_CODES["export_run"]
SIGNUP_TO_FIRST_SESSION = 120 * SECOND
OWNER = 1
ERROR_CODES = ("timeout", "permission_denied", "sync_failed", "not_found")
ERROR_WEIGHTS = (40.0, 15.0, 30.0, 15.0)
UNLISTED_EVENTS = ("debug_ping", "beta_widget_opened")
_UNLISTED_EVENTS = tuple(EVENT_CODES[name] for name in UNLISTED_EVENTS)
OTHER_ACTIONS = ("content_viewed", "item_shared", "comparison_searched")
# … and one more for "none of them"
_OTHER_ACTIONS = np.array([*(EVENT_CODES[name] for name in OTHER_ACTIONS), -1])
_TOPICS = json_objects({"topic": pa.array(CONTENT_TOPICS)})


def hold_sessions(
    random: np.random.Generator,
    accounts: Accounts,
    activation: Activation,
    anomalies: Anomalies,
    week: Week,
    cancels_at: np.ndarray,
    parameters: WorldParameters,
) -> tuple[Sessions, np.ndarray]:
    """The sessions of a week, and for each of their events the milliseconds since the session's start.

    `cancels_at` (by account) ends what an account does in the week of its cancellation. Who signs up in the
    week has a first session minutes later, another one on the next day if activation says so, and usage by
    its archetype from the day after. On one machine sessions never touch: a later one waits.
    """
    account, starts_at = _session_starts(random, accounts, anomalies, week, parameters)
    arrives = accounts.signup_week == week.number
    monday = week.day_starts[accounts.zone, 0]
    day_of_sign_up = (accounts.signed_up_at - monday) // DAY
    free_from = np.where(arrives, monday + (day_of_sign_up + 2) * DAY, accounts.signed_up_at)
    in_time = (starts_at > free_from[account] + HOUR) & (starts_at < cancels_at[account])
    account, starts_at = account[in_time], starts_at[in_time]

    arriving = np.flatnonzero(arrives)
    returning = arriving[activation.returns_next_day[arriving]]
    next_day = accounts.signed_up_at[returning] + DAY + random.integers(-HOUR, HOUR, len(returning))
    exporting, exports_at = _exports(random, accounts, anomalies, week, cancels_at)
    sessions = join_sessions(
        [
            _sessions_of_people(random, accounts, account, starts_at, week, parameters),
            _sessions_of_owners(
                arriving, accounts.signed_up_at[arriving] + SIGNUP_TO_FIRST_SESSION, FIRST_LOOK
            ),
            _sessions_of_owners(returning, next_day, USUAL),
            _sessions_of_owners(exporting, exports_at, EXPORTING),
        ]
    )
    sessions = replace(
        sessions,
        delay=draw_delays(random, sessions.device, parameters.delivery),
        events=_event_counts(random, accounts, anomalies, sessions, parameters),
    )
    elapsed = elapsed_in_sessions(random, sessions.events, parameters.usage)
    is_script = (sessions.purpose == EXPORTING) & (anomalies.kind[sessions.account] == SUSPICIOUS_ACTIVITY)
    elapsed = _at_constant_pace(elapsed, sessions.events, is_script, parameters.anomaly.script_seconds)
    return _without_touching(accounts, sessions, elapsed, week, parameters.usage)


def fill_sessions(
    random: np.random.Generator,
    accounts: Accounts,
    sessions: Sessions,
    elapsed: np.ndarray,
    parameters: WorldParameters,
) -> EventBatch:
    """What people do in their sessions: pages, features, contents, and the errors that they run into."""
    numbers = parameters.usage
    session, is_first = _sessions_of_events(sessions.events)
    account = sessions.account[session]
    is_declining = accounts.archetype[account] == DECLINING
    count = len(session)

    feature = _features(random, accounts, account)
    page_share = np.where(is_first, numbers.entry_page_share, numbers.page_view_share)
    is_page = random.random(count) < page_share
    pricing_share = np.where(is_declining, numbers.pricing_share_declining, numbers.pricing_share)
    is_pricing = random.random(count) < pricing_share
    page = np.where(is_pricing, PAGE_CODES["/pricing"], choose(random, PAGE_WEIGHTS, count))
    place = random.random(count)
    other_shares = (numbers.content_share, numbers.sharing_share, numbers.comparison_share)
    other = np.searchsorted(np.cumsum(other_shares), place, side="right")
    event = np.where(
        is_page, PAGE_VIEWED, np.where(other < len(OTHER_ACTIONS), _OTHER_ACTIONS[other], feature)
    )
    event = np.where(sessions.purpose[session] == FIRST_LOOK, PAGE_VIEWED, event)
    event = np.where(sessions.purpose[session] == EXPORTING, EXPORT_RUN, event)
    page = np.where(event == PAGE_VIEWED, page, np.minimum(event, PAGE_CODES["/home"]))
    page = np.where(event == CONTENT_VIEWED, PAGE_CODES["/learn"], page)

    comes_from = random.random(count)
    referrer = choose(random, REFERRER_WEIGHTS, count)
    campaign = choose(random, CAMPAIGN_WEIGHTS, count)
    topic = choose(random, CONTENT_TOPIC_WEIGHTS, count)
    usage = make_events(
        event,
        account,
        sessions.starts_at[session] + elapsed,
        member=sessions.member[session],
        device=sessions.device[session],
        machine=sessions.machine[session],
        session=session,
        delay=sessions.delay[session],
        page=page,
        referrer=np.where(is_first & (comes_from < numbers.referrer_share), referrer, NONE),
        campaign=np.where(is_first & (comes_from < numbers.campaign_share), campaign, NONE),
        properties=_TOPICS.take(pa.array(topic, mask=event != CONTENT_VIEWED)),
    )
    return concatenate([usage, *_machinery(random, accounts, usage, numbers)])


def elapsed_in_sessions(random: np.random.Generator, events: np.ndarray, numbers: UsageNumbers) -> np.ndarray:
    """For each event of sessions with so many events, the milliseconds since the session's start."""
    session, is_first = _sessions_of_events(events)
    gaps = numbers.gap_median_seconds * np.exp(numbers.gap_spread * random.standard_normal(len(session)))
    gaps = (np.minimum(gaps, numbers.gap_largest_seconds) * SECOND).astype(np.int64)
    gaps[is_first] = 0
    elapsed = np.cumsum(gaps)
    elapsed -= elapsed[is_first][session]
    longest = int(numbers.longest_session_seconds * SECOND)
    length = elapsed[_last_events(events)]
    factor = np.minimum(1, longest / np.maximum(length, 1))
    return (elapsed * factor[session]).astype(np.int64)


def draw_delays(random: np.random.Generator, device: np.ndarray, numbers: DeliveryNumbers) -> np.ndarray:
    """Milliseconds for which a device keeps its events: mostly none, now and then hours to weeks."""
    share = np.where(device == PHONE, numbers.late_share_phone, numbers.late_share_computer)
    count = len(device)
    kind = choose(random, numbers.late_shares, count)
    hours = random.exponential(numbers.late_hours_mean, count) * HOUR
    days = random.uniform(*numbers.late_days_range, count) * DAY
    weeks = random.uniform(*numbers.late_weeks_range, count) * DAYS_PER_WEEK * DAY
    delay = np.choose(kind, [hours, days, weeks])
    return np.where(random.random(count) < share, delay, 0).astype(np.int64)


def _session_starts(
    random: np.random.Generator,
    accounts: Accounts,
    anomalies: Anomalies,
    week: Week,
    parameters: WorldParameters,
) -> tuple[np.ndarray, np.ndarray]:
    """Accounts and start times of sessions, before sign-ups and cancellations are considered."""
    numbers = parameters.usage
    present = np.flatnonzero(is_signed_up(accounts, week))
    weekday_weights = np.tile(numbers.weekday_weights, (len(present), 1))
    is_power = accounts.archetype[present] == POWER
    weekday_weights[is_power, 5:] = numbers.weekend_weight_power
    weekday_weights *= usage_factors(week, parameters.season)
    chances = _daily_probability(accounts, present, week, numbers)
    variation = numbers.weekly_variation * random.standard_normal(len(present))
    chances = np.where(is_power, chances, chances * np.exp(variation))
    kind = anomalies.kind[present]
    chances = np.where(kind == SUDDEN_DROP, chances * parameters.anomaly.drop_factor, chances)
    chances = np.minimum(chances[:, None] * weekday_weights, numbers.daily_probability_largest)
    row, day = np.nonzero(random.random((len(present), DAYS_PER_WEEK)) < chances)
    members = accounts.members()[present[row]]
    extra = numbers.extra_sessions_per_day + numbers.extra_sessions_per_member * (members - 1)
    count = 1 + random.poisson(extra)
    spiked = np.maximum(count, random.poisson(count * parameters.anomaly.spike_factor))
    count = np.where(kind[row] == SPIKE, spiked, count)
    time_of_day = _in_bursts(random, _times_of_day(random, int(count.sum()), numbers), count, numbers)
    account, day, kind = np.repeat(present[row], count), np.repeat(day, count), np.repeat(kind[row], count)
    # the day becomes the night, but for the hours at which nobody is awake
    opens, closes = (int(hour * HOUR) for hour in (numbers.day_opens_hour, numbers.day_closes_hour))
    shift = int(parameters.anomaly.pattern_break_hours * HOUR)
    broken = opens + (time_of_day - opens + shift) % (closes - opens)
    time_of_day = np.where(kind == PATTERN_BREAK, broken, time_of_day)
    return account, week.day_starts[accounts.zone[account], day] + time_of_day


def _daily_probability(
    accounts: Accounts, present: np.ndarray, week: Week, numbers: UsageNumbers
) -> np.ndarray:
    archetype = accounts.archetype[present]
    chances = np.take(numbers.daily_probability, archetype)
    declines_from = np.where(accounts.declined_from_power[present], POWER, CASUAL)
    shrunk = numbers.decline_per_week ** accounts.weeks_in_archetype[present]
    chances = np.where(
        archetype == DECLINING, np.take(numbers.daily_probability, declines_from) * shrunk, chances
    )
    is_busy = (archetype == SEASONAL) & is_in_season(accounts.season_phase[present], week)
    chances = np.where(is_busy, numbers.daily_probability_in_season, chances)
    has_habit = (archetype != POWER) & ~((archetype == DECLINING) & (declines_from == POWER))
    return np.where(has_habit, chances * accounts.habit[present], chances)


def _times_of_day(random: np.random.Generator, count: int, numbers: UsageNumbers) -> np.ndarray:
    """Milliseconds after the start of the day, from its peaks; nights belong to the evening before."""
    shares, hours, spreads = (np.array(column) for column in zip(*numbers.day_peaks, strict=True))
    peak = choose(random, tuple(shares), count)
    hour = hours[peak] + spreads[peak] * random.standard_normal(count)
    latest = numbers.day_closes_hour - 1 / 60
    is_night = (hour < numbers.day_opens_hour) | (hour > latest)
    hour = np.where(is_night, random.uniform(8, 23, count), hour)
    return (hour * HOUR).astype(np.int64) + random.integers(0, 60 * SECOND, count)


def _in_bursts(
    random: np.random.Generator, time_of_day: np.ndarray, count: np.ndarray, numbers: UsageNumbers
) -> np.ndarray:
    """The further sessions of a day follow its first one; where there are very many, they fill the day."""
    first = np.repeat(np.cumsum(count) - count, count)
    follows = (np.arange(len(time_of_day)) > first) & (np.repeat(count, count) <= numbers.burst_largest)
    pause = random.exponential(numbers.burst_hours_mean * HOUR, len(time_of_day)).astype(np.int64)
    left = int(numbers.day_closes_hour * HOUR) - MINUTE - time_of_day[first]
    # an evening that is too short for the pause has room for a shorter one
    pause = np.where(pause < left, pause, (random.random(len(pause)) * left).astype(np.int64))
    return np.where(follows, time_of_day[first] + pause, time_of_day)


def _sessions_of_people(
    random: np.random.Generator,
    accounts: Accounts,
    account: np.ndarray,
    starts_at: np.ndarray,
    week: Week,
    parameters: WorldParameters,
) -> Sessions:
    """Who of the team it was, and on which of their machines. Delays and events are still to be drawn."""
    numbers = parameters.usage
    member = _members(random, accounts, account, numbers)
    home, shared = (
        identifiers.person_scatter(account, member, purpose, parameters.seed)
        for purpose in (identifiers.HOME_COMPUTER_OWNED, identifiers.COMPUTER_SHARED)
    )
    has_home_computer = home < numbers.home_computer_share
    shares_computer = (shared < numbers.shared_computer_share) & (member > OWNER)
    is_home = has_home_computer & (random.random(len(account)) < numbers.home_computer_use)
    device = np.where(is_home, HOME_COMPUTER, COMPUTER)
    device = np.where(random.random(len(account)) < numbers.phone_share, PHONE, device)
    whose = np.where(shares_computer & (device == COMPUTER), OWNER, member)
    machine = identifiers.machines(account, whose, device)
    memory = identifiers.machine_scatter(machine, identifiers.MEMORY, parameters.seed)
    shortest, longest = numbers.forgetful_weeks
    lifetime = (shortest + (longest - shortest) * memory / numbers.forgetful_share).astype(np.int64)
    weeks_known = week.number - accounts.signup_week[account]
    generation = np.where(memory < numbers.forgetful_share, weeks_known // lifetime, 0)
    return _undrawn_sessions(
        account,
        starts_at,
        USUAL,
        member=member,
        device=device,
        machine=identifiers.machines(account, whose, device, generation),
    )


def _sessions_of_owners(account: np.ndarray, starts_at: np.ndarray, purpose: int) -> Sessions:
    owner = np.full(len(account), OWNER)
    machine = identifiers.machines(account, owner, COMPUTER)
    return _undrawn_sessions(
        account, starts_at, purpose, member=owner, device=np.full(len(account), COMPUTER), machine=machine
    )


def _undrawn_sessions(
    account: np.ndarray,
    starts_at: np.ndarray,
    purpose: int,
    *,
    member: np.ndarray,
    device: np.ndarray,
    machine: np.ndarray,
) -> Sessions:
    nothing = np.zeros(len(account), dtype=np.int64)
    return Sessions(
        account=account,
        member=member,
        device=device,
        machine=machine,
        starts_at=starts_at,
        ends_at=starts_at,
        delay=nothing,
        events=nothing,
        purpose=np.full(len(account), purpose),
    )


def _members(
    random: np.random.Generator, accounts: Accounts, account: np.ndarray, numbers: UsageNumbers
) -> np.ndarray:
    """Who of the team it was: position 0 is the owner, then the others in the order they came."""
    place = random.random(len(account)) ** numbers.member_skew
    position = (place * np.maximum(accounts.members()[account], 1)).astype(np.int64)
    return np.where(position == 0, OWNER, OWNER + accounts.removed[account] + position)


def _exports(
    random: np.random.Generator,
    accounts: Accounts,
    anomalies: Anomalies,
    week: Week,
    cancels_at: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Accounts and start times of the sessions in which a person or a script exports everything."""
    account = np.flatnonzero(np.isin(anomalies.kind, (OUTLIER_ACTIONS, SUSPICIOUS_ACTIVITY)))
    starts_at = working_times(random, week, len(account), accounts.zone[account])
    in_time = starts_at < cancels_at[account]
    return account[in_time], starts_at[in_time]


def _event_counts(
    random: np.random.Generator,
    accounts: Accounts,
    anomalies: Anomalies,
    sessions: Sessions,
    parameters: WorldParameters,
) -> np.ndarray:
    numbers, unusual = parameters.usage, parameters.anomaly
    mean = np.take(numbers.events_per_session, accounts.archetype[sessions.account])
    count = random.geometric(1 / mean)
    count = np.minimum(count, numbers.events_per_session_largest)
    is_script = anomalies.kind[sessions.account] == SUSPICIOUS_ACTIVITY
    exports = np.where(
        is_script,
        random.integers(*unusual.script_events, len(count)),
        random.integers(*unusual.outlier_events, len(count)),
    )
    return np.where(sessions.purpose == EXPORTING, exports, count)


def _at_constant_pace(
    elapsed: np.ndarray, events: np.ndarray, is_script: np.ndarray, seconds: float
) -> np.ndarray:
    session, is_first = _sessions_of_events(events)
    running = np.arange(len(session)) - np.flatnonzero(is_first)[session]
    return np.where(is_script[session], running * int(seconds * SECOND), elapsed)


def _without_touching(
    accounts: Accounts, sessions: Sessions, elapsed: np.ndarray, week: Week, numbers: UsageNumbers
) -> tuple[Sessions, np.ndarray]:
    """The sessions sorted by account and start, so late that no two of a person, and then no two of a
    machine, come close to each other.

    Those that would have to wait for hours, or beyond the end of the week, do not take place.
    """
    length = elapsed[_last_events(sessions.events)]
    taken = length + int(numbers.pause_smallest_seconds * SECOND)
    person = identifiers.machines(sessions.account, sessions.member, 0)
    starts_at = _one_after_another(person, sessions.starts_at, taken)
    starts_at = _one_after_another(sessions.machine, starts_at, taken)
    last_day = week.day_starts[accounts.zone[sessions.account], DAYS_PER_WEEK - 1]
    closes_at = last_day + int(numbers.day_closes_hour * HOUR)
    takes_place = (starts_at <= sessions.starts_at + 3 * HOUR) & (starts_at <= closes_at)
    takes_place |= sessions.purpose == FIRST_LOOK
    kept = np.flatnonzero(takes_place)
    kept = kept[np.lexsort((starts_at[kept], sessions.account[kept]))]
    first = np.cumsum(sessions.events) - sessions.events
    held = replace(
        take_sessions(sessions, kept), starts_at=starts_at[kept], ends_at=(starts_at + length)[kept]
    )
    session, is_first = _sessions_of_events(held.events)
    running = np.arange(len(session)) - np.flatnonzero(is_first)[session]
    return held, elapsed[first[kept][session] + running]


def _one_after_another(group: np.ndarray, starts_at: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The starts, each moved behind what the earlier ones of its group take."""
    order = np.lexsort((starts_at, group))
    starts, taken = starts_at[order], taken[order]
    # the largest, over the sessions of the group up to this one, of its start and all that is taken since
    before = np.cumsum(taken) - taken
    number = np.cumsum(np.diff(group[order], prepend=group[order][:1]) != 0)
    span = np.ptp(starts) + taken.sum() + 1 if len(starts) else 0
    moved = np.empty_like(starts_at)
    moved[order] = np.maximum.accumulate(starts - before + number * span) + before - number * span
    return moved


def _machinery(
    random: np.random.Generator, accounts: Accounts, usage: EventBatch, numbers: UsageNumbers
) -> list[EventBatch]:
    """What programs send along with what people do, moments after it: errors, and events of no taxonomy."""
    has_bad_week = random.random(len(accounts)) < numbers.bad_week_rate
    share = np.where(has_bad_week[usage.account], numbers.error_share_bad_week, numbers.error_share)
    fails = np.flatnonzero(random.random(len(usage)) < share)
    unlisted = np.flatnonzero(random.random(len(usage)) < numbers.unlisted_share)
    code = choose(random, ERROR_WEIGHTS, len(fails))
    which = random.integers(0, len(UNLISTED_EVENTS), len(unlisted))
    return [
        _along_with(
            random,
            usage,
            fails,
            "error_shown",
            json_objects({"code": pa.array(ERROR_CODES).take(pa.array(code))}),
        ),
        _along_with(random, usage, unlisted, np.take(_UNLISTED_EVENTS, which), None),
    ]


def _along_with(
    random: np.random.Generator,
    usage: EventBatch,
    positions: np.ndarray,
    event: str | np.ndarray,
    properties: pa.Array | None,
) -> EventBatch:
    return make_events(
        event,
        usage.account[positions],
        usage.occurred_at[positions] + random.integers(SECOND, 3 * SECOND, len(positions)),
        member=usage.member[positions],
        device=usage.device[positions],
        machine=usage.machine[positions],
        session=usage.session[positions],
        delay=usage.delay[positions],
        page=usage.page[positions],
        properties=properties,
    )


def _features(random: np.random.Generator, accounts: Accounts, account: np.ndarray) -> np.ndarray:
    """A feature for each event, by the archetype's weights and the account's own preference."""
    weights = np.tile(np.array(FEATURE_WEIGHTS_EVERYDAY, dtype=np.float32), (len(accounts), 1))
    weights[accounts.archetype == NEW] = FEATURE_WEIGHTS_BEGINNER
    weights[accounts.archetype == POWER] = FEATURE_WEIGHTS_POWER
    limits = np.cumsum(weights * accounts.feature_preference, axis=1)
    limits /= limits[:, -1:]
    chosen = (random.random(len(account), dtype=np.float32)[:, None] >= limits[account]).sum(axis=1)
    return np.minimum(chosen, len(FEATURE_EVENTS) - 1)


def _sessions_of_events(events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For sessions with so many events each: the session of every event, and whether it is the first."""
    session = np.repeat(np.arange(len(events)), events)
    return session, np.diff(session, prepend=-1) > 0


def _last_events(events: np.ndarray) -> np.ndarray:
    return np.cumsum(events) - 1
