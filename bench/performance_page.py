"""docs/performance.md: the figures between its two marks, and the picture of cost against size."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.pictures import BLUE, GREEN, GREY, MUTED, ORANGE, PURPLE, RED, SKY, STYLE
from bench.record import PROJECT_FOLDER, Result, Written, number_text
from pipeline.review import STEPS

PAGE = PROJECT_FOLDER / "docs" / "performance.md"
PICTURE = PROJECT_FOLDER / "docs" / "pictures" / "performance-by-size.svg"
MEASURED_BLOCK = re.compile(r"(<!-- measured: begin -->\n).*?(<!-- measured: end -->)", re.DOTALL)
COLOURS = dict(zip(STEPS, (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, GREY), strict=True))
# Results that hold a whole review by step in their detail.
SIZES = ("review_100k_seconds", "review_1m_seconds", "review_10m_seconds", "review_100m_seconds")
START_UP = "review_start_up_seconds"
# A logarithmic scale has no zero; what is less than this (seconds, gigabytes, megabytes) has no point.
LEAST_SHOWN = 0.01
# What each result with a target is, in the words of the page.
WHAT_IS_MEASURED = (
    ("peers_10m_share_of_time_of_pandas", "time of the peers' work at 10 million events, of pandas'"),
    ("peers_10m_share_of_time_of_polars", "the same, of Polars'"),
    ("peers_10m_share_of_memory_of_pandas", "memory of that work, of pandas'"),
    ("peers_10m_share_of_memory_of_polars", "the same, of Polars'"),
    ("peers_10m_sessions_more_than_pandas", "sessions, more than pandas counts"),
    ("peers_10m_customer_days_more_than_pandas", "customer-days, more than pandas counts"),
    ("peers_10m_sessions_more_than_polars", "sessions, more than Polars counts"),
    ("peers_10m_customer_days_more_than_polars", "customer-days, more than Polars counts"),
    ("features_week_times_floor_10m", "all features of one week, times one grouping pass over the events"),
    ("features_26_weeks_times_one_10m", "26 weeks in one pass, times one week"),
    ("increment_share_of_rebuild_10m", "load and features of one week more, of a full rebuild's"),
    ("increment_after_156_weeks_times_60", "the same after 156 weeks of history, times after 60"),
    ("publishing_share_of_week_10m", "publishing, of a weekly run"),
    (
        "readme_queries_p95_milliseconds_10m",
        "the README's queries on the release, 95th percentile, milliseconds",
    ),
    ("release_gigabytes_per_million_customers_10m", "release per million customers, gigabytes"),
    ("rebuild_100m_peak_gigabytes", "memory of a full rebuild of 100 million events, gigabytes"),
    ("week_100m_peak_gigabytes", "memory of one week more after it, to its release, gigabytes"),
    ("rebuild_100m_time_per_event_times_10m", "time per event of that rebuild, times that of 10 million"),
    ("release_gigabytes_per_million_customers_100m", "its release per million customers, gigabytes"),
)


def with_figures(page: str, written: Written) -> str:
    """The page with the figures between its two marks. Raises ValueError where the marks are lacking."""
    by_name = {result.name: result for result in written.results}
    block = "\n".join(
        part
        for part in (
            _provenance(written),
            _targets(by_name, written.machine),
            _sizes(by_name),
            _billion(by_name),
            _models(by_name),
        )
        if part
    )
    new, replaced = MEASURED_BLOCK.subn(lambda match: f"{match[1]}\n{block}\n{match[2]}", page)
    if replaced != 1:
        raise ValueError(f"the page has no place for measured figures: {MEASURED_BLOCK.pattern}")
    return new


def write_picture(written: Written, path: Path) -> bool:
    """Draw what every step costs at every size; nothing, and False, where none is measured."""
    by_name = {result.name: result for result in written.results}
    if not _reviews(by_name):
        return False
    sizes = [by_name[START_UP].detail, *_reviews(by_name)] if START_UP in by_name else _reviews(by_name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        figure = draw_cost_by_size(sizes)
        # Neither a date nor the name of a program: equal results give equal files.
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return True


def draw_cost_by_size(sizes: Sequence[dict[str, Any]]) -> Figure:
    """Seconds, memory and disk of the steps against the number of events."""
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    seconds, memory, disk = figure.subplots(1, 3)
    _draw_panel(seconds, "Seconds", sizes, lambda size, step: size["seconds"][step])
    _draw_panel(
        memory, "Memory of the process, gigabytes", sizes, lambda size, step: size["peak_gigabytes"][step]
    )
    _draw_panel(disk, "Disk, megabytes", sizes, lambda size, step: size["disk_bytes"][step] / 1e6)
    # What costs grow with is told by slopes; whether memory is bounded, by its distance from zero.
    memory.set_yscale("linear")
    memory.set_ylim(0, None)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(STEPS), frameon=False)
    return figure


def _draw_panel(
    axes: Axes,
    title: str,
    sizes: Sequence[dict[str, Any]],
    value: Callable[[dict[str, Any], str], float],
) -> None:
    for step in STEPS:
        points = [(size["events"], value(size, step)) for size in sizes]
        shown = [(events, each) for events, each in points if each >= LEAST_SHOWN]
        events = [each for each, _ in shown]
        axes.plot(
            events, [each for _, each in shown], "o-", color=COLOURS[step], lw=1.8, markersize=4, label=step
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("events")
    axes.xaxis.set_major_formatter(FuncFormatter(_count_text))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda each, _: f"{each:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(colors=MUTED)
    axes.grid()
    axes.set_title(title)


def _provenance(written: Written) -> str:
    machine = written.machine
    return (
        f"Measured on {machine.get('measured_on', 'a day not written down')}: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gigabytes']} GB of memory, {machine['system']}; Python "
        f"{written.versions['python']}, DuckDB {written.versions['duckdb']}; commit "
        f"`{(written.commit or 'unknown').replace('-dirty', ', with changes')}`.\n"
    )


def _targets(by_name: dict[str, Result], machine: dict[str, Any]) -> str:
    rows = []
    for name, what in WHAT_IS_MEASURED:
        result = by_name.get(name)
        if result is None:
            rows.append(f"| {what} | not measured | | |")
            continue
        earlier = _of_then(result, machine)
        holds = {True: "yes", False: "**no**", None: "not measured"}[result.holds]
        rows.append(f"| {what}{earlier} | {_figure(result.value)} | {result.target} | {holds} |")
    return "| measured | value | target | holds |\n| --- | ---: | ---: | --- |\n" + "\n".join(rows) + "\n"


def _of_then(result: Result, machine: dict[str, Any]) -> str:
    """What is to be said of a result that stands from an earlier measurement."""
    if "commit" not in result.detail:
        return ""
    processor = result.detail.get("processor", machine["processor"])
    return f" (an earlier commit{'' if processor == machine['processor'] else f', on {processor}'})"


def _sizes(by_name: dict[str, Result]) -> str:
    sizes = _reviews(by_name)
    if not sizes:
        return ""
    head = "".join(f" {size['events']:,} events |" for size in sizes)
    start_up = by_name[START_UP].detail["seconds"] if START_UP in by_name else {}
    lines = [f"| step | start-up |{head}", "| --- | ---: |" + " ---: |" * len(sizes)]
    for step in STEPS:
        cells = "".join(
            f" {_figure(size['seconds'][step])} s, {_figure(size['peak_gigabytes'][step])} GB, "
            f"{_figure(size['disk_bytes'][step] / 1e6)} MB |"
            for size in sizes
        )
        lines.append(f"| {step} | {_figure(start_up.get(step))} s |{cells}")
    totals = "".join(
        f" {_figure(sum(size['seconds'].values()))} s, {_figure(max(size['peak_gigabytes'].values()))} GB, "
        f"{_figure(sum(size['disk_bytes'].values()) / 1e6)} MB |"
        for size in sizes
    )
    lines.append(f"| all | {_figure(sum(start_up.values()))} s |{totals}")
    customers = "; ".join(f"{size['customers']:,}" for size in sizes)
    picture = (
        f"![Seconds, memory and disk of every step against the number of events](pictures/{PICTURE.name})\n\n"
    )
    return (
        picture
        + f"A full review from nothing, of {customers} customers: seconds with the start-up, the most memory "
        "of the process, and bytes that the step left on disk (landing not counted).\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _billion(by_name: dict[str, Result]) -> str:
    hours, disk = by_name.get("billion_events_hours"), by_name.get("billion_events_disk_terabytes")
    if hours is None or disk is None:
        return ""
    lines = ["| one billion events | hours | disk, terabytes |", "| --- | ---: | ---: |"]
    for step in STEPS:
        lines.append(
            f"| {step} | {_range(hours.detail['by_step'][step])} | {_range(disk.detail['by_step'][step])} |"
        )
    both = [_range({"likely": each.value, **each.detail}) for each in (hours, disk)]
    lines.append(f"| all | {both[0]} | {both[1]} |")
    first, second = hours.detail["from_events"]
    return (
        f"Nothing of this size was run: extrapolated from {first:,} and {second:,} events, a size "
        f"{1e9 / second:,.0f} times the larger. Assumed: {hours.detail['assumption']}\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _models(by_name: dict[str, Result]) -> str:
    result = by_name.get("review_10m_seconds")
    if result is None or not result.detail.get("models"):
        return ""
    rows = "\n".join(
        f"| `{model}` | {_figure(seconds)} |" for model, seconds in result.detail["models"].items()
    )
    return (
        f"The slowest models of the full rebuild of {result.detail['events']:,} events; all of them together "
        f"{_figure(result.detail['seconds_of_all_models'])} s, marts and ops among them:\n\n"
        f"| model | seconds |\n| --- | ---: |\n{rows}\n"
    )


def _reviews(by_name: dict[str, Result]) -> list[dict[str, Any]]:
    return [by_name[name].detail for name in SIZES if name in by_name]


def _range(each: dict[str, float]) -> str:
    return f"{_figure(each['likely'])} ({_figure(each['low'])} to {_figure(each['high'])})"


def _figure(value: float | None) -> str:
    """Three significant digits: more would be dressing up a single run."""
    if value is None or value == 0:
        return number_text(value)
    return number_text(float(f"{value:.3g}"))


def _count_text(value: float, _: object) -> str:
    for unit, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if value >= unit:
            return f"{value / unit:g}\n{name}"
    return f"{value:g}"
