"""The shop: buyers, baskets of companions, coupons, abandoned carts, payment and refunds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import Accounts, is_subscribed
from simulation.catalogue import (
    ABANDONMENT_CAUSES,
    AFFINITIES,
    CATEGORIES,
    COUPONS,
    PARTNER_COUPON,
    PAYMENT_METHODS,
    PAYMENT_WEIGHTS,
    PRODUCTS,
    SHIPPED_CATEGORIES,
)
from simulation.chance import choose, stream
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_lists, json_objects
from simulation.parameters import CommerceNumbers, WorldParameters
from simulation.sessions import Sessions, end_sessions_with
from simulation.weeks import DAY, SECOND, Week, week_column

MOST_LINES = 8
PRICES = np.array([product.price_cents for product in PRODUCTS])
CATEGORY_CODES = np.array([CATEGORIES.index(product.category) for product in PRODUCTS])
IS_SHIPPED = np.array([product.category in SHIPPED_CATEGORIES for product in PRODUCTS])
COMPARING, DISTRACTION, SHIPPING_COST, PAYMENT_FAILURE = range(len(ABANDONMENT_CAUSES))
ORDERED = -1  # in the place of a cause
# Steps of the way through the shop, after the end of a session
VIEW, ADD, CHECK_OUT, ORDER = range(4)


@dataclass(frozen=True)
class Buyers:
    """What is fixed about the accounts as customers of the shop, by account."""

    cart_rate: np.ndarray  # carts in an ordinary week of use, abandoned or not; 0 for those who never shop
    price_sensitivity: np.ndarray  # 0-1
    favourite_category: np.ndarray
    payment_method: np.ndarray


@dataclass(frozen=True)
class Offer:
    """The offer of a week: whoever enters its coupon pays less."""

    offer_id: str
    coupon: str


@dataclass(frozen=True)
class _Baskets:
    """What lies in the carts of a week.

    Lines (cart, ascending; product, quantity) and, by cart: the product that is looked at, and the value in
    cents before discount.
    """

    cart: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    viewed: np.ndarray
    gross: np.ndarray


def found_buyers(parameters: WorldParameters) -> Buyers:
    """All accounts of the world as customers of the shop."""
    numbers = parameters.commerce
    customers = parameters.customers
    random = stream(parameters.seed, "buyers")
    cart_rate = numbers.cart_rate_median * np.exp(
        numbers.cart_rate_spread * random.standard_normal(customers)
    )
    is_buyer = random.random(customers) < numbers.buyer_share
    category_weights = np.bincount(CATEGORY_CODES, weights=[product.weight for product in PRODUCTS])
    return Buyers(
        cart_rate=np.where(is_buyer, cart_rate, 0.0),
        price_sensitivity=random.beta(*numbers.price_sensitivity_shapes, customers),
        favourite_category=choose(random, tuple(category_weights), customers).astype(np.int8),
        payment_method=choose(random, PAYMENT_WEIGHTS, customers).astype(np.int8),
    )


def offer_of(week: Week, numbers: CommerceNumbers) -> Offer | None:
    """The offer that stands in the shop in the week, and is told by messages; mostly there is none."""
    if week.number % numbers.offer_every_weeks:
        return None
    turn = week.number // numbers.offer_every_weeks
    return Offer(offer_id=f"offer_{week.monday:%Y_%m_%d}", coupon=COUPONS[turn % len(COUPONS)])


def sell(
    random: np.random.Generator,
    accounts: Accounts,
    buyers: Buyers,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> tuple[EventBatch, pa.Table]:
    """The ways through the shop at the ends of the week's sessions, and the refunds of the weeks after.

    The table is the truth `carts`, one row per cart: account, why it was abandoned (NULL: it was ordered),
    gross_value and discount in the currency (the discount of an abandoned cart is what its coupon would have
    taken off), has_offer (the week has an offer). What else moves buyers one by one, such as marketing
    touches and experiments with a known uplift, belongs into the rate in `_start_carts`.
    """
    numbers = parameters.commerce
    offer = offer_of(week, numbers)
    account, picked = _start_carts(random, accounts, buyers, week, sessions, numbers)
    count = len(account)
    sensitivity = buyers.price_sensitivity[account]
    baskets = _fill_baskets(random, accounts, buyers, account, numbers)

    coupon_share = numbers.coupon_share_otherwise
    if offer:
        coupon_share = np.maximum(coupon_share, numbers.coupon_share_in_offer * sensitivity)
    has_coupon = random.random(count) < coupon_share
    discount = np.where(has_coupon, np.round(baskets.gross * numbers.discount_share), 0).astype(np.int64)
    revenue = baskets.gross - discount
    shipping = _shipping(baskets, numbers)
    usual = buyers.payment_method[account]
    payment_method = np.where(
        random.random(count) < numbers.other_payment_share, choose(random, PAYMENT_WEIGHTS, count), usual
    )
    cause, reaches_checkout = _ends_of_carts(
        random, sensitivity, has_coupon, shipping / revenue, payment_method, numbers
    )

    ordered, checked_out = np.flatnonzero(cause == ORDERED), np.flatnonzero(reaches_checkout)
    cart_ids = _ids_in_week("c_", identifiers.CART, count, week, parameters)
    order_ids = _ids_in_week("o_", identifiers.ORDER, len(ordered), week, parameters)
    product_lists = _product_lists(baskets)
    methods = pa.array(PAYMENT_METHODS).take(pa.array(payment_method))
    viewed = end_sessions_with(
        random,
        "product_viewed",
        sessions,
        picked,
        page="/shop",
        step=VIEW,
        properties=json_objects(_product_fields(np.arange(len(PRODUCTS)))).take(pa.array(baskets.viewed)),
    )
    added = end_sessions_with(
        random,
        "product_added",
        sessions,
        picked,
        page="/shop",
        step=ADD,
        properties=json_objects(
            {"cart_id": cart_ids, "products": product_lists}, nested=frozenset({"products"})
        ),
    )
    checkouts = end_sessions_with(
        random,
        "checkout_started",
        sessions,
        picked[checked_out],
        page="/shop/checkout",
        step=CHECK_OUT,
        properties=json_objects(
            {
                "cart_id": cart_ids.take(pa.array(checked_out)),
                "value": hundredths(baskets.gross[checked_out]),
                "shipping": hundredths(shipping[checked_out]),
            }
        ),
    )
    orders = end_sessions_with(
        random,
        "order_completed",
        sessions,
        picked[ordered],
        page="/shop/checkout",
        step=ORDER,
        revenue=revenue[ordered],
        properties=json_objects(
            {
                "order_id": order_ids,
                "cart_id": cart_ids.take(pa.array(ordered)),
                "revenue": hundredths(revenue[ordered]),
                "currency": _repeated(parameters.currency, len(ordered)),
                "discount": hundredths(discount[ordered]),
                "coupon": pa.array(
                    np.full(len(ordered), offer.coupon if offer else PARTNER_COUPON),
                    pa.string(),
                    mask=~has_coupon[ordered],
                ),
                "payment_method": methods.take(pa.array(ordered)),
                "products": product_lists.take(pa.array(ordered)),
            },
            nested=frozenset({"products"}),
        ),
    )
    failures = _fail_payments(
        random, sessions, picked, checked_out, checkouts, cause, cart_ids=cart_ids, methods=methods
    )
    refunds = _refund(random, baskets, ordered, orders, order_ids, revenue, parameters)

    order_of_cart = np.full(count, -1)
    order_of_cart[ordered] = np.arange(len(ordered))
    carts = pa.table(
        {
            "cart_id": cart_ids,
            "account_id": identifiers.account_ids(account, parameters.customers),
            "review_week": week_column(week, count),
            "is_ordered": pa.array(cause == ORDERED),
            "order_id": order_ids.take(pa.array(order_of_cart, mask=order_of_cart < 0)),
            "cause": pa.array(ABANDONMENT_CAUSES).take(pa.array(cause, mask=cause == ORDERED)),
            "gross_value": hundredths(baskets.gross),
            "discount": hundredths(discount),
            "has_offer": pa.array(np.full(count, offer is not None)),
        }
    )
    return concatenate([viewed, added, checkouts, orders, failures, refunds]), carts


def buyers_table(buyers: Buyers, parameters: WorldParameters) -> pa.Table:
    """Truth, one row per account: what is fixed about it as a customer of the shop."""
    return pa.table(
        {
            "account_id": identifiers.account_ids(np.arange(len(buyers.cart_rate)), parameters.customers),
            "cart_rate": buyers.cart_rate,
            "price_sensitivity": buyers.price_sensitivity,
            "favourite_category": pa.array(CATEGORIES).take(pa.array(buyers.favourite_category)),
            "payment_method": pa.array(PAYMENT_METHODS).take(pa.array(buyers.payment_method)),
        }
    )


def _start_carts(
    random: np.random.Generator,
    accounts: Accounts,
    buyers: Buyers,
    week: Week,
    sessions: Sessions,
    numbers: CommerceNumbers,
) -> tuple[np.ndarray, np.ndarray]:
    """Accounts (ascending) of the week's carts, and the session at whose end each is filled.

    A session has room for one cart, so an account fills at most as many as it has sessions.
    """
    first = np.flatnonzero(np.diff(sessions.account, prepend=-2))
    length = np.diff(first, append=len(sessions))
    present = sessions.account[first]
    comes = (present >= 0) & is_subscribed(accounts, week)[present]
    first, length, present = first[comes], length[comes], present[comes]

    rate = buyers.cart_rate[present]
    if week.monday.month in numbers.season_months:
        rate = rate * numbers.season_factor
    if offer_of(week, numbers):
        rate = rate * (1 + numbers.offer_lift * buyers.price_sensitivity[present])
    carts = np.minimum(random.poisson(rate), length)
    visitor = np.repeat(np.arange(len(present)), carts)
    turn = np.arange(len(visitor)) - np.repeat(np.cumsum(carts) - carts, carts)
    start = (random.random(len(present)) * length).astype(np.int64)
    return present[visitor], first[visitor] + (start[visitor] + turn) % length[visitor]


def _fill_baskets(
    random: np.random.Generator,
    accounts: Accounts,
    buyers: Buyers,
    account: np.ndarray,
    numbers: CommerceNumbers,
) -> _Baskets:
    """A leading product by the buyer's taste, then others, of which its companions are the likelier.

    Different products of a basket are those with the largest of random keys, by weight (Gumbel's way to
    draw without putting back). Which one is looked at: the leading one, or the first that stays out.
    """
    count, carts = len(account), np.arange(len(account))
    cheaper = numbers.cheaper * buyers.price_sensitivity[account]
    appeal = np.log([product.weight for product in PRODUCTS]) - cheaper[:, None] * np.log(PRICES)
    is_favourite = buyers.favourite_category[account][:, None] == CATEGORY_CODES
    appeal += np.log(numbers.favourite_category_factor) * is_favourite
    leading = np.argmax(appeal + random.gumbel(size=appeal.shape), axis=1)
    keys = appeal + _log_affinities()[leading] + random.gumbel(size=appeal.shape)
    keys[carts, leading] = np.inf
    ranked = np.argsort(-keys, axis=1)

    lines = np.minimum(1 + random.poisson(numbers.further_lines, count), MOST_LINES)
    cart, place = np.nonzero(np.arange(MOST_LINES) < lines[:, None])
    product = ranked[cart, place]
    looks_near = random.random(count) < numbers.near_view_share
    quantity = _quantities(random, np.maximum(accounts.members()[account], 1), cart, product, numbers)
    gross = np.bincount(cart, weights=PRICES[product] * quantity, minlength=count).astype(np.int64)
    return _Baskets(
        cart=cart,
        product=product,
        quantity=quantity,
        viewed=np.where(looks_near, ranked[carts, lines], leading),
        gross=gross,
    )


def _quantities(
    random: np.random.Generator,
    members: np.ndarray,
    cart: np.ndarray,
    product: np.ndarray,
    numbers: CommerceNumbers,
) -> np.ndarray:
    """Pieces of each line: a few, more in larger teams (by cart), and in bulk orders some for everybody."""
    few = 1 + random.poisson(numbers.further_quantity * np.sqrt(members[cart]))
    many = np.ceil(members * (1 + random.pareto(numbers.bulk_tail, len(members))))
    many = np.minimum(many, numbers.bulk_quantity_largest).astype(np.int64)
    is_bulk = random.random(len(members)) < numbers.bulk_share
    return np.where(
        is_bulk[cart] & (PRICES[product] <= numbers.bulk_price_largest_cents),
        np.maximum(few, many[cart]),
        few,
    )


def _log_affinities() -> np.ndarray:
    """Products × products: logarithm of how much readier the second is taken with the first."""
    position = {product.product_id: position for position, product in enumerate(PRODUCTS)}
    factors = np.ones((len(PRODUCTS), len(PRODUCTS)))
    for affinity in AFFINITIES:
        companions = [position[product_id] for product_id in affinity.products]
        factors[np.ix_(companions, companions)] *= affinity.factor
    return np.log(factors)


def _shipping(baskets: _Baskets, numbers: CommerceNumbers) -> np.ndarray:
    """What shipping costs by cart, in cents: nothing for downloads and seats, and for large baskets."""
    pieces = np.bincount(
        baskets.cart, weights=baskets.quantity * IS_SHIPPED[baskets.product], minlength=len(baskets.gross)
    ).astype(np.int64)
    costs = numbers.shipping_first_cents + numbers.shipping_further_cents * (pieces - 1)
    return np.where((pieces > 0) & (baskets.gross < numbers.free_shipping_from_cents), costs, 0)


def _ends_of_carts(
    random: np.random.Generator,
    sensitivity: np.ndarray,
    has_coupon: np.ndarray,
    shipping_share: np.ndarray,
    payment_method: np.ndarray,
    numbers: CommerceNumbers,
) -> tuple[np.ndarray, np.ndarray]:
    """Why each cart was abandoned (ORDERED if it was not), and whether its checkout was started.

    shipping_share: what shipping adds to what the basket costs.
    """
    count = len(sensitivity)
    calm = np.where(has_coupon, numbers.coupon_calm, 1.0)
    chances = np.empty((count, len(ABANDONMENT_CAUSES)))
    chances[:, COMPARING] = calm * (numbers.comparing_share + numbers.comparing_share_sensitive * sensitivity)
    chances[:, DISTRACTION] = numbers.distraction_share
    chances[:, SHIPPING_COST] = -np.expm1(-numbers.shipping_shock * calm * sensitivity * shipping_share)
    chances[:, PAYMENT_FAILURE] = np.take(numbers.payment_failure_shares, payment_method)
    happens = random.random(chances.shape) < chances
    cause = np.where(happens.any(axis=1), happens.argmax(axis=1), ORDERED)
    is_early = random.random(count) < numbers.distraction_before_checkout_share
    return cause, (cause != COMPARING) & ~((cause == DISTRACTION) & is_early)


def _fail_payments(
    random: np.random.Generator,
    sessions: Sessions,
    picked: np.ndarray,
    checked_out: np.ndarray,
    checkouts: EventBatch,
    cause: np.ndarray,
    *,
    cart_ids: pa.Array,
    methods: pa.Array,
) -> EventBatch:
    """What the payment provider tells of the carts that failed there, soon after their checkouts began."""
    failed = np.flatnonzero(cause[checked_out] == PAYMENT_FAILURE)
    carts = checked_out[failed]
    return make_events(
        "payment_failed",
        sessions.account[picked[carts]],
        checkouts.occurred_at[failed] + random.integers(20 * SECOND, 110 * SECOND, len(carts)),
        member=sessions.member[picked[carts]],
        properties=json_objects(
            {"cart_id": cart_ids.take(pa.array(carts)), "payment_method": methods.take(pa.array(carts))}
        ),
    )


def _refund(
    random: np.random.Generator,
    baskets: _Baskets,
    ordered: np.ndarray,
    orders: EventBatch,
    order_ids: pa.Array,
    revenue: np.ndarray,
    parameters: WorldParameters,
) -> EventBatch:
    """Refunds of some of the `ordered` carts: everything, or one piece of the last line, or both in turn."""
    numbers = parameters.commerce
    order = np.flatnonzero(random.random(len(ordered)) < numbers.refund_share)
    cart = ordered[order]
    price = PRICES[baskets.product[np.searchsorted(baskets.cart, cart, side="right") - 1]]
    is_full = random.random(len(order)) < numbers.refund_full_share
    given_back = np.where(is_full, revenue[cart], price * revenue[cart] // baskets.gross[cart])
    rest = revenue[cart] - given_back
    again = np.flatnonzero((rest > 0) & (random.random(len(order)) < numbers.refund_rest_share))
    waits = (random.uniform(1, numbers.refund_days_largest, (2, len(order))) * DAY).astype(np.int64)

    refunded_at = orders.occurred_at[order] + waits[0]
    order = np.concatenate([order, order[again]])
    amounts = -np.concatenate([given_back, rest[again]])
    return make_events(
        "order_refunded",
        orders.account[order],
        np.concatenate([refunded_at, refunded_at[again] + waits[1][again]]),
        revenue=amounts,
        properties=json_objects(
            {
                "order_id": order_ids.take(pa.array(order)),
                "revenue": hundredths(amounts),
                "currency": _repeated(parameters.currency, len(order)),
            }
        ),
    )


def _product_lists(baskets: _Baskets) -> pa.Array:
    # few lines differ from each other: each is written once
    codes, line = np.unique(baskets.quantity * len(PRODUCTS) + baskets.product, return_inverse=True)
    quantity, product = np.divmod(codes, len(PRODUCTS))
    lines = json_objects(_product_fields(product) | {"quantity": pa.array(quantity)})
    return json_lists(lines.take(pa.array(line)), np.bincount(baskets.cart, minlength=len(baskets.gross)))


def _product_fields(product: np.ndarray) -> dict[str, pa.Array]:
    product = pa.array(product)
    return {
        "product_id": pa.array([product.product_id for product in PRODUCTS]).take(product),
        "name": pa.array([product.name for product in PRODUCTS]).take(product),
        "category": pa.array([product.category for product in PRODUCTS]).take(product),
        "price": hundredths(PRICES).take(product),
    }


def _ids_in_week(prefix: str, kind: int, count: int, week: Week, parameters: WorldParameters) -> pa.Array:
    return identifiers.thing_ids(
        prefix, identifiers.numbers_in_week(kind, week.number, count, parameters.seed)
    )


def _repeated(text: str, count: int) -> pa.Array:
    return pa.array([text], pa.string()).take(pa.array(np.zeros(count, dtype=np.int32)))
