"""Messages to the owners: newsletters, tips and offers, how they are taken, and consents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import KNOWN_AT_START, Accounts, is_staying
from simulation.catalogue import (
    CONTENT_TOPIC_WEIGHTS,
    CONTENT_TOPICS,
    MESSAGE_CHANNELS,
    OPT_OUT_REASONS,
)
from simulation.chance import choose, stream
from simulation.commerce import Offer, offer_of
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import json_objects
from simulation.parameters import DORMANT, MessageNumbers, WorldParameters
from simulation.weeks import HOUR, MINUTE, SECOND, Week, week_column

OWNER = 1
OFFER_TOPIC = CONTENT_TOPICS.index("product_news")
IMPORT_HOUR = 6  # of the world's first day: before, consents lay in another system
TOO_MANY, NOT_RELEVANT = range(len(OPT_OUT_REASONS))


@dataclass
class Readers:
    """The owners of all accounts as readers of messages, by account.

    Fixed: everything above the blank line. The rest is the state at the end of the last simulated week.
    subscribed: customers × MESSAGE_CHANNELS; before an account's sign-up the consents that it will give.
    """

    preferred_channel: np.ndarray
    preferred_hour: np.ndarray  # of the day, local
    preferred_topic: np.ndarray
    interest: np.ndarray  # on the logit of opening; mean 0

    subscribed: np.ndarray
    fatigue: np.ndarray  # fading count of messages


@dataclass(frozen=True)
class _Messages:
    """Messages of a week as parallel columns, at most one per account.

    sent_hour: of the day, local; sent_at: UTC milliseconds; properties: JSON, told with each event.
    """

    message_id: pa.Array
    account: np.ndarray
    channel: np.ndarray
    topic: np.ndarray
    sent_hour: np.ndarray
    sent_at: np.ndarray
    properties: pa.Array

    def __len__(self) -> int:
        return len(self.account)


def found_readers(parameters: WorldParameters) -> Readers:
    """All owners of the world as readers, before its first week."""
    numbers = parameters.message
    customers = parameters.customers
    random = stream(parameters.seed, "readers")
    consents = random.random((customers, len(MESSAGE_CHANNELS))) < numbers.first_consent_shares
    return Readers(
        preferred_channel=choose(random, numbers.preferred_channel_weights, customers).astype(np.int8),
        preferred_hour=choose(random, numbers.preferred_hour_weights, customers).astype(np.int8),
        preferred_topic=choose(random, CONTENT_TOPIC_WEIGHTS, customers).astype(np.int8),
        interest=numbers.interest_spread * random.standard_normal(customers),
        subscribed=consents,
        fatigue=np.zeros(customers),
    )


def send_messages(
    random: np.random.Generator,
    accounts: Accounts,
    readers: Readers,
    week: Week,
    parameters: WorldParameters,
) -> tuple[EventBatch, pa.Table]:
    """The week's messages, what became of them, and the consents given and withdrawn.

    Changes the consents and the fatigue of the readers in place. The first message comes in the week after
    the sign-up; answers may come up to three days after their message, so after the week. The table is the
    truth `messages`, one row per message: when it left (sent_hour_local), the chance with which it was opened
    (open_probability), and what became of it. Who gets what is drawn in `_address`: marketing touches and
    experiments with a known uplift will choose there, and this table will tell whom they reached.
    """
    numbers = parameters.message
    offer = offer_of(week, parameters.commerce)
    consents = _first_consents(random, accounts, readers, week, numbers)
    messages = _address(random, accounts, readers, week, offer, parameters)
    count, account = len(messages), messages.account

    open_probability = _open_probability(accounts, readers, messages, offer, numbers)
    is_opened = random.random(count) < open_probability
    is_clicked = is_opened & (random.random(count) < _click_share(readers, messages, offer, numbers))
    opt_out_share = _share_of(
        numbers.opt_out_offset
        + numbers.opt_out_fatigue * readers.fatigue[account]
        + numbers.opt_out_interest * readers.interest[account]
    )
    leaves = np.flatnonzero(random.random(count) < opt_out_share)
    seen_at = messages.sent_at + _waits(
        random,
        np.take(numbers.hours_to_open_medians, messages.channel) * HOUR,
        numbers.hours_to_open_spread,
        numbers.hours_to_open_largest * HOUR,
    )
    clicked_at = seen_at + _minutes_on(random, count, numbers)
    left_at = clicked_at[leaves] + _minutes_on(random, len(leaves), numbers)

    opt_outs = make_events(
        "channel_unsubscribed",
        account[leaves],
        left_at,
        member=OWNER,
        properties=json_objects(
            {
                "message_channel": pa.array(MESSAGE_CHANNELS).take(pa.array(messages.channel[leaves])),
                "reason": _opt_out_reasons(random, readers.fatigue[account[leaves]], numbers),
            }
        ),
    )
    opened, clicked = np.flatnonzero(is_opened), np.flatnonzero(is_clicked)
    everyone = np.arange(count)
    happened = [
        consents,
        _message_events("message_sent", messages, everyone, messages.sent_at),
        _message_events("message_opened", messages, opened, seen_at),
        _message_events("message_clicked", messages, clicked, clicked_at),
        opt_outs,
    ]
    readers.subscribed[account[leaves], messages.channel[leaves]] = False
    readers.fatigue *= numbers.fatigue_memory
    readers.fatigue[account] += 1

    truth = pa.table(
        {
            "message_id": messages.message_id,
            "account_id": identifiers.account_ids(account, parameters.customers),
            "review_week": week_column(week, count),
            "channel": pa.array(MESSAGE_CHANNELS).take(pa.array(messages.channel)),
            "sent_hour_local": pa.array(messages.sent_hour, pa.int8()),
            "topic": pa.array(CONTENT_TOPICS).take(pa.array(messages.topic)),
            "is_offer": pa.array(np.full(count, offer is not None)),
            "open_probability": open_probability,
            "is_opened": pa.array(is_opened),
            "is_clicked": pa.array(is_clicked),
        }
    )
    return concatenate(happened), truth


def readers_table(readers: Readers, parameters: WorldParameters) -> pa.Table:
    """Truth, one row per account: what is fixed about its owner as a reader of messages."""
    return pa.table(
        {
            "account_id": identifiers.account_ids(np.arange(len(readers.interest)), parameters.customers),
            "preferred_channel": pa.array(MESSAGE_CHANNELS).take(pa.array(readers.preferred_channel)),
            "preferred_hour_local": readers.preferred_hour,
            "preferred_topic": pa.array(CONTENT_TOPICS).take(pa.array(readers.preferred_topic)),
            "interest": readers.interest,
        }
    )


def _first_consents(
    random: np.random.Generator,
    accounts: Accounts,
    readers: Readers,
    week: Week,
    numbers: MessageNumbers,
) -> EventBatch:
    """Consents given right after the sign-up; those of older accounts are imported on the first day."""
    arrives = accounts.signup_week == week.number
    if week.number == 1:
        arrives = arrives | (accounts.signup_week == KNOWN_AT_START)
    arriving = np.flatnonzero(arrives)
    position, channel = np.nonzero(readers.subscribed[arriving])
    account = arriving[position]
    waits = random.uniform(1, numbers.consent_seconds_largest, len(arriving)) * SECOND
    given_at = accounts.signed_up_at[account] + waits.astype(np.int64)[position]
    imported_at = week.day_starts[0, 0] + IMPORT_HOUR * HOUR
    is_import = accounts.signup_week[account] == KNOWN_AT_START
    consents = json_objects({"message_channel": pa.array(MESSAGE_CHANNELS)})
    return make_events(
        "channel_subscribed",
        account,
        np.where(is_import, imported_at, given_at),
        member=OWNER,
        properties=consents.take(pa.array(channel)),
    )


def _address(
    random: np.random.Generator,
    accounts: Accounts,
    readers: Readers,
    week: Week,
    offer: Offer | None,
    parameters: WorldParameters,
) -> _Messages:
    """Who gets a message in the week, and which, where and when: whatever the readers prefer."""
    numbers = parameters.message
    account = np.flatnonzero(is_staying(accounts, week) & (accounts.signup_week < week.number))
    draw = random.random(len(account))
    share = numbers.offer_share if offer else numbers.newsletter_share + numbers.tip_share
    account, draw = account[draw < share], draw[draw < share]
    has_consent = readers.subscribed[account].any(axis=1)
    account, draw = account[has_consent], draw[has_consent]
    if offer:
        topic = np.full(len(account), OFFER_TOPIC)
        campaigns, campaign = (offer.offer_id,), np.zeros(len(account), dtype=np.int64)
    else:
        is_tip = draw >= numbers.newsletter_share
        any_topic = random.integers(0, len(CONTENT_TOPICS), len(account))
        topic = np.where(is_tip, any_topic, choose(random, CONTENT_TOPIC_WEIGHTS, len(account)))
        tips = [f"tips_{name}" for name in CONTENT_TOPICS]
        campaigns = (*tips, f"newsletter_{week.monday:%Y_%m_%d}")
        campaign = np.where(is_tip, topic, len(tips))
    count = len(account)

    limits = np.cumsum(readers.subscribed[account] * numbers.channel_weights, axis=1)
    channel = (random.random(count)[:, None] * limits[:, -1:] >= limits).sum(axis=1)
    day = choose(random, numbers.day_weights, count)
    sent_hour = random.integers(numbers.first_hour, numbers.last_hour + 1, count)
    wave = (random.random(count) * numbers.sending_minutes * MINUTE).astype(np.int64)
    kind = identifiers.CAMPAIGN_MESSAGE
    message_id = identifiers.thing_ids(
        "m_", identifiers.numbers_in_week(kind, week.number, count, parameters.seed)
    )
    properties = {
        "message_id": message_id,
        "message_channel": pa.array(MESSAGE_CHANNELS).take(pa.array(channel)),
        "campaign_id": pa.array(campaigns).take(pa.array(campaign)),
        "topic": pa.array(CONTENT_TOPICS).take(pa.array(topic)),
    }
    if offer:
        same = pa.array(np.zeros(count, dtype=np.int32))
        properties["coupon"] = pa.array([offer.coupon]).take(same)
        properties["offer_id"] = pa.array([offer.offer_id]).take(same)
    return _Messages(
        message_id=message_id,
        account=account,
        channel=channel,
        topic=topic,
        sent_hour=sent_hour,
        sent_at=week.day_starts[accounts.zone[account], day] + sent_hour * HOUR + wave,
        properties=json_objects(properties),
    )


def _open_probability(
    accounts: Accounts,
    readers: Readers,
    messages: _Messages,
    offer: Offer | None,
    numbers: MessageNumbers,
) -> np.ndarray:
    account = messages.account
    distance = np.abs(messages.sent_hour - readers.preferred_hour[account])
    return _share_of(
        np.take(numbers.open_offsets, messages.channel)
        + readers.interest[account]
        + numbers.preferred_channel_effect * (messages.channel == readers.preferred_channel[account])
        + numbers.hour_effect * np.exp(-((distance / numbers.hour_spread) ** 2) / 2)
        + numbers.topic_effect * (messages.topic == readers.preferred_topic[account])
        + numbers.offer_effect * (offer is not None)
        + numbers.fatigue_effect * readers.fatigue[account]
        + numbers.dormant_effect * (accounts.archetype[account] == DORMANT)
    )


def _click_share(
    readers: Readers, messages: _Messages, offer: Offer | None, numbers: MessageNumbers
) -> np.ndarray:
    """The chance of a click on each message once it is opened."""
    account = messages.account
    return _share_of(
        numbers.click_offset
        + numbers.click_interest * readers.interest[account]
        + numbers.topic_effect * (messages.topic == readers.preferred_topic[account])
        + numbers.click_offer_effect * (offer is not None)
    )


def _opt_out_reasons(random: np.random.Generator, fatigue: np.ndarray, numbers: MessageNumbers) -> pa.Array:
    """The more one got, the likelier it was too much."""
    is_too_many = random.random(len(fatigue)) < fatigue / (fatigue + numbers.too_many_half)
    return pa.array(OPT_OUT_REASONS).take(pa.array(np.where(is_too_many, TOO_MANY, NOT_RELEVANT)))


def _message_events(
    event: str, messages: _Messages, positions: np.ndarray, occurred_at: np.ndarray
) -> EventBatch:
    return make_events(
        event,
        messages.account[positions],
        occurred_at[positions],
        member=OWNER,
        properties=messages.properties.take(pa.array(positions)),
    )


def _share_of(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _waits(
    random: np.random.Generator, median: np.ndarray | float, spread: float, largest: float
) -> np.ndarray:
    """Log-normal waits in whole milliseconds, one for each of the given medians."""
    waits = median * np.exp(spread * random.standard_normal(np.shape(median)))
    return 1 + np.minimum(waits, largest).astype(np.int64)


def _minutes_on(random: np.random.Generator, count: int, numbers: MessageNumbers) -> np.ndarray:
    """Milliseconds until a reader presses something, after looking at the message."""
    return _waits(
        random,
        np.full(count, numbers.minutes_to_click_median * MINUTE),
        numbers.minutes_to_click_spread,
        numbers.minutes_to_click_largest * MINUTE,
    )
