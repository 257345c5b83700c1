"""The columns of the feature row: the same in the table, in docs/features.md and in the design."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from typing import Any

import pytest
import yaml

from expectations.features import (
    ENGAGEMENT_LEVELS,
    KEYS,
    LIFECYCLE_STAGES,
    MESSAGE_CHANNELS,
    RFM_SEGMENTS,
    USAGE_TRENDS,
)
from tests.dbt_project.conftest import PROJECT, SmallWarehouse

CHECKOUT = PROJECT.parent
PAGE = CHECKOUT / "docs" / "features.md"
CONTRACT = PROJECT / "models" / "features" / "customer_weeks.yml"
DESCRIPTIONS = PROJECT / "models" / "columns.md"
# The design lies beside the checkout where the product is made, and nowhere else.
DESIGN = CHECKOUT.parent / "shared" / "design" / "FEATURES.md"
FAMILIES = (
    "Usage",
    "Engagement",
    "Transactions",
    "Communication",
    "Support and satisfaction",
    "Account and plan",
    "Stage",
)
# What the design sets in the same type as columns: values, files, a table and a condition.
NO_COLUMNS = {
    *USAGE_TRENDS,
    *ENGAGEMENT_LEVELS,
    *LIFECYCLE_STAGES,
    *RFM_SEGMENTS,
    "events.csv",
    "rfm_segments.csv",
    "ops.rfm_cut_points",
    "usage_trend = declining",
}


def rows_of_page() -> list[tuple[str, str, str]]:
    """Column, type and meaning of every row of the page's tables."""
    return re.findall(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def columns_under_contract() -> dict[str, str]:
    pairs = re.findall(r"^      - name: (\w+)\n        data_type: (.+)$", CONTRACT.read_text("utf-8"), re.M)
    return dict(pairs)


def columns_of_design(text: str) -> set[str]:
    """Columns in the sections of the row's families: `a_7d/28d` is two, `email_…` one for every channel."""
    found = set()
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        if not section.startswith(FAMILIES):
            continue
        for listed in re.findall(r"`([^`]+)`", section):
            for name in listed.split(", "):
                first, *endings = name.split("/")
                stem = first.rpartition("_")[0]
                found |= {first, *(f"{stem}_{ending}" for ending in endings)}
    for_each_channel = {name for name in found if name.startswith("email_")}
    for channel in MESSAGE_CHANNELS:
        found |= {name.replace("email", channel, 1) for name in for_each_channel}
    return found - NO_COLUMNS


def test_the_page_lists_every_column_once_and_no_other(built: Any, warehouse: SmallWarehouse) -> None:
    listed = Counter(column for column, _, _ in rows_of_page())
    assert listed == Counter(warehouse.tables("features")["customer_weeks"])


def test_the_page_says_what_the_models_say() -> None:
    blocks = re.findall(
        r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs %\}", DESCRIPTIONS.read_text("utf-8"), re.DOTALL
    )
    meanings, types = dict(blocks), columns_under_contract()
    differing = [
        f"{column}: {types.get(column)}, {meanings.get(column)}"
        for column, data_type, meaning in rows_of_page()
        if (types.get(column), meanings.get(column)) != (data_type, meaning)
    ]
    assert not differing, "docs/features.md says something else than models/columns.md and the contract"


def test_the_row_has_the_columns_of_the_design() -> None:
    if not DESIGN.is_file():
        # A clone of the project alone has no design beside it; docs/features.md is compared there too.
        pytest.skip(f"NOT COMPARED with the design: {DESIGN.name} does not lie beside this checkout")
    wanted, there = columns_of_design(DESIGN.read_text(encoding="utf-8")), set(columns_under_contract())
    assert wanted - there == set()
    assert there - wanted - set(KEYS) == set()


def test_the_design_is_read_as_it_is_written() -> None:
    text = (
        "## Usage (frequency)\n`activities_7d/28d, tenure_days`; `usage_trend`: `growing`, see `events.csv`\n"
        "## Communication\n`email_open_share_90d` …, `is_subscribed_email/in_app`\n## Scores\n`health`\n"
    )
    assert columns_of_design(text) == {
        "activities_7d",
        "activities_28d",
        "tenure_days",
        "usage_trend",
        "is_subscribed_email",
        "is_subscribed_in_app",
        *(f"{channel}_open_share_90d" for channel in MESSAGE_CHANNELS),
    }


def test_every_column_is_worked_out_by_hand_in_a_unit_test() -> None:
    """A column stands in what some dbt unit test expects, of the row or of the model that it comes from."""
    expected: set[str] = set()
    for path in (PROJECT / "models").rglob("*_unit_tests.yml"):
        for unit_test in yaml.safe_load(path.read_text(encoding="utf-8"))["unit_tests"]:
            rows = unit_test["expect"]["rows"]
            expected |= set(rows.split("\n")[0].split(",") if isinstance(rows, str) else chain(*rows))
    assert set(columns_under_contract()) - expected == set()
