from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from simulation.accounts import KNOWN_AT_START, Accounts, found_accounts
from simulation.catalogue import CONTENT_TOPICS, EVENTS, MESSAGE_CHANNELS, OPT_OUT_REASONS
from simulation.chance import stream
from simulation.commerce import offer_of
from simulation.events import EventBatch
from simulation.identifiers import account_ids
from simulation.messages import OWNER, Readers, found_readers, readers_table, send_messages
from simulation.parameters import CANCELLED, CASUAL, DORMANT, MessageNumbers, WorldParameters
from simulation.weeks import HOUR, SECOND, Week, weeks_of, zones_of

# Long enough for the clocks to change in autumn.
# People leave more readily than in the demo, so that there is something to see.
PARAMETERS = WorldParameters(
    customers=1_500, weeks=18, seed=4, message=replace(MessageNumbers(), opt_out_offset=-4.0)
)
WEEKS = list(weeks_of(PARAMETERS))
CONTENT = {"message_id", "message_channel", "campaign_id", "topic"}


@dataclass(frozen=True)
class Post:
    """What a world of readers got and did: its events with their properties, and its truth."""

    accounts: Accounts
    readers: Readers
    events: pd.DataFrame
    messages: pd.DataFrame

    def named(self, event: str) -> pd.DataFrame:
        return self.events[self.events["event"] == event]


def _accounts(parameters: WorldParameters = PARAMETERS) -> Accounts:
    accounts = found_accounts(parameters)
    accounts.archetype[:] = CASUAL
    return accounts


def _table(batch: EventBatch) -> pd.DataFrame:
    given = pd.DataFrame([json.loads(text) for text in batch.properties.to_pylist()])
    return pd.DataFrame(
        {
            "event": np.array(EVENTS)[batch.event],
            "account": batch.account,
            "member": batch.member,
            "machine": batch.machine,
            "occurred_at": batch.occurred_at,
            "properties": [json.loads(text) for text in batch.properties.to_pylist()],
        }
    ).join(given)


def _send(accounts: Accounts, readers: Readers, week: Week, parameters: WorldParameters = PARAMETERS):
    return send_messages(
        stream(parameters.seed, "messages", week.number), accounts, readers, week, parameters
    )


def _live(accounts: Accounts) -> Post:
    readers = found_readers(PARAMETERS)
    told, truth = [], []
    for week in WEEKS:
        events, messages = _send(accounts, readers, week)
        told.append(_table(events))
        truth.append(messages.to_pandas())
    messages = pd.concat(truth, ignore_index=True)
    account = messages["account_id"].str[2:].astype(int)
    messages["account"] = account
    messages["is_preferred"] = (
        messages["channel"] == np.array(MESSAGE_CHANNELS)[readers.preferred_channel[account]]
    )
    messages["hours_away"] = np.abs(messages["sent_hour_local"] - readers.preferred_hour[account])
    messages["is_wanted_topic"] = (
        messages["topic"] == np.array(CONTENT_TOPICS)[readers.preferred_topic[account]]
    )
    return Post(accounts, readers, pd.concat(told, ignore_index=True), messages)


@pytest.fixture(scope="module")
def post() -> Post:
    return _live(_accounts())


def test_few_messages_are_sent_and_at_most_one_a_week(post: Post) -> None:
    weeks = sum(int((post.accounts.signup_week <= week.number).sum()) for week in WEEKS)
    assert 0.2 < len(post.messages) / weeks <= 0.35
    assert not post.messages.duplicated(["account_id", "review_week"]).any()
    assert post.messages["message_id"].is_unique
    undisturbed = WorldParameters(customers=4_000, weeks=6, seed=1)
    accounts = _accounts(undisturbed)
    accounts.signup_week[:] = KNOWN_AT_START
    readers = found_readers(undisturbed)
    sent = [len(_send(accounts, readers, week, undisturbed)[1]) for week in weeks_of(undisturbed)]
    assert 0.3 < sum(sent) / (6 * 4_000) <= 0.35


def test_nobody_gets_a_message_on_a_channel_that_they_left_or_never_joined(post: Post) -> None:
    consents: dict[tuple[int, str], bool] = {}
    left = 0
    rows = post.events.sort_values("occurred_at", kind="stable")
    for event, account, channel in rows[["event", "account", "message_channel"]].itertuples(index=False):
        if event == "channel_subscribed":
            assert (account, channel) not in consents
            consents[account, channel] = True
        elif event == "channel_unsubscribed":
            assert consents[account, channel]
            consents[account, channel] = False
            left += 1
        elif event == "message_sent":
            assert consents[account, channel]
    assert left > 100
    for (account, channel), holds in consents.items():
        assert post.readers.subscribed[account, MESSAGE_CHANNELS.index(channel)] == holds


def test_people_who_left_every_channel_are_left_alone(post: Post) -> None:
    unsubscribed = post.named("channel_unsubscribed").groupby("account")["occurred_at"].max()
    alone = [account for account in unsubscribed.index if not post.readers.subscribed[account].any()]
    assert len(alone) > 10
    sent = post.named("message_sent").groupby("account")["occurred_at"].max()
    assert (sent[alone] < unsubscribed[alone]).all()


def test_first_consents_come_with_the_sign_up_and_those_of_older_accounts_are_imported(post: Post) -> None:
    given = post.named("channel_subscribed")
    signup_week = post.accounts.signup_week[given["account"]]
    is_import = signup_week == KNOWN_AT_START
    assert 0.2 < is_import.mean() < 0.5
    assert (given.loc[is_import, "occurred_at"] == WEEKS[0].day_starts[0, 0] + 6 * HOUR).all()
    waits = given["occurred_at"] - post.accounts.signed_up_at[given["account"]]
    assert waits[~is_import].between(1, 90 * SECOND).all()
    shares = given.groupby("message_channel")["account"].nunique() / PARAMETERS.customers
    assert shares[list(MESSAGE_CHANNELS)].to_numpy() == pytest.approx(
        PARAMETERS.message.first_consent_shares, abs=0.04
    )


def test_newcomers_and_those_who_cancelled_get_nothing() -> None:
    accounts = _accounts()
    accounts.signup_week[:] = KNOWN_AT_START
    accounts.archetype[:500] = CANCELLED
    accounts.signup_week[500:1000] = WEEKS[5].number
    _, messages = _send(accounts, found_readers(PARAMETERS), WEEKS[5])
    assert messages["account_id"].to_pandas().min() >= "a_001000"
    assert len(messages) > 200


def test_messages_are_opened_more_where_and_when_and_about_what_their_readers_like(post: Post) -> None:
    sent = post.messages
    is_email = sent["channel"] == "email"
    opened = sent[is_email].groupby("is_preferred")["is_opened"].mean()
    assert opened[True] > 1.5 * opened[False]
    assert sent["is_preferred"].mean() < 0.6  # so there is much to learn
    near, far = (
        sent[hours]["is_opened"].mean() for hours in (sent["hours_away"] <= 1, sent["hours_away"] >= 6)
    )
    assert near > 1.4 * far
    topic = sent.groupby("is_wanted_topic")["is_opened"].mean()
    assert topic[True] > 1.2 * topic[False]
    interest = post.readers.interest[sent["account"]]
    assert sent[interest > 0.4]["is_opened"].mean() > 1.5 * sent[interest < -0.4]["is_opened"].mean()


def test_opens_come_with_the_chance_that_the_truth_tells(post: Post) -> None:
    chance, is_opened = post.messages["open_probability"], post.messages["is_opened"]
    assert chance.between(0, 1).all()
    assert abs(is_opened.sum() - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())
    high, low = chance > chance.quantile(0.8), chance < chance.quantile(0.2)
    assert is_opened[high].mean() > 3 * is_opened[low].mean()
    assert 0.15 < is_opened.mean() < 0.35


def test_tired_and_absent_readers_open_less_and_leave_more() -> None:
    accounts = _accounts()
    accounts.signup_week[:] = KNOWN_AT_START
    shares, leaving, too_many = {}, {}, {}
    for name, fatigue, archetype in (("fresh", 0, CASUAL), ("tired", 4, CASUAL), ("absent", 0, DORMANT)):
        readers = found_readers(PARAMETERS)
        readers.fatigue[:] = fatigue
        accounts.archetype[:] = archetype
        events, messages = _send(accounts, readers, WEEKS[5])
        shares[name] = messages["open_probability"].to_numpy().mean()
        left = _table(events).query("event == 'channel_unsubscribed'")
        leaving[name] = len(left)
        too_many[name] = (left["reason"] == "too_many").mean() if len(left) else 0
        assert (readers.fatigue < fatigue * 0.76 + 1.01).all()
    assert shares["tired"] < 0.6 * shares["fresh"]
    assert shares["absent"] < 0.6 * shares["fresh"]
    assert leaving["tired"] > 3 * leaving["fresh"] > 0
    assert too_many["tired"] > 0.5 > too_many["fresh"]


def test_fatigue_counts_the_messages_of_the_last_weeks(post: Post) -> None:
    memory = PARAMETERS.message.fatigue_memory
    age = (
        len(WEEKS)
        - 1
        - (pd.to_datetime(post.messages["review_week"]) - pd.Timestamp(WEEKS[0].monday)).dt.days / 7
    )
    expected = np.bincount(post.messages["account"], weights=memory**age, minlength=PARAMETERS.customers)
    assert post.readers.fatigue == pytest.approx(expected)


def test_answers_follow_their_message_within_days(post: Post) -> None:
    times = {
        event: post.named(event).set_index("message_id")["occurred_at"]
        for event in ("message_sent", "message_opened", "message_clicked")
    }
    truth = post.messages.set_index("message_id")
    assert set(times["message_sent"].index) == set(truth.index)
    assert set(times["message_opened"].index) == set(truth.index[truth["is_opened"]])
    assert set(times["message_clicked"].index) == set(truth.index[truth["is_clicked"]])
    assert truth.loc[truth["is_clicked"], "is_opened"].all()
    assert 0.1 < truth["is_clicked"].sum() / truth["is_opened"].sum() < 0.4
    hours = (times["message_opened"] - times["message_sent"][times["message_opened"].index]) / HOUR
    assert (hours > 0).all()
    assert hours.max() < 73
    medians = hours.groupby(truth["channel"]).median()
    assert medians["sms"] < medians["email"] < medians["in_app"]
    assert medians["email"] == pytest.approx(3, rel=0.3)
    minutes = (times["message_clicked"] - times["message_opened"][times["message_clicked"].index]) / HOUR * 60
    assert minutes.between(0, 61, inclusive="right").all()


def test_messages_leave_at_their_hour_of_the_readers_own_clock(post: Post) -> None:
    truth = post.messages.set_index("message_id")
    sent = post.named("message_sent").set_index("message_id")
    for position, zone in enumerate(zones_of(PARAMETERS)):
        there = sent[post.accounts.zone[sent["account"]] == position]
        local = pd.to_datetime(there["occurred_at"], unit="ms", utc=True).dt.tz_convert(zone)
        assert len(there) > 50
        assert (local.dt.hour == truth.loc[there.index, "sent_hour_local"]).all()
        monday = pd.to_datetime(truth.loc[there.index, "review_week"]).dt.tz_localize(zone)
        assert ((local - monday).dt.total_seconds() > 0).all()
        assert local.dt.weekday.isin([1, 2, 3, 4, 5]).all()
    assert sorted(truth["sent_hour_local"].unique()) == list(range(7, 21))


def test_all_events_name_the_owner_and_what_they_are_about(post: Post) -> None:
    assert (post.events["member"] == OWNER).all()
    assert (post.events["machine"] == 0).all()
    for event, properties in post.events[["event", "properties"]].itertuples(index=False):
        if event == "channel_subscribed":
            assert set(properties) == {"message_channel"}
        elif event == "channel_unsubscribed":
            assert set(properties) == {"message_channel", "reason"}
            assert properties["reason"] in OPT_OUT_REASONS
        else:
            assert set(properties) - {"coupon", "offer_id"} == CONTENT
            assert ("coupon" in properties) == ("offer_id" in properties)


def test_offers_are_sent_in_their_weeks_with_the_coupon_of_the_shop(post: Post) -> None:
    sent = post.named("message_sent").set_index("message_id")
    truth = post.messages.set_index("message_id")
    offers = {week.monday: offer_of(week, PARAMETERS.commerce) for week in WEEKS}
    assert set(truth.loc[truth["is_offer"], "review_week"]) == {day for day, offer in offers.items() if offer}
    for message_id, week, is_offer in truth[["review_week", "is_offer"]].itertuples():
        properties = sent.loc[message_id, "properties"]
        assert is_offer == (offers[week] is not None) == ("coupon" in properties)
        if is_offer:
            assert properties["coupon"] == offers[week].coupon
            assert properties["campaign_id"] == properties["offer_id"] == offers[week].offer_id
        else:
            assert properties["campaign_id"].split("_")[0] in {"tips", "newsletter"}


def test_the_same_seed_sends_the_same(post: Post) -> None:
    again = _live(_accounts())
    pd.testing.assert_frame_equal(again.messages, post.messages)
    pd.testing.assert_frame_equal(again.events, post.events)
    other = found_readers(replace(PARAMETERS, seed=5))
    assert not np.array_equal(other.interest, post.readers.interest)


def test_a_week_without_anybody_has_the_same_columns(post: Post) -> None:
    parameters = WorldParameters(customers=1, weeks=1, seed=0)
    accounts = _accounts(parameters)
    accounts.signup_week[:] = 7
    for week in (WEEKS[0], WEEKS[5]):
        events, messages = _send(accounts, found_readers(parameters), week, parameters)
        assert len(events) == len(messages) == 0
        assert messages.schema.names == [
            *("message_id", "account_id", "review_week", "channel", "sent_hour_local", "topic", "is_offer"),
            *("open_probability", "is_opened", "is_clicked"),
        ]
        assert messages.schema == _send(_accounts(), found_readers(PARAMETERS), week)[1].schema


def test_the_truth_about_readers_has_a_row_per_account(post: Post) -> None:
    table = readers_table(post.readers, PARAMETERS)
    assert table["account_id"].combine_chunks().equals(account_ids(np.arange(1_500), 1_500))
    assert set(table["preferred_channel"].to_pylist()) == set(MESSAGE_CHANNELS)
    assert set(table["preferred_topic"].to_pylist()) == set(CONTENT_TOPICS)
    assert all(0 <= hour < 24 for hour in table["preferred_hour_local"].to_pylist())
    assert abs(np.mean(table["interest"])) < 0.1


def test_planted_tables_cover_every_channel_day_and_hour() -> None:
    numbers = MessageNumbers()
    for by_channel in (
        numbers.channel_weights,
        numbers.first_consent_shares,
        numbers.preferred_channel_weights,
        numbers.open_offsets,
        numbers.hours_to_open_medians,
    ):
        assert len(by_channel) == len(MESSAGE_CHANNELS)
    assert len(numbers.preferred_hour_weights) == 24
    assert len(numbers.day_weights) == 7
    # the first day is left out, as consents are imported on it
    assert numbers.day_weights[0] == 0
