"""The page says what the tables say, to everyone, and nothing in the tables can speak for itself."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pandas
import pytest

from report.page import ReviewHeader, ReviewTables, render_page
from report.tables import CUSTOMER_COLUMNS, CUSTOMER_WEEK_COLUMNS
from tests.report.page_reader import Page

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><a href='https://evil.example'>\"&{{7*7}}"
)
TEXT_COLUMNS = {
    "customers": [
        "customer_id",
        "lifecycle_stage",
        "rfm_segment",
        "cluster_name",
        "churn_band",
        "health_band",
    ],
    "segments_weekly": ["segment"],
    "interventions": ["customer_id", "title", "reason", "channel", "owner_team", "message"],
    "quality_checks": ["border", "table_name", "column_name", "message", "severity"],
    "model_metrics": ["model", "metric"],
    "loads": ["file_name"],
    "health_contributions": ["component"],
}


def _with(tables: ReviewTables, name: str, **columns: object) -> ReviewTables:
    return replace(tables, **{name: getattr(tables, name).assign(**columns)})


def test_key_figures_are_the_numbers_of_the_tables(page: Page) -> None:
    cards = page.cards
    assert cards == {
        "Active customers": ("2,100", "+100 (+5.0 %)"),
        "New": ("80", "−20 (−20.0 %)"),
        "Gone quiet": ("62", "−38 (−38.0 %)"),
        "Churned": ("40", "unchanged"),
        "Orders": ("30", "+10 (+50.0 %)"),
        # 1,200.50 and 1,500: halves round to even, as in the figure above it
        "Revenue": ("€1,200", "−€300 (−20.0 %)"),
        "Average order value": ("€40.02", "−€34.98 (−46.6 %)"),
        # (60 + 65 + 90 + 30 + 20) / 5 = 53 against (60 + 65 + 90 + 40) / 4 = 63.75
        "Mean health of 100": ("53.0", "−10.8 (−16.9 %)"),
        "At high churn risk": ("2", "+1 (+100.0 %)"),
    }


def test_a_rise_is_good_or_bad_by_what_it_counts(html: str) -> None:
    directions = re.findall(r'class="change (\w+)"', html)
    # active +, new −, gone quiet −, churned =, orders +, revenue −, order value −, health −, high risk +
    assert directions == ["good", "bad", "good", "even", "good", "bad", "bad", "bad", "bad"]


def test_the_first_week_has_nothing_to_compare_with(header: ReviewHeader, tables: ReviewTables) -> None:
    first = replace(
        tables,
        metrics_weekly=tables.metrics_weekly.iloc[2:],
        customer_weeks=tables.customer_weeks.iloc[:6],
        segments_weekly=tables.segments_weekly.loc[
            tables.segments_weekly["review_week"] == header.review_week
        ],
    )
    cards = Page(render_page(header, first)).cards
    assert {change for _, change in cards.values()} == {"not known for last week"}


def test_the_account_says_who_went_quiet(page: Page) -> None:
    assert "62 customers went quiet, 3.1 % of last week's active; 80 came new and 82 came back" in page.text
    assert "100 more active than the week before" in page.text
    assert page.figures["account-waterfall"]["data"][0]["y"] == [2000, -62, 82, 80, 2100]
    assert "do not add up" not in page.text


def test_an_account_that_does_not_add_up_is_called_so(header: ReviewHeader, tables: ReviewTables) -> None:
    broken = _with(tables, "metrics_weekly", new_customers=[90, 100, 81])
    assert "These figures do not add up" in Page(render_page(header, broken)).text


def test_segments_show_their_share_and_change(html: str) -> None:
    row = re.search(r'<th scope="row">Power user.*?</tr>', html, re.DOTALL).group()
    numbers = [
        cell.replace("\u00a0", " ") for cell in re.findall(r'<td class="number[^>]*>([^<]*)</td>', row)
    ]
    assert numbers == ["16.7 %", "1", "+1", "€1,000"]


def test_segments_of_the_workspace_are_shown_where_there_are_some(
    header: ReviewHeader, tables: ReviewTables, page: Page
) -> None:
    assert "Segments of your own" not in page.text
    one = tables.segments_weekly.iloc[[0]]
    own = one.assign(scheme="own", segment="big_spenders", review_week=header.review_week, customers=2)
    both = pandas.concat([tables.segments_weekly, own.assign(customer_share=0.4)], ignore_index=True)
    text = Page(render_page(header, replace(tables, segments_weekly=both))).text
    assert "Segments of your own" in text
    assert "Big spenders is the largest segment with 40.0 % of customers" in text
    past = both.assign(review_week=both["review_week"].mask(both["scheme"] == "own", header.week_before))
    text = Page(render_page(header, replace(tables, segments_weekly=past))).text
    assert "No customer is in a segment of your own this week." in text


def test_churn_names_what_is_at_stake(page: Page) -> None:
    text = page.text
    assert "2 customers (40.0 % of the scored) are at high risk; they stand for €600 (30.0 %)" in text
    assert "1 are not scored because they have churned or were silent for 90 days" in text


def test_lists_show_the_first_ten_by_rank(header: ReviewHeader, tables: ReviewTables) -> None:
    one = tables.interventions.iloc[[0]]
    many = pandas.concat(
        [one.assign(customer_id=f"customer-{rank:02}", rank=rank) for rank in reversed(range(1, 13))],
        ignore_index=True,
    )
    text = Page(render_page(header, replace(tables, interventions=many))).text
    assert re.findall(r"customer-\d\d", text) == [f"customer-{rank:02}" for rank in range(1, 11)]
    assert "The first 10 of 12 actions." in text


def test_trust_is_about_this_run(page: Page) -> None:
    text = page.text
    assert "1 of 2 data checks failed: 0 that stop a release, 1 warnings." in text
    assert "12 events with an absurd revenue" in text
    assert "a failure of an earlier run" not in text
    assert "2 files with 1,500 rows became 1,485 events: 10 duplicates (0.67 %), 5 rejected (0.33 %)" in text
    assert "3 events arrived later than the limit" in text
    assert "0.820 (0.800 to 0.840) in the week of 28 Sep 2026, trained through 9 Aug 2026" in text
    assert "on average 0.055 above the baseline, and better in 2 of 2 judged weeks" in text


def test_a_model_below_its_baseline_is_called_so(header: ReviewHeader, tables: ReviewTables) -> None:
    worse = _with(tables, "model_metrics", baseline=[0.9, 0.9, 0.1])
    text = Page(render_page(header, worse)).text
    assert "below the baseline, and better in 0 of 2 judged weeks" in text


def test_measures_of_later_weeks_are_not_shown(header: ReviewHeader, tables: ReviewTables) -> None:
    later = _with(tables, "model_metrics", review_week=[header.review_week + timedelta(days=7)] * 3)
    assert "No model was judged for this review." in Page(render_page(header, later)).text


def test_the_notice_and_the_week_stand_at_the_top(header: ReviewHeader, tables: ReviewTables) -> None:
    text = Page(render_page(replace(header, published_note="Restated."), tables)).text
    top = text[: text.index("Contents")]
    assert header.data_notice in top
    assert "Mon 9 – Sun 15 November 2026" in top
    assert "Restated." in top
    without = render_page(replace(header, data_notice=""), tables)
    assert 'class="notice"' not in without


@pytest.mark.parametrize(
    ("table", "columns", "sentences"),
    [
        (
            "metrics_weekly",
            ["orders", "revenue", "average_order_value"],
            [
                "orders, revenue and average order value (no orders are recorded)",
                "No orders are recorded here, so there is no revenue to show.",
            ],
        ),
        (
            "customers",
            ["health_score", "nps_last"],
            [
                "mean health (no customer has a health score)",
                "No customer has a health score this week",
                "not part of any number here: answers to the NPS question.",
            ],
        ),
        (
            "customers",
            ["churn_band", "tickets_90d", "plan"],
            [
                "customers at high churn risk (no churn scores)",
                "No customer has a churn score this week.",
                "not part of any number here: support tickets and plans.",
            ],
        ),
        (
            "customers",
            ["orders_365d", "rfm_segment"],
            [
                "No orders are recorded here, so value and purchase frequency",
                "No scored customer has a segment by buying behaviour.",
                "not part of any number here: orders.",
            ],
        ),
        (
            "health_contributions",
            ["component_score"],
            ["What the health scores are made of is not recorded"],
        ),
    ],
)
def test_a_kind_of_data_that_lacks_is_named(
    header: ReviewHeader,
    tables: ReviewTables,
    page: Page,
    table: str,
    columns: list[str],
    sentences: list[str],
) -> None:
    lacking = Page(render_page(header, _with(tables, table, **dict.fromkeys(columns)))).text
    for sentence in sentences:
        assert sentence not in page.text
        assert sentence in lacking


def test_customers_who_do_not_buy_are_told_from_a_business_without_orders(
    header: ReviewHeader, tables: ReviewTables
) -> None:
    text = Page(render_page(header, _with(tables, "customers", orders_365d=0))).text
    assert "No customer ordered in the last 365 days" in text


@pytest.mark.parametrize("has_columns", [True, False])
def test_a_page_of_empty_tables_has_sentences_and_no_chart(
    header: ReviewHeader, frames: dict[str, pandas.DataFrame], has_columns: bool
) -> None:
    empty = {name: frame.iloc[:0] if has_columns else pandas.DataFrame() for name, frame in frames.items()}
    page = Page(render_page(header, ReviewTables(**empty)))
    assert page.figures == {}
    for sentence in (
        "There are no weekly figures for this week",
        "There are no daily figures for this week.",
        "No customer has a lifecycle stage this week.",
        "No orders are recorded here, so customers cannot be grouped by what they buy.",
        "No clusters of behaviour were computed this week.",
        "No intervention is proposed for this week.",
        "No model was judged for this review.",
        "No data checks are recorded for this run.",
        "No loaded file is on record.",
    ):
        assert sentence in page.text


@pytest.mark.parametrize("name", ReviewTables.__dataclass_fields__)
def test_one_table_without_rows_leaves_the_others_shown(
    header: ReviewHeader, frames: dict[str, pandas.DataFrame], name: str
) -> None:
    page = Page(render_page(header, ReviewTables(**{**frames, name: frames[name].iloc[:0]})))
    assert len(page.figures) >= 5


@pytest.mark.parametrize("column", ["new_customers", "previous_active_customers"])
def test_an_account_with_an_unknown_part_is_not_drawn(
    header: ReviewHeader, tables: ReviewTables, column: str
) -> None:
    page = Page(render_page(header, _with(tables, "metrics_weekly", **{column: None})))
    assert "The account compares two weeks, and not all of it is known." in page.text
    assert "account-waterfall" not in page.figures
    assert "trend-active" in page.figures


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("customers", ["customer_id", "review_week"]),
        ("segments_weekly", ["scheme", "segment", "review_week"]),
        ("metrics_weekly", ["review_week"]),
        ("interventions", ["customer_id", "review_week"]),
        ("quality_checks", ["run_id"]),
        ("model_metrics", ["run_id", "model", "metric", "review_week"]),
        ("loads", ["file_name"]),
    ],
)
def test_a_table_of_nulls_is_shown_as_not_observed(
    header: ReviewHeader, tables: ReviewTables, name: str, kept: list[str]
) -> None:
    nulls = dict.fromkeys(column for column in getattr(tables, name) if column not in kept)
    html = render_page(header, _with(tables, name, **nulls))
    assert not re.search(r"\b(nan|NaN|None|NaT)\b", Page(html).text)


def test_a_table_without_a_needed_column_is_refused(frames: dict[str, pandas.DataFrame]) -> None:
    frames["loads"] = frames["loads"].drop(columns=["rows_rejected", "events_late"])
    with pytest.raises(ValueError, match=r"columns of loads: rows_rejected, events_late"):
        ReviewTables(**frames)


def test_customers_of_another_week_are_refused(header: ReviewHeader, tables: ReviewTables) -> None:
    with pytest.raises(ValueError, match=r"review of 2026-11-09, but the page is about 2026-11-02"):
        render_page(replace(header, review_week=date(2026, 11, 2)), tables)


def test_a_week_starts_on_monday(header: ReviewHeader) -> None:
    with pytest.raises(ValueError, match="2026-11-10 is not"):
        replace(header, review_week=date(2026, 11, 10))


def test_hostile_text_stays_text(header: ReviewHeader, tables: ReviewTables, page: Page) -> None:
    attacked = tables
    for name, columns in TEXT_COLUMNS.items():
        hostile = {
            column: [
                value if value is None or place else f"{value}{HOSTILE}"
                for place, value in enumerate(getattr(attacked, name)[column])
            ]
            for column in columns
        }
        attacked = _with(attacked, name, **hostile)
    hostile_header = replace(
        header,
        title=HOSTILE,
        data_notice=HOSTILE,
        currency=HOSTILE,
        time_zone=HOSTILE,
        run_id=f"run-1{HOSTILE}",
        published_note=HOSTILE,
    )
    attacked = _with(attacked, "quality_checks", run_id=f"run-1{HOSTILE}")
    attack = Page(render_page(hostile_header, attacked))

    assert {tag for tag, _ in attack.elements} <= {tag for tag, _ in page.elements}
    assert "img" not in {tag for tag, _ in attack.elements}
    assert not [name for _, attributes in attack.elements for name in attributes if name.startswith("on")]
    executed = [text for attributes, text in attack.scripts if "type" not in attributes]
    assert executed == [text for attributes, text in page.scripts if "type" not in attributes]
    assert HOSTILE in attack.text  # shown to the letter, its braces not computed
    for attributes, text in attack.scripts:
        if "type" in attributes:
            assert not set("<>&") & set(text)
    # Plotly reads tags in labels: none reaches it but our own line break.
    labels = _strings(attack.figures)
    assert any("&lt;script&gt;" in label for label in labels)
    assert not [label for label in labels if "<" in label.replace("<br>", "")]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value.replace("%{customdata}<extra></extra>", "")]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


def test_the_page_asks_nobody_for_anything(page: Page) -> None:
    loading = {"src", "href", "action", "data", "poster", "srcset", "formaction", "xlink:href"}
    for _, attributes in page.elements:
        for name in loading & set(attributes):
            assert attributes[name].startswith("#")
        assert "url(" not in attributes.get("style", "")
    assert "link" not in {tag for tag, _ in page.elements}
    styles = "".join(page.styles)
    assert "--page" in styles
    assert not re.search(r"url\(|@import|https?:", styles)


def test_the_policy_allows_the_scripts_of_the_page_and_no_other(page: Page) -> None:
    policy = next(attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes)
    executed = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in executed]
    assert len(executed) == 2  # Plotly once, and the script that draws
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_the_page_reads_no_other_columns_of_customers_than_it_says(
    header: ReviewHeader, frames: dict[str, pandas.DataFrame]
) -> None:
    fewer = {
        "customers": frames["customers"].filter(CUSTOMER_COLUMNS),
        "customer_weeks": frames["customer_weeks"].filter(CUSTOMER_WEEK_COLUMNS),
    }
    assert render_page(header, ReviewTables(**frames)) == render_page(
        header, ReviewTables(**{**frames, **fewer})
    )


def test_equal_tables_give_an_equal_page(header: ReviewHeader, frames: dict[str, pandas.DataFrame]) -> None:
    page = render_page(header, ReviewTables(**frames))
    assert page == render_page(header, ReviewTables(**{name: part.copy() for name, part in frames.items()}))
    in_order = ("metrics_weekly", "model_metrics", "quality_checks", "segments_weekly")
    shuffled = {
        name: part if name in in_order else part.iloc[::-1].reset_index(drop=True)
        for name, part in frames.items()
    }
    assert page == render_page(header, ReviewTables(**shuffled))


def test_types_of_the_warehouse_make_no_difference(
    header: ReviewHeader, frames: dict[str, pandas.DataFrame]
) -> None:
    page = render_page(header, ReviewTables(**frames))
    as_floats = {}
    for name, frame in frames.items():
        columns = {}
        for column in frame:
            values = frame[column]
            if column in ("review_week", "activity_date", "trained_through", "local_date"):
                columns[column] = pandas.to_datetime(values)
            elif any(isinstance(value, Decimal) for value in values):
                columns[column] = values.astype(float)
            elif column in ("rfm_r", "rank", "orders"):
                columns[column] = values.astype("Int32")
            elif column == "passed":
                columns[column] = values.astype("boolean")
        as_floats[name] = frame.assign(**columns)
    assert page == render_page(header, ReviewTables(**as_floats))


def test_rendering_changes_no_table(header: ReviewHeader, frames: dict[str, pandas.DataFrame]) -> None:
    copies = {name: frame.copy(deep=True) for name, frame in frames.items()}
    render_page(header, ReviewTables(**frames))
    for name, frame in frames.items():
        pandas.testing.assert_frame_equal(frame, copies[name])


def test_many_customers_make_a_bounded_page(header: ReviewHeader, tables: ReviewTables) -> None:
    times = 1_000
    many = pandas.concat([tables.customers] * times, ignore_index=True)
    many["customer_id"] = [f"{identifier}{place}" for place, identifier in enumerate(many["customer_id"])]
    html = render_page(header, replace(tables, customers=many))
    shuffled = many.sample(frac=1, random_state=3).reset_index(drop=True)
    assert html == render_page(header, replace(tables, customers=shuffled))
    assert len(html.encode()) < 6_000_000
    page = Page(html)
    drawn = sum(len(cloud["x"]) for cloud in page.figures["value-scatter"]["data"])
    assert drawn == 1500
    assert "A sample of 1,500 of 4,000 customers is drawn." in page.text


def test_absurd_texts_are_cut(header: ReviewHeader, tables: ReviewTables) -> None:
    long = _with(tables, "interventions", reason="x" * 100_000)
    long = _with(long, "quality_checks", message="y" * 100_000)
    long = _with(long, "customers", customer_id=[f"{place}{'z' * 100_000}" for place in range(6)])
    html = render_page(header, long)
    assert len(html) < len(render_page(header, tables)) + 20_000
    assert "x" * 200 in html


def test_charts_have_fixed_names_and_words_beside_them(page: Page) -> None:
    holders = [attributes for _, attributes in page.elements if attributes.get("role") == "img"]
    assert [attributes["id"] for attributes in holders] == list(page.figures)
    assert {"account-waterfall", "trend-active", "trend-revenue", "value-scatter", "value-grid"} <= set(
        page.figures
    )
    assert {"churn-lifecycle", "churn-rfm", "health-histogram", "health-components", "model-0"} <= set(
        page.figures
    )
    for attributes in holders:
        assert re.search(r"\d", attributes["aria-label"]), "a takeaway has a number in it"


def test_the_contents_lead_to_every_section(page: Page) -> None:
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    sections = [f"#{attributes['id']}" for tag, attributes in page.elements if tag == "section"]
    assert links[1:] == sections
    assert links[0] in sections  # for those who skip the head
