from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from simulation.accounts import KNOWN_AT_START, Accounts, found_accounts
from simulation.catalogue import ABANDONMENT_CAUSES, AFFINITIES, CATEGORIES, EVENTS, PAYMENT_METHODS, PRODUCTS
from simulation.chance import stream
from simulation.commerce import Buyers, buyers_table, found_buyers, offer_of, sell
from simulation.events import NO_ACCOUNT, NO_DEVICE, NOBODY, EventBatch
from simulation.identifiers import account_ids
from simulation.parameters import CANCELLED, CASUAL, CommerceNumbers, WorldParameters
from simulation.sessions import MOST_STEPS, STEP, Sessions
from simulation.weeks import HOUR, Week, weeks_of

PARAMETERS = WorldParameters(customers=2_000, weeks=24, seed=9)
WEEKS = list(weeks_of(PARAMETERS))
AN_OFFER = WEEKS[5]
NO_OFFER = WEEKS[6]
VISITS = 6


@dataclass(frozen=True)
class Shop:
    """A week in which everybody shops a lot: its events, by cart and by order, and its truth."""

    buyers: Buyers
    sessions: Sessions
    events: pd.DataFrame
    carts: pd.DataFrame

    def named(self, event: str) -> pd.DataFrame:
        return self.events[self.events["event"] == event]


def _accounts(parameters: WorldParameters = PARAMETERS) -> Accounts:
    """Accounts that are all there already."""
    accounts = found_accounts(parameters)
    accounts.signup_week[:] = KNOWN_AT_START
    accounts.archetype[:] = CASUAL
    return accounts


def _sessions(account: np.ndarray, week: Week) -> Sessions:
    """Sessions of a minute, an hour after each other; the accounts have to be ascending."""
    starts_at = week.starts_at + HOUR * np.arange(len(account)) % (6 * 24 * HOUR)
    one = np.ones(len(account), dtype=np.int64)
    return Sessions(
        account=account,
        member=one,
        device=one,
        machine=1 + account,
        starts_at=starts_at,
        ends_at=starts_at + 60_000,
        delay=0 * one,
        events=one,
        purpose=0 * one,
    )


def _table(batch: EventBatch) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event": np.array(EVENTS)[batch.event],
            "account": batch.account,
            "member": batch.member,
            "device": batch.device,
            "session": batch.session,
            "occurred_at": batch.occurred_at,
            "revenue": batch.revenue,
            "properties": [json.loads(text, parse_float=Decimal) for text in batch.properties.to_pylist()],
        }
    )


def _busy_shop(week: Week, cart_rate: float = 3.0) -> Shop:
    accounts = _accounts()
    buyers = replace(found_buyers(PARAMETERS), cart_rate=np.full(PARAMETERS.customers, cart_rate))
    sessions = _sessions(np.repeat(np.arange(PARAMETERS.customers), VISITS), week)
    events, carts = sell(stream(9, "orders", week.number), accounts, buyers, week, sessions, PARAMETERS)
    carts = carts.to_pandas().assign(account=lambda rows: rows["account_id"].str[2:].astype(int))
    carts["price_sensitivity"] = buyers.price_sensitivity[carts["account"]]
    return Shop(buyers, sessions, _table(events), carts)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return _busy_shop(NO_OFFER)


@pytest.fixture(scope="module")
def offer_shop() -> Shop:
    return _busy_shop(AN_OFFER)


def _baskets(shop: Shop) -> dict[str, list[dict]]:
    return {given["cart_id"]: given["products"] for given in shop.named("product_added")["properties"]}


def _by_sensitivity(carts: pd.DataFrame, values: pd.Series) -> tuple[float, float]:
    """Means over the carts of insensitive and of sensitive buyers."""
    return (
        values[carts["price_sensitivity"] < 0.25].mean(),
        values[carts["price_sensitivity"] > 0.6].mean(),
    )


def test_every_cart_goes_its_way_through_the_shop_as_far_as_its_cause_allows(shop: Shop) -> None:
    ways = defaultdict(dict)
    for row in shop.events.to_dict("records"):
        if "cart_id" in row["properties"]:
            ways[row["properties"]["cart_id"]][row["event"]] = row["occurred_at"]
    assert set(ways) == set(shop.carts["cart_id"])
    paid = ["product_added", "checkout_started", "order_completed"]
    expected = {
        None: [paid],
        "comparing": [paid[:1]],
        "distraction": [paid[:1], paid[:2]],
        "shipping_cost": [paid[:2]],
        "payment_failure": [[*paid[:2], "payment_failed"]],
    }
    for cart_id, is_ordered, cause in shop.carts[["cart_id", "is_ordered", "cause"]].itertuples(index=False):
        way = sorted(ways[cart_id], key=ways[cart_id].get)
        assert way in expected[None if is_ordered else cause]
    assert len(shop.named("product_viewed")) == len(shop.named("product_added")) == len(shop.carts)


def test_a_session_has_one_cart_and_everything_about_it_soon_after_its_end(shop: Shop) -> None:
    assert not shop.named("product_added")["session"].duplicated().any()
    own = shop.events[shop.events["session"] >= 0]
    waits = own["occurred_at"].to_numpy() - shop.sessions.ends_at[own["session"]]
    assert (waits > 0).all()
    assert (waits < MOST_STEPS * STEP).all()
    assert (shop.sessions.account[own["session"]] == own["account"]).all()
    viewed, added = (
        shop.named(event).set_index("session")["occurred_at"] for event in ("product_viewed", "product_added")
    )
    assert (viewed < added).all()


def test_causes_and_failed_payments_match_one_to_one(shop: Shop) -> None:
    failures = shop.named("payment_failed")
    told = [given["cart_id"] for given in failures["properties"]]
    truth = shop.carts.loc[shop.carts["cause"] == "payment_failure", "cart_id"]
    assert len(told) > 50
    assert sorted(told) == sorted(truth)
    assert (failures["device"] == NO_DEVICE).all()
    assert set(shop.carts["cause"].dropna()) == set(ABANDONMENT_CAUSES)
    assert (shop.carts["is_ordered"] == shop.carts["cause"].isna()).all()
    assert (shop.carts["is_ordered"] == shop.carts["order_id"].notna()).all()
    assert 0.5 < shop.carts["is_ordered"].mean() < 0.75


def test_shipping_shocks_those_who_pay_it_and_mind(shop: Shop) -> None:
    carts = shop.carts.set_index("cart_id")
    checkouts = pd.DataFrame(shop.named("checkout_started")["properties"].tolist()).set_index("cart_id")
    assert (carts.loc[checkouts.index, "gross_value"] == checkouts["value"]).all()
    reached = carts.loc[checkouts.index].assign(
        ratio=(checkouts["shipping"] / checkouts["value"]).astype(float), pays=checkouts["shipping"] > 0
    )
    is_shocked = reached["cause"] == "shipping_cost"
    assert reached.loc[is_shocked, "pays"].all()
    assert 0.3 < reached["pays"].mean() < 0.8
    minds_not, minds = _by_sensitivity(reached[reached["pays"]], is_shocked[reached["pays"]])
    assert minds > 3 * minds_not
    assert (
        is_shocked[reached["ratio"] > 0.3].mean()
        > 1.5 * is_shocked[reached["ratio"].between(0, 0.15, inclusive="right")].mean()
    )


def test_orders_add_up_and_hold_what_was_added(shop: Shop, offer_shop: Shop) -> None:
    for each in (shop, offer_shop):
        truth = each.carts.set_index("cart_id")
        baskets = _baskets(each)
        assert (truth["is_ordered"].sum() == len(each.named("order_completed"))) > 0
        for row in each.named("order_completed").to_dict("records"):
            order = row["properties"]
            cart = truth.loc[order["cart_id"]]
            assert order["products"] == baskets[order["cart_id"]]
            gross = sum(line["price"] * line["quantity"] for line in order["products"])
            assert cart["gross_value"] == gross
            assert order["discount"] == cart["discount"]
            assert order["revenue"] == gross - order["discount"] == Decimal(row["revenue"]) / 100
            assert ("coupon" in order) == (order["discount"] > 0)
            assert order["order_id"] == cart["order_id"]


def test_companions_are_bought_together_far_more_often_than_by_chance(shop: Shop) -> None:
    product_ids = [product.product_id for product in PRODUCTS]
    baskets = list(_baskets(shop).values())
    held = np.zeros((len(baskets), len(product_ids)))
    for row, lines in enumerate(baskets):
        chosen = [product_ids.index(line["product_id"]) for line in lines]
        assert len(set(chosen)) == len(chosen)
        held[row, chosen] = 1
    shares = held.mean(axis=0)
    lift = pd.DataFrame(
        held.T @ held / len(held) / np.outer(shares, shares), index=product_ids, columns=product_ids
    )
    companions = {pair for affinity in AFFINITIES for pair in combinations(affinity.products, 2)}
    assert len(companions) >= 8
    assert min(lift.loc[pair] for pair in companions) > 1.8
    companions_lift = np.median([lift.loc[pair] for pair in companions])
    assert companions_lift > 3
    strangers = [
        lift.loc[first.product_id, second.product_id]
        for first, second in combinations(PRODUCTS, 2)
        if first.category != second.category
        and (first.product_id, second.product_id) not in companions
        and (second.product_id, first.product_id) not in companions
    ]
    assert companions_lift > 4 * np.median(strangers)


def test_buyers_prefer_their_category_and_look_at_what_lies_in_or_near_the_basket(shop: Shop) -> None:
    favourite = np.array(CATEGORIES)[shop.buyers.favourite_category]
    own, other = 0, 0
    for row in shop.named("product_added").to_dict("records"):
        categories = {line["category"] for line in row["properties"]["products"]}
        own += favourite[row["account"]] in categories
        other += "books" in categories and favourite[row["account"]] != "books"
    assert own / len(shop.carts) > 0.5
    assert other / (shop.buyers.favourite_category != CATEGORIES.index("books")).mean() < 0.4 * len(
        shop.carts
    )
    added = shop.named("product_added").set_index("session")["properties"]
    is_in = [
        row["properties"]["product_id"] in {line["product_id"] for line in added[row["session"]]["products"]}
        for row in shop.named("product_viewed").to_dict("records")
    ]
    assert 0.6 < np.mean(is_in) < 0.8


def test_the_price_sensitive_use_offers_more_and_abandon_more_and_buy_cheaper(
    shop: Shop, offer_shop: Shop
) -> None:
    orders = offer_shop.carts[offer_shop.carts["is_ordered"]]
    without, with_coupon = _by_sensitivity(orders, orders["discount"] > 0)
    assert with_coupon > 2 * without
    abandons = [_by_sensitivity(each.carts, ~each.carts["is_ordered"]) for each in (shop, offer_shop)]
    assert all(sensitive > 1.3 * insensitive for insensitive, sensitive in abandons)
    dear, cheap = _by_sensitivity(shop.carts, np.log(shop.carts["gross_value"].astype(float)))
    assert cheap < dear - 0.1
    # a coupon calms
    is_sensitive = offer_shop.carts["price_sensitivity"] > 0.4
    has_coupon = offer_shop.carts["discount"] > 0
    is_ordered = offer_shop.carts["is_ordered"]
    assert is_ordered[is_sensitive & has_coupon].mean() > is_ordered[is_sensitive & ~has_coupon].mean() + 0.05


def test_offers_come_every_sixth_week_and_bring_sensitive_buyers(shop: Shop, offer_shop: Shop) -> None:
    numbers = CommerceNumbers()
    offers = {week.number: offer_of(week, numbers) for week in WEEKS}
    assert [number for number, offer in offers.items() if offer] == [6, 12, 18, 24]
    assert len({offer.offer_id for offer in offers.values() if offer}) == 4
    assert offers[6].coupon != offers[12].coupon
    coupons = {given.get("coupon") for given in offer_shop.named("order_completed")["properties"]}
    assert coupons == {None, offers[6].coupon}
    assert offer_shop.carts["has_offer"].all()
    assert not shop.carts["has_offer"].any()

    counts = {}
    for name, week in (("offer", AN_OFFER), ("none", NO_OFFER)):
        carts = _busy_shop(week, cart_rate=0.5).carts
        counts[name] = np.array(
            [(carts["price_sensitivity"] > 0.6).sum(), (carts["price_sensitivity"] < 0.2).sum()]
        )
    lift = counts["offer"] / counts["none"]
    assert lift[0] > 1.3 > lift[1]


def test_the_end_of_the_year_is_the_season() -> None:
    november = next(
        week for week in WEEKS if week.monday.month == 11 and not offer_of(week, PARAMETERS.commerce)
    )
    ordinary, season = (len(_busy_shop(week, cart_rate=0.5).carts) for week in (NO_OFFER, november))
    assert 1.4 * ordinary < season < 1.8 * ordinary


def test_order_values_have_a_heavy_tail(shop: Shop) -> None:
    value = np.sort(shop.carts["gross_value"].astype(float))
    assert 30 < np.median(value) < 90
    assert value[-1] > 50 * np.median(value)
    assert value[-len(value) // 100 :].sum() > 0.1 * value.sum()
    pieces = {line["quantity"] for lines in _baskets(shop).values() for line in lines}
    assert 50 < max(pieces) <= CommerceNumbers().bulk_quantity_largest


def test_refunds_follow_orders_and_give_back_no_more_than_was_paid(shop: Shop) -> None:
    orders = {row["properties"]["order_id"]: row for row in shop.named("order_completed").to_dict("records")}
    given_back, last = defaultdict(list), {}
    for row in shop.named("order_refunded").sort_values("occurred_at").to_dict("records"):
        order_id = row["properties"]["order_id"]
        order = orders[order_id]
        assert row["account"] == order["account"]
        assert row["member"] == NOBODY
        assert row["occurred_at"] > last.get(order_id, order["occurred_at"])
        assert row["revenue"] == 100 * row["properties"]["revenue"] < 0
        last[order_id] = row["occurred_at"]
        given_back[order_id].append(-row["revenue"])
    shares = {order_id: sum(cents) / orders[order_id]["revenue"] for order_id, cents in given_back.items()}
    assert 0.02 < len(shares) / len(orders) < 0.06
    assert max(shares.values()) == 1
    assert 0.1 < np.mean([share < 1 for share in shares.values()]) < 0.4
    assert {len(cents) for cents in given_back.values()} == {1, 2}


def test_buyers_keep_to_their_payment_method(shop: Shop) -> None:
    orders = shop.named("order_completed")
    used = [given["payment_method"] for given in orders["properties"]]
    usual = np.array(PAYMENT_METHODS)[shop.buyers.payment_method[orders["account"]]]
    assert 0.85 < np.mean(used == usual) < 0.97


def test_only_subscribed_buyers_who_come_shop() -> None:
    parameters = replace(PARAMETERS, customers=300)
    accounts = _accounts(parameters)
    accounts.archetype[100:150] = CANCELLED
    accounts.signup_week[150:200] = NO_OFFER.number + 1
    buyers = found_buyers(parameters)
    assert 0.3 < (buyers.cart_rate > 0).mean() < 0.55
    buyers.cart_rate[buyers.cart_rate > 0] = 5.0
    account = np.repeat(np.concatenate([[NO_ACCOUNT], np.arange(250)]), 3)
    sessions = _sessions(account, NO_OFFER)
    _, carts = sell(stream(1, "orders"), accounts, buyers, NO_OFFER, sessions, parameters)
    shopping = carts["account_id"].to_pandas().str[2:].astype(int)
    may = np.flatnonzero(buyers.cart_rate > 0)
    may = may[(may < 100) | ((may >= 200) & (may < 250))]
    assert set(shopping) <= set(may)
    assert len(set(shopping)) > 0.9 * len(may)
    assert shopping.value_counts().max() == 3  # as many as sessions


def test_the_same_seed_sells_the_same_and_another_something_else(shop: Shop) -> None:
    again = _busy_shop(NO_OFFER)
    pd.testing.assert_frame_equal(again.carts, shop.carts)
    pd.testing.assert_frame_equal(again.events, shop.events)
    other = found_buyers(replace(PARAMETERS, seed=10))
    assert not np.array_equal(other.price_sensitivity, shop.buyers.price_sensitivity)


def test_a_week_without_anybody_has_the_same_columns() -> None:
    parameters = WorldParameters(customers=1, weeks=1, seed=0)
    empty = np.empty(0, dtype=np.int64)
    week = WEEKS[0]
    buyers = found_buyers(parameters)
    events, carts = sell(
        stream(0, "orders"), _accounts(parameters), buyers, week, _sessions(empty, week), parameters
    )
    assert len(events) == len(carts) == 0
    assert carts.schema.field("gross_value").type == pa.decimal128(18, 2)
    assert carts.schema.names == [
        *("cart_id", "account_id", "review_week", "is_ordered", "order_id", "cause"),
        *("gross_value", "discount", "has_offer"),
    ]


def test_the_truth_about_buyers_has_a_row_per_account(shop: Shop) -> None:
    table = buyers_table(found_buyers(PARAMETERS), PARAMETERS)
    assert table["account_id"].combine_chunks().equals(account_ids(np.arange(2_000), 2_000))
    assert set(table["favourite_category"].to_pylist()) == set(CATEGORIES)
    assert set(table["payment_method"].to_pylist()) == set(PAYMENT_METHODS)
    assert len(CommerceNumbers().payment_failure_shares) == len(PAYMENT_METHODS)
