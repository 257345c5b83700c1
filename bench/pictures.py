"""Pictures of the demo's world for docs/demo-world.md: `python -m bench.pictures`, `make pictures`.

Simulates a world in memory, draws what is in its events and its truth, and writes the measured figures into
the page between its two marks. Equal worlds give equal files.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import ConciseDateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from bench.page_figures import measured_figures, percent_text, size_text, with_measured, with_planted
from bench.record import PROJECT_FOLDER
from bench.world_in_memory import World, live_through, order_values
from simulation.catalogue import ABANDONMENT_CAUSES, MESSAGE_CHANNELS
from simulation.parameters import ARCHETYPES, HazardNumbers, WorldParameters
from simulation.weeks import weeks_of

PICTURES_FOLDER = PROJECT_FOLDER / "docs" / "pictures"
PAGE = PROJECT_FOLDER / "docs" / "demo-world.md"

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SMALLEST_CUSTOMERS, SMALLEST_WEEKS = 100, 8
LEAST_OBSERVED = 0.25  # of the accounts that sign up: where a curve over all of them ends
WEEKS_BEFORE_THE_END = 20
FARTHEST_HOUR = 6  # from the preferred one; these and all beyond are one group

# Okabe and Ito's palette: told apart by people with any of the common colour blindnesses.
BLUE, ORANGE, GREEN, RED, SKY, PURPLE, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#cc79a7",
    "#8a8a8a",
)
INK, MUTED, LINE = "#222222", "#666666", "#dddddd"
ARCHETYPE_COLOURS = {
    "power": BLUE,
    "casual": SKY,
    "seasonal": GREEN,
    "new": ORANGE,
    "declining": RED,
    "dormant": PURPLE,
    "cancelled": GREY,
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": LINE,
    "svg.fonttype": "path",  # the same letters on every screen
    "svg.hashsalt": "vitals",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def draw_active_accounts(world: World) -> Figure:
    """Weekly active accounts, stacked by archetype, with what the calendar does to them."""
    parameters = world.parameters
    middles = [week.monday + timedelta(days=3) for week in weeks_of(parameters)]
    active = world.is_active & world.is_present
    names = ("power", "casual", "seasonal", "new", "declining", "dormant")
    counts = [(active & (world.archetype == ARCHETYPES.index(name))).sum(axis=0) for name in names]
    figure, axes = _figure(1, height=4.2)
    axes.stackplot(
        date2num(middles),
        counts,
        colors=[ARCHETYPE_COLOURS[name] for name in names],
        edgecolor="white",
        linewidth=0.4,
    )
    tops = np.cumsum(counts, axis=0)[:, -1]
    largest = np.sum(counts, axis=0).max()
    middles_of_bands = tops - np.array([count[-1] for count in counts]) / 2
    places = _apart(middles_of_bands, largest * 1.25 * 0.055)
    for name, place in zip(names, places, strict=True):
        axes.annotate(
            name,
            (date2num(middles[-1]), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=_of_text(ARCHETYPE_COLOURS[name]),
            weight="bold",
        )
    _mark_calendar(axes, parameters, middles, largest)
    axes.set_xlim(date2num(middles[0]), date2num(middles[-1]))
    axes.set_ylim(0, largest * 1.25)
    locator = MonthLocator(bymonth=(1, 4, 7, 10))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y")
    axes.set_title("Accounts active in a week, by archetype  (▼ a quarter ends)")
    return _signed(figure, world)


def _mark_calendar(axes: Axes, parameters: WorldParameters, middles: Sequence[date], largest: float) -> None:
    numbers = parameters.season
    first, last = middles[0], middles[-1]
    for year in range(first.year, last.year + 1):
        spans = [
            ("summer", date(year, *numbers.summer[0]), date(year, *numbers.summer[1])),
            ("holidays", date(year, *numbers.holidays[0]), date(year + 1, *numbers.holidays[1])),
            (
                "autumn",
                date(year, numbers.autumn_months[0], 1),
                date(year, numbers.autumn_months[-1] + 1, 1),
            ),
        ]
        for name, begins, ends in spans:
            if begins > last or ends < first:
                continue
            axes.axvspan(
                date2num(max(begins, first)),
                date2num(min(ends, last)),
                color="#000000",
                alpha=0.07,
                lw=0,
                zorder=0,
            )
            middle = date2num(max(begins, first)) / 2 + date2num(min(ends, last)) / 2
            axes.text(middle, largest * 1.17, name, ha="center", color=MUTED)
        for month in (3, 6, 9, 12):
            quarter_end = date(year, month, 28)
            if first <= quarter_end <= last:
                axes.plot(date2num(quarter_end), largest * 1.08, marker="v", color=MUTED, markersize=5)


def draw_week(world: World) -> Figure:
    """When sessions begin: weekday and hour on the clock of the account."""
    zones = world.accounts["time_zone"].to_numpy()[world.sessions["account"]]
    shares = np.zeros((len(DAYS), 24))
    started_at = world.sessions["started_at"].dt.tz_localize("UTC")
    for zone in np.unique(zones):
        local = started_at[zones == zone].dt.tz_convert(zone)
        np.add.at(shares, (local.dt.day_of_week.to_numpy(), local.dt.hour.to_numpy()), 1)
    shares /= shares.sum()
    figure, axes = _figure(1, height=3.4)
    colours = LinearSegmentedColormap.from_list("blues", ["#f4f8fb", "#7fb3d5", "#003f6b"])
    axes.pcolormesh(np.arange(25), np.arange(len(DAYS) + 1), shares, cmap=colours, edgecolor="white", lw=1)
    axes.invert_yaxis()
    axes.set_yticks(np.arange(len(DAYS)) + 0.5, DAYS)
    axes.set_xticks(np.arange(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
    for day, share in enumerate(shares.sum(axis=1)):
        axes.text(24.4, day + 0.5, percent_text(share, digits=0), va="center", weight="bold")
    axes.text(24.4, -0.35, "of the week", color=MUTED)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("When sessions begin, on the clock of the account (darker: more)", pad=14)
    return _signed(figure, world)


def draw_retention(world: World) -> Figure:
    """How new accounts stay: active and subscribed, over all and by quarter of the sign-up."""
    weeks = world.archetype.shape[1]
    figure, axes = _figure(1, height=4.2)
    quarters = pd.PeriodIndex(
        [
            world.parameters.first_week + timedelta(weeks=int(min(week, weeks - 1)))
            for week in world.first_week
        ],
        freq="Q",
    )
    for quarter in quarters[world.is_new].unique().sort_values():
        curve = _by_age(world, world.is_active_28d, world.is_new & (quarters == quarter))
        axes.plot(range(len(curve)), curve, color="#b8b8b8", lw=1)
    is_subscribed = world.is_present & ~world.is_cancelled
    for name, curve, colour, shift in (
        ("subscribed", _by_age(world, is_subscribed, world.is_new, LEAST_OBSERVED), RED, 9),
        ("active", _by_age(world, world.is_active_28d, world.is_new, LEAST_OBSERVED), BLUE, -9),
    ):
        axes.plot(range(len(curve)), curve, color=colour, lw=2.2)
        for age in range(13, len(curve), 13):
            axes.plot(age, curve[age], "o", color=colour, markersize=5)
            axes.annotate(
                f"{name if age == 13 else ''} {percent_text(curve[age], digits=0)}".strip(),
                (age, curve[age]),
                xytext=(0 if age > 13 else shift, shift),
                textcoords="offset points",
                ha="center" if age > 13 else "left" if shift > 0 else "right",
                va="bottom" if shift > 0 else "top",
                color=_of_text(colour),
                weight="bold",
            )
    axes.text(
        0.02,
        0.06,
        "grey: active, by quarter of the sign-up, as far as all of it is observed",
        color=MUTED,
        transform=axes.transAxes,
    )
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, None)
    axes.yaxis.set_major_formatter(FuncFormatter(percent_text))
    axes.set_xlabel("weeks since the week of the sign-up")
    axes.grid(axis="y")
    axes.set_title("Share of the new accounts that are subscribed, and that were active in the last 28 days")
    return _signed(figure, world)


def _by_age(world: World, holds: np.ndarray, chosen: np.ndarray, least_observed: float = 1.0) -> np.ndarray:
    """Share of which it holds by weeks since the sign-up, of those of the chosen who are that old.

    The curve ends where fewer than `least_observed` of the chosen have come so far.
    """
    first, weeks = world.first_week[chosen], holds.shape[1]
    curve = []
    for age in range(weeks):
        is_old = first + age < weeks
        if not is_old.any() or is_old.mean() < least_observed:
            break
        curve.append(holds[chosen][is_old, first[is_old] + age].mean())
    return np.array(curve)


def draw_chance_to_leave(world: World) -> Figure:
    """What could be known of an end within four weeks: how it spreads, and that it comes true."""
    chance, leaves = world.outcomes()
    figure, (left, right) = _figure(2, height=3.9)
    edges = np.logspace(-3, 0, 25)
    clipped = np.clip(chance, edges[0], edges[-1] * 0.999)
    middles = np.sqrt(edges[1:] * edges[:-1])
    everyone = np.histogram(clipped, edges)[0] / max(len(chance), 1)
    those_who_leave = np.histogram(clipped[leaves], edges)[0] / max(leaves.sum(), 1)
    for name, shares, colour, place in (
        ("all weeks of\nsubscriptions", everyone, GREY, everyone.argmax()),
        ("weeks followed\nby an end", those_who_leave, RED, those_who_leave.argmax()),
    ):
        left.fill_between(middles, shares, color=colour, alpha=0.25, lw=0)
        left.plot(middles, shares, color=colour, lw=2)
        left.annotate(
            name,
            (middles[place], shares[place]),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            color=_of_text(colour),
            weight="bold",
        )
    left.set_ylim(0, max(everyone.max(), those_who_leave.max(), 0.01) * 1.3)
    left.set_xscale("log")
    left.yaxis.set_major_formatter(FuncFormatter(percent_text))
    left.grid(axis="y")
    left.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    left.set_title("Share of the weeks, by their chance")

    order = np.argsort(chance, kind="stable")
    groups = [group for group in np.array_split(order, 20) if len(group)]
    said = np.array([chance[group].mean() for group in groups])
    happened = np.array([leaves[group].mean() for group in groups])
    low, high = np.transpose([_interval(leaves[group]) for group in groups])
    right.plot([1e-3, 1], [1e-3, 1], color=MUTED, lw=1, ls="--")
    right.vlines(said, np.maximum(low, 1e-4), high, color=BLUE, lw=1.4)
    right.plot(said, np.maximum(happened, 1e-4), "o", color=BLUE, markersize=5)
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlim(2e-3, 1)
    right.set_ylim(2e-3, 1)
    right.yaxis.set_major_formatter(FuncFormatter(percent_text))
    right.grid()
    right.set_title("Twentieths of the weeks: chance and outcome")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(FuncFormatter(percent_text))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("true chance of an end within four weeks")
    right.set_ylabel("share that ended")
    return _signed(figure, world)


def draw_leaving(world: World) -> Figure:
    """What raises the odds of the decision, and how usage fades before the end."""
    effects = effects_on_leaving(world.parameters.hazard)
    figure, (left, right) = _figure(2, height=4.2, widths=(1.0, 1.25))
    names, factors = zip(*effects, strict=True)
    places = np.arange(len(effects))[::-1]
    left.barh(places, np.array(factors) - 1, left=1, color=RED, height=0.62)
    for place, factor in zip(places, factors, strict=True):
        left.text(factor * 1.06, place, f"× {factor:.3g}", va="center", weight="bold")
    left.set_xscale("log")
    left.set_xlim(1, max(factors) * 2.2)
    left.set_yticks(places, names)
    left.xaxis.set_major_locator(NullLocator())
    left.xaxis.set_minor_locator(NullLocator())
    left.tick_params(length=0)
    left.spines["bottom"].set_visible(False)
    left.set_title("The odds to decide to leave, times …")

    before, leavers, others = path_to_the_end(world)
    right.axvspan(-world.parameters.hazard.notice_weeks, 0, color="#000000", alpha=0.07, lw=0)
    if len(leavers):
        right.plot(before, leavers, color=RED, lw=2.2)
        right.plot(before, others, color=BLUE, lw=2.2)
        steep = WEEKS_BEFORE_THE_END - 8
        for name, place, values, colour, shift, side in (
            ("accounts that leave", steep, leavers, RED, (-8, -8), "right"),
            ("accounts that stay", WEEKS_BEFORE_THE_END - 1, others, BLUE, (0, 14), "right"),
        ):
            right.annotate(
                name,
                (before[place], values[place]),
                xytext=shift,
                textcoords="offset points",
                ha=side,
                color=_of_text(colour),
                weight="bold",
            )
    right.text(
        -world.parameters.hazard.notice_weeks + 0.15, 0.03, "has been\ndecided", color=MUTED, va="bottom"
    )
    right.set_ylim(0, 1)
    right.set_xlim(-WEEKS_BEFORE_THE_END, 0)
    right.set_xticks(range(-WEEKS_BEFORE_THE_END, 1, 4))
    right.yaxis.set_major_formatter(FuncFormatter(percent_text))
    right.set_xlabel("weeks before the subscription ends")
    right.grid(axis="y")
    right.set_title("Share that is active in the week")
    return _signed(figure, world)


def effects_on_leaving(numbers: HazardNumbers) -> list[tuple[str, float]]:
    """Factors on the odds of a week's decision to leave, as they are planted, largest first."""
    effects = [
        ("usage fell to nothing", numbers.usage_fall),
        (f"{numbers.most_quiet_weeks} weeks of silence", numbers.quiet_week * numbers.most_quiet_weeks),
        ("usage fell by half", numbers.usage_fall / 2),
        ("a bad ticket this week", numbers.bad_ticket),
        ("five errors seen this week", numbers.errors * np.log1p(5)),
        ("a person left the team", numbers.removed_member),
        ("a look at the prices", numbers.pricing_views),
        ("the starter plan", numbers.starter_plan),
        (f"the first {numbers.young_weeks} weeks", numbers.young_account),
    ]
    return sorted(((name, float(np.exp(effect))) for name, effect in effects), key=lambda effect: -effect[1])


def path_to_the_end(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weeks before the end; share of those who leave that is active then, and of those who stay.

    Of accounts that have been subscribed for all these weeks; those who stay are taken from the same weeks,
    in the same proportions.
    """
    before = np.arange(-WEEKS_BEFORE_THE_END, 1)
    was_cancelled = np.pad(world.is_cancelled, ((0, 0), (1, 0)))[:, :-1]
    subscribed = world.is_present & ~world.is_cancelled
    account, week = np.nonzero(world.is_cancelled & ~was_cancelled & world.is_present)
    account, week = account[week >= WEEKS_BEFORE_THE_END], week[week >= WEEKS_BEFORE_THE_END]
    was_there = subscribed[account[:, None], week[:, None] + before[:-1]].all(axis=1)
    account, week = account[was_there], week[was_there]
    if not len(account):
        return before, np.empty(0), np.empty(0)
    leavers = world.is_active[account[:, None], week[:, None] + before].mean(axis=0)
    others = np.zeros(len(before))
    for when, count in zip(*np.unique(week, return_counts=True), strict=True):
        stays = subscribed[:, when - WEEKS_BEFORE_THE_END : when + 1].all(axis=1)
        others += count / len(week) * world.is_active[stays][:, when + before].mean(axis=0)
    return before, leavers, others


def draw_shop(world: World) -> Figure:
    """What becomes of carts, and the heavy tail of what orders are worth."""
    figure, (left, right) = _figure(2, height=3.9, widths=(1.0, 1.1))
    causes = world.carts["cause"]
    abandoned = {cause: float(causes.eq(cause).mean()) for cause in ABANDONMENT_CAUSES}
    by_size = sorted(abandoned, key=lambda cause: -abandoned[cause])
    shares = {"ordered": float(causes.isna().mean())} | {cause: abandoned[cause] for cause in by_size}
    places = np.arange(len(shares))[::-1]
    left.barh(places, list(shares.values()), color=[GREEN] + [RED] * len(ABANDONMENT_CAUSES), height=0.62)
    for place, share in zip(places, shares.values(), strict=True):
        left.text(share + 0.012, place, percent_text(share, digits=1), va="center", weight="bold")
    left.set_yticks(places, [name.replace("_", " ") for name in shares])
    left.set_xlim(0, max(shares.values()) * 1.25)
    left.xaxis.set_major_locator(NullLocator())
    left.tick_params(length=0)
    left.spines["bottom"].set_visible(False)
    left.set_title("What becomes of a cart")

    values = np.sort(order_values(world))[::-1]
    if len(values):
        ranks = np.unique(np.geomspace(1, len(values), 220).astype(int))
        right.plot(values[ranks - 1], ranks / len(values), color=BLUE, lw=2.2)
        for share, text in ((0.5, "half"), (0.1, "1 in 10"), (0.01, "1 in 100"), (0.001, "1 in 1,000")):
            rank = max(1, round(share * len(values)))
            if rank / len(values) > share * 1.5:
                continue
            right.plot(values[rank - 1], share, "o", color=BLUE, markersize=5)
            right.annotate(
                f"{text}: €{values[rank - 1]:,.0f} or more",
                (values[rank - 1], share),
                xytext=(8, 4) if share > 0.01 else (-8, -4),
                textcoords="offset points",
                ha="left" if share > 0.01 else "right",
                va="bottom" if share > 0.01 else "top",
                weight="bold",
            )
        right.set_xlim(5, max(values[0] * 1.5, 50))
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(top=1.4)
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"€{value:,.0f}"))
    right.yaxis.set_major_formatter(FuncFormatter(percent_text))
    right.xaxis.set_minor_locator(NullLocator())
    right.yaxis.set_minor_locator(NullLocator())
    right.set_xlabel("value of an order after its discount")
    right.grid()
    right.set_title("Share of orders worth so much or more")
    return _signed(figure, world)


def draw_messages(world: World) -> Figure:
    """How many messages are opened, by channel and by the distance from the reader's preferred hour."""
    messages = world.messages
    distance = (
        (messages["sent_hour_local"] - messages["preferred_hour_local"]).abs().clip(upper=FARTHEST_HOUR)
    )
    figure, axes = _figure(1, height=3.9)
    colours = (BLUE, RED, PURPLE, GREEN)
    labels = []
    for channel, colour in zip(MESSAGE_CHANNELS, colours, strict=True):
        of_channel = messages["channel"].eq(channel)
        rates = messages.loc[of_channel, "is_opened"].groupby(distance[of_channel]).mean()
        if rates.empty:
            continue
        axes.plot(rates.index, rates, color=colour, lw=2.2, marker="o", markersize=4)
        labels.append((channel.replace("_", "-"), rates.iloc[-1], rates.index[-1], colour))
    places = _apart(np.array([rate for _, rate, _, _ in labels]), 0.022)
    for (channel, _, last, colour), place in zip(labels, places, strict=True):
        axes.annotate(
            channel,
            (last, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=_of_text(colour),
            weight="bold",
        )
    axes.set_ylim(0, None)
    axes.set_xlim(-0.2, FARTHEST_HOUR + 0.1)
    axes.set_xticks(range(FARTHEST_HOUR + 1), [*map(str, range(FARTHEST_HOUR)), f"{FARTHEST_HOUR} and more"])
    axes.yaxis.set_major_formatter(FuncFormatter(percent_text))
    axes.set_xlabel("hours between the sending and the hour that the reader prefers")
    axes.grid(axis="y")
    axes.set_title("Share of messages that are opened, by channel")
    return _signed(figure, world)


PICTURES: dict[str, Callable[[World], Figure]] = {
    "demo-active-accounts.svg": draw_active_accounts,
    "demo-week.svg": draw_week,
    "demo-retention.svg": draw_retention,
    "demo-chance-to-leave.svg": draw_chance_to_leave,
    "demo-leaving.svg": draw_leaving,
    "demo-shop.svg": draw_shop,
    "demo-messages.svg": draw_messages,
}


def draw_all(world: World, folder: Path) -> list[Path]:
    """Write every picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in PICTURES.items():
        with rc_context(STYLE):
            figure = draw(world)
            # Neither a date nor the name of a program: equal worlds give equal files.
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        paths.append(folder / name)
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the pictures, and write the figures into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--weeks", type=int, default=78)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    if given.customers < SMALLEST_CUSTOMERS or given.weeks < SMALLEST_WEEKS:
        parser.error(
            f"give at least {SMALLEST_CUSTOMERS} customers and {SMALLEST_WEEKS} weeks: less is no picture"
        )
    world = live_through(WorldParameters(customers=given.customers, weeks=given.weeks, seed=given.seed))
    for path in draw_all(world, PICTURES_FOLDER):
        print(f"{path.relative_to(PROJECT_FOLDER)}  {path.stat().st_size / 1000:,.0f} kB")
    figures = measured_figures(world)
    page = with_planted(PAGE.read_text(encoding="utf-8"), world.parameters)
    PAGE.write_text(with_measured(page, figures, world.parameters), encoding="utf-8")
    print(f"{PAGE.relative_to(PROJECT_FOLDER)}  {len(figures)} figures")
    return 0


def _interval(happens: np.ndarray) -> tuple[float, float]:
    """95 % interval of a share (Wilson)."""
    count, share, z = len(happens), happens.mean(), 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


def _apart(places: np.ndarray, distance: float) -> np.ndarray:
    """The places, moved so far that no two labels are nearer than `distance`; their order stays."""
    moved = places.astype(float).copy()
    order = np.argsort(moved, kind="stable")
    for _ in range(50):
        for lower, upper in itertools.pairwise(order):
            lacking = distance - (moved[upper] - moved[lower])
            if lacking > 0:
                moved[lower] -= lacking / 2
                moved[upper] += lacking / 2
    return moved


def _of_text(colour: str) -> str:
    """The colour of a line, dark enough for letters on white."""
    return "#" + "".join(f"{int(int(colour[place : place + 2], 16) * 0.72):02x}" for place in (1, 3, 5))


def _figure(panels: int, height: float, widths: tuple[float, ...] | None = None) -> tuple[Figure, Any]:
    """A picture with panels side by side: their axes, or the axes of the only one."""
    figure = Figure(figsize=(9.0, height), layout="constrained")
    axes = figure.subplots(1, panels, width_ratios=widths)
    return figure, axes


def _signed(figure: Figure, world: World) -> Figure:
    """Say below the picture what it is drawn from."""
    figure.supxlabel(size_text(world.parameters), x=0.995, ha="right", fontsize=8, color=MUTED)
    return figure


if __name__ == "__main__":
    sys.exit(main())
