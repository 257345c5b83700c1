"""The figures of docs/demo-world.md: as planted in the parameters, as measured in a world."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

from bench.world_in_memory import World, order_values
from simulation.parameters import WorldParameters

MEASURED_BLOCK = re.compile(r"(<!-- measured: begin -->\n).*?(<!-- measured: end -->)", re.DOTALL)
# | what | value | `group.number`, perhaps several |
PLANTED_ROW = re.compile(r"^(\| [^|]+ \|)[^|]*(\| (`\w+\.\w+`(?:, `\w+\.\w+`)*) \|)$", re.MULTILINE)


def measured_figures(world: World) -> list[tuple[str, str]]:
    """What the page says about this world, measured: a name and a text each."""
    chance, leaves = world.outcomes()
    has_both = leaves.any() and not leaves.all()
    rate = leaves.mean() if len(leaves) else np.nan
    deliveries = world.deliveries.drop(columns="received_date").sum()
    values = np.sort(order_values(world))[::-1]
    dearest = values[: max(1, len(values) // 100)].sum() / values.sum() if len(values) else np.nan
    arrived = world.accounts.loc[world.is_new]
    figures = [
        ("lines that the collector wrote", f"{deliveries['lines']:,.0f}"),
        ("… of them duplicates", percent_text(deliveries["duplicates"] / deliveries["lines"], digits=2)),
        (
            "… later than the lateness limit",
            percent_text(deliveries["late_events"] / deliveries["lines"], digits=3),
        ),
        (
            "… malformed, and from the future",
            f"{deliveries['malformed']:,.0f} and {deliveries['from_the_future']:,.0f} lines",
        ),
        ("sessions of accounts", f"{len(world.sessions):,}"),
        ("accounts that sign up in the world", f"{len(arrived):,} of {len(world.accounts):,}"),
        ("… activated", percent_text(arrived["is_activated"].mean(), digits=1)),
        (
            "odds ratio of inviting, for the return on the next day",
            f"{_odds_ratio(arrived['invites'], arrived['returns_next_day']):.1f} over all, "
            + " and ".join(
                f"{_odds_ratio(part['invites'], part['returns_next_day']):.1f} {name}"
                for name, part in (
                    ("with the core feature", arrived.loc[arrived["uses_core"]]),
                    ("without", arrived.loc[~arrived["uses_core"]]),
                )
            ),
        ),
        (
            "odds ratio of the decoys, for the same",
            ", ".join(
                f"{_odds_ratio(arrived[column], arrived['returns_next_day']):.2f} ({name})"
                for column, name in (
                    ("takes_tour", "starting the tour"),
                    ("finishes_tour", "finishing it"),
                    ("previews_template", "the template"),
                )
            ),
        ),
        (
            "subscriptions that end within four weeks",
            f"{percent_text(rate, digits=2)} of {len(chance):,} weeks of subscriptions",
        ),
        ("best possible AUROC for that", f"{roc_auc_score(leaves, chance):.3f}" if has_both else "–"),
        (
            "best possible Brier score for that",
            f"{brier_score_loss(leaves, chance):.4f}; the plain share scores {rate * (1 - rate):.4f}"
            if has_both
            else "–",
        ),
        ("upgrades by cause", _shares_text(world.upgrades["cause"])),
        ("tickets by cause", _shares_text(world.tickets["cause"])),
        (
            "carts",
            f"{len(world.carts):,}; ordered: {percent_text(world.carts['is_ordered'].mean(), digits=1)}",
        ),
        (
            "value of an order",
            f"median €{np.median(values):,.0f}, mean €{values.mean():,.0f}; the dearest hundredth of the "
            f"orders brings {percent_text(dearest, digits=0)} of the revenue"
            if len(values)
            else "–",
        ),
        (
            "messages opened",
            ", ".join(
                f"{channel.replace('_', '-')} {percent_text(rate, digits=1)}"
                for channel, rate in world.messages.groupby("channel")["is_opened"].mean().items()
            )
            + f", of {len(world.messages):,}",
        ),
        (
            "anomalies",
            ", ".join(
                f"{count:,} {kind.replace('_', ' ')}"
                for kind, count in world.anomalies["kind"].value_counts().sort_index().items()
            )
            + f"; {len(world.bots):,} bots",
        ),
    ]
    return figures


def with_measured(page: str, figures: Sequence[tuple[str, str]], parameters: WorldParameters) -> str:
    """The page with the figures between its two marks. Raises ValueError where the marks are lacking."""
    rows = "".join(f"| {name} | {value} |\n" for name, value in figures)
    block = f"| {size_text(parameters)} | measured |\n| --- | --- |\n{rows}"
    new, replaced = MEASURED_BLOCK.subn(lambda match: match[1] + block + match[2], page)
    if replaced != 1:
        raise ValueError(f"the page has no place for measured figures: {MEASURED_BLOCK.pattern}")
    return new


def with_planted(page: str, parameters: WorldParameters) -> str:
    """The page with every planted number as it is in the parameters. AttributeError for one that is not."""

    def refreshed(row: re.Match[str]) -> str:
        values = [_planted_text(attrgetter(name)(parameters)) for name in re.findall(r"`([^`]+)`", row[3])]
        return f"{row[1]} {'; '.join(values)} {row[2]}"

    return PLANTED_ROW.sub(refreshed, page)


def _planted_text(value: Any) -> str:
    """0.0003 as it is, a tuple as its parts: `0.74, 0.23, 0.03`, `business 0.5, Europe/London 0.16`."""
    if isinstance(value, tuple):
        return ", ".join(
            " ".join(_planted_text(part) for part in item) if isinstance(item, tuple) else _planted_text(item)
            for item in value
        )
    return value if isinstance(value, str) else np.format_float_positional(value, trim="-").replace("-", "−")


def _odds_ratio(has_done: pd.Series, outcome: pd.Series) -> float:
    """Half a customer is added to each of the four counts, so that none of them is zero."""
    with_it, without = outcome[has_done], outcome[~has_done]
    odds = [(part.sum() + 0.5) / ((~part).sum() + 0.5) for part in (with_it, without)]
    return odds[0] / odds[1]


def _shares_text(names: pd.Series) -> str:
    shares = names.value_counts(normalize=True)
    return (
        ", ".join(
            f"{name.replace('_', ' ')} {percent_text(share, digits=0)}" for name, share in shares.items()
        )
        or "–"
    )


def percent_text(value: float, _: object = None, digits: int | None = None) -> str:
    """A share as per cent; the second argument is what matplotlib's tick labels bring along."""
    return f"{100 * value:g} %" if digits is None else f"{100 * value:.{digits}f} %"


def size_text(parameters: WorldParameters) -> str:
    """What world it is, and that it is simulated."""
    return f"Simulated: {parameters.customers:,} accounts × {parameters.weeks} weeks, seed {parameters.seed}"
