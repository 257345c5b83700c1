"""The shop: baskets, coupons, payment and refunds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation import identifiers
from simulation.accounts import Accounts, is_subscribed
from simulation.catalogue import COUPONS, PAYMENT_METHODS, PRODUCTS
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_lists, json_objects
from simulation.parameters import WorldParameters
from simulation.usage import Sessions, end_sessions_with, pick_sessions
from simulation.weeks import DAY, Week

MOST_LINES = 8


def sell(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> EventBatch:
    """The orders of the week, each at the end of a session, and their refunds in the weeks after."""
    numbers = parameters.commerce
    is_offer_week = week.number % numbers.offer_every_weeks == 0
    present = np.unique(sessions.account)
    present = present[is_subscribed(accounts, week)[present]]
    sensitivity = accounts.price_sensitivity[present]
    lift = 1 + numbers.offer_lift * sensitivity * is_offer_week
    account = np.repeat(present, random.poisson(accounts.order_rate[present] * lift))

    order, product, quantity = _fill_baskets(random, accounts, account, parameters)
    price = np.array([product.price_cents for product in PRODUCTS])[product]
    gross = np.bincount(order, weights=price * quantity, minlength=len(account)).astype(np.int64)
    coupon_share = np.full(len(account), numbers.coupon_share_otherwise)
    if is_offer_week:
        coupon_share = numbers.coupon_share_in_offer * accounts.price_sensitivity[account]
    has_coupon = random.random(len(account)) < coupon_share
    discount = np.where(has_coupon, np.round(gross * numbers.discount_share), 0).astype(np.int64)
    revenue = gross - discount
    coupon = pa.array(np.full(len(account), week.number % len(COUPONS)), mask=~has_coupon)
    order_ids = identifiers.thing_ids(
        "o_",
        identifiers.numbers_in_week(identifiers.ORDER, week.number, len(account), parameters.seed),
    )
    currency = pa.array([parameters.currency] * len(account), pa.string())
    orders = end_sessions_with(
        random,
        "order_completed",
        sessions,
        pick_sessions(random, sessions, account),
        page="/shop/checkout",
        revenue=revenue,
        properties=json_objects(
            {
                "order_id": order_ids,
                "revenue": hundredths(revenue),
                "currency": currency,
                "discount": hundredths(discount),
                "coupon": pa.array(COUPONS).take(coupon),
                "payment_method": _payment_methods(random, accounts, account, numbers.other_payment_share),
                "products": _product_lists(order, product, quantity, len(account)),
            },
            nested=frozenset({"products"}),
        ),
    )

    refunded = np.flatnonzero(random.random(len(account)) < numbers.refund_share)
    is_full = random.random(len(refunded)) < numbers.refund_full_share
    refund = -np.where(is_full, revenue[refunded], revenue[refunded] // 2)
    waits = random.uniform(1, numbers.refund_days_largest, len(refunded)) * DAY
    refunds = make_events(
        "order_refunded",
        account[refunded],
        orders.occurred_at[refunded] + waits.astype(np.int64),
        revenue=refund,
        properties=json_objects(
            {
                "order_id": order_ids.take(pa.array(refunded)),
                "revenue": hundredths(refund),
                "currency": currency.take(pa.array(refunded)),
            }
        ),
    )
    return concatenate([orders, refunds])


def _fill_baskets(
    random: np.random.Generator, accounts: Accounts, account: np.ndarray, parameters: WorldParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines of the baskets: order (position, ascending), product (position) and quantity.

    The products of a basket differ: those with the largest of random keys, by weight (Gumbel's way to
    draw without putting back).
    """
    numbers = parameters.commerce
    weights = np.array([product.weight for product in PRODUCTS])
    keys = np.log(weights) + random.gumbel(size=(len(account), len(PRODUCTS)))
    lines = np.minimum(1 + random.poisson(numbers.further_lines, len(account)), MOST_LINES)
    order, place = np.nonzero(np.arange(MOST_LINES) < lines[:, None])
    product = np.argsort(-keys, axis=1)[order, place]
    team = np.sqrt(accounts.members()[account[order]])
    return order, product, 1 + random.poisson(numbers.further_quantity * team)


def _product_lists(order: np.ndarray, product: np.ndarray, quantity: np.ndarray, orders: int) -> pa.Array:
    product = pa.array(product)
    lines = json_objects(
        {
            "product_id": pa.array([product.product_id for product in PRODUCTS]).take(product),
            "name": pa.array([product.name for product in PRODUCTS]).take(product),
            "category": pa.array([product.category for product in PRODUCTS]).take(product),
            "price": hundredths(np.array([product.price_cents for product in PRODUCTS])).take(product),
            "quantity": pa.array(quantity),
        }
    )
    return json_lists(lines, np.bincount(order, minlength=orders))


def _payment_methods(
    random: np.random.Generator, accounts: Accounts, account: np.ndarray, other_share: float
) -> pa.Array:
    """The account's usual method; now and then the first of the list, which is the card."""
    uses_other = random.random(len(account)) < other_share
    return pc.if_else(
        pa.array(uses_other),
        PAYMENT_METHODS[0],
        pa.array(PAYMENT_METHODS).take(pa.array(accounts.payment_method[account])),
    )
