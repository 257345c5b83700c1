"""Figures of the page: plain values in, Plotly figures as JSON out. They compute nothing.

Colours of text, grid and paper are left to the page's script, which knows whether the reader's screen is
light or dark; here stand only the colours that mean something, from one palette that people with red-green
blindness can tell apart. Names from data are shown as they are: Plotly would read some tags in them.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from plotly import graph_objects

from report.wording import shortened

ACCENT = "#2b7a99"
ACCENT_SOFT = "#9fc6d4"
GOOD = "#25876f"
WARNING = "#e3a23c"
BAD = "#c24236"
NEUTRAL = "#93a1ad"

BAND_COLOURS = {
    "low": GOOD,
    "medium": WARNING,
    "high": BAD,
    "advocacy": GOOD,
    "automated": WARNING,
    "high_touch": BAD,
}

NAME_LENGTH = 40  # characters of a name on an axis or in a legend
HOVER_LENGTH = 120  # characters of a line in a hover label

TIME_AXIS = {"type": "date", "tickformat": "%-d %b\n%Y"}
NAMES_DOWNWARDS = {"type": "category", "autorange": "reversed", "showgrid": False}


@dataclass(frozen=True)
class Series:
    """Values, one per position; None leaves a gap. `hover`: one text each, made by `hover_text`."""

    name: str
    values: Sequence[float | None]
    colour: str
    hover: Sequence[str]
    texts: Sequence[str] | None = None


def plain(text: str) -> str:
    """Text that Plotly shows to the letter: it reads `<b>`, `<a href>` and entities in every label.

    A line break in the text stays one.
    """
    return html.escape(shortened(text, NAME_LENGTH), quote=False).replace("\n", "<br>")


def hover_text(*lines: str) -> str:
    """Lines of text as one hover label."""
    return "<br>".join(html.escape(shortened(line, HOVER_LENGTH), quote=False) for line in lines)


def lines_over_weeks(weeks: Sequence[date], series: Series) -> str:
    """A line with an area under it; the axis starts at zero."""
    trace = _line(weeks, series) | {"fill": "tozeroy", "fillcolor": _faint(series.colour)}
    return _figure([trace], x_axis=TIME_AXIS, y_axis={"rangemode": "tozero", "tickformat": ","})


def bars_over_time(weeks: Sequence[date], series: Sequence[Series], *, total: Series | None = None) -> str:
    """Bars over dates, negative ones below the line, stacked; `total` is a line over them."""
    traces = [_bars(bars, x=_days(weeks)) for bars in series]
    if total is not None:
        traces.append(_line(weeks, total))
    return _figure(
        traces,
        x_axis=TIME_AXIS,
        y_axis={"tickformat": ","},
        layout={"barmode": "relative", "bargap": 0.25},
    )


def grouped_bars(names: Sequence[str], series: Sequence[Series]) -> str:
    """Bars side by side for each name."""
    return _figure(
        [_bars(bars, x=[plain(name) for name in names]) for bars in series],
        x_axis={"type": "category"},
        y_axis={"tickformat": ","},
        layout={"barmode": "group", "bargap": 0.25},
    )


def waterfall(steps: Sequence[tuple[str, float, bool]], texts: Sequence[str]) -> str:
    """Steps from one level to another: (name, value, whether it is a level)."""
    trace = {
        "type": "waterfall",
        "x": [plain(name) for name, _, _ in steps],
        "y": [value for _, value, _ in steps],
        "measure": ["absolute" if is_level else "relative" for _, _, is_level in steps],
        "text": [plain(text) for text in texts],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "connector": {"line": {"color": NEUTRAL, "width": 1, "dash": "dot"}},
        "totals": {"marker": {"color": ACCENT}},
        "increasing": {"marker": {"color": GOOD}},
        "decreasing": {"marker": {"color": BAD}},
    }
    return _figure(
        [trace],
        x_axis={"type": "category", "tickangle": 0},
        y_axis={"tickformat": ",", "rangemode": "tozero"},
        layout={"waterfallgap": 0.35},
    )


def share_bars(names: Sequence[str], series: Sequence[Series]) -> str:
    """One bar of 100 % per name, first name on top; values are shares."""
    inside = {
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"size": 10},
    }
    return _figure(
        [_bars(part, y=[plain(name) for name in names]) | inside for part in series],
        x_axis={"tickformat": ".0%", "range": [0, 1], "dtick": 0.25},
        y_axis=NAMES_DOWNWARDS,
        layout={
            "barmode": "stack",
            "bargap": 0.28,
            "legend_traceorder": "normal",
            "uniformtext": {"minsize": 9, "mode": "hide"},
        },
    )


def histogram(lower_edges: Sequence[float], width: float, series: Sequence[Series], axis_name: str) -> str:
    """Counts that are already counted, as stacked bars over classes of equal width from 0 to 100."""
    middles = [edge + width / 2 for edge in lower_edges]
    return _figure(
        [_bars(part, x=middles) | {"width": width * 0.94} for part in series],
        x_axis={"title_text": plain(axis_name), "dtick": 20, "range": [0, 100]},
        y_axis={"tickformat": ","},
        layout={"barmode": "stack", "legend_traceorder": "normal"},
    )


def score_bars(names: Sequence[str], series: Series) -> str:
    """Horizontal bars of scores up to 100 with their text at the end, first name on top."""
    at_the_end = {"textposition": "outside", "cliponaxis": False}
    return _figure(
        [_bars(series, y=[plain(name) for name in names]) | at_the_end],
        x_axis={"range": [0, 118], "dtick": 25},  # room for the text after a full bar
        y_axis=NAMES_DOWNWARDS,
        layout={"bargap": 0.35},
    )


def points(clouds: Mapping[str, tuple[Series, Sequence[float]]], *, axis_names: tuple[str, str]) -> str:
    """Points on two logarithmic axes; each cloud brings its y values and, beside them, its x values."""
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": plain(name),
            "x": list(across),
            "y": list(cloud.values),
            "marker": {"color": cloud.colour, "size": 6, "opacity": 0.65},
            **_hover(cloud),
        }
        for name, (cloud, across) in clouds.items()
    ]
    return _figure(
        traces,
        x_axis={"type": "log", "title_text": plain(axis_names[0]), "tickformat": "~s", "dtick": "D2"},
        y_axis={"type": "log", "title_text": plain(axis_names[1]), "tickformat": "~s", "dtick": 1},
        layout={"showlegend": True},
    )


def grid(
    across: Sequence[str],
    upwards: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]],
    axis_names: tuple[str, str],
    *,
    limits: tuple[float, float] | None = None,
) -> str:
    """A heat map with a text in each cell; the first row of values lies at the bottom.

    None leaves a cell empty. `limits`: the values of the palest and the darkest colour, else the smallest
    and the largest value.
    """
    scale = {} if limits is None else {"zmin": limits[0], "zmax": limits[1]}
    trace = {
        "type": "heatmap",
        "x": [plain(name) for name in across],
        "y": [plain(name) for name in upwards],
        "z": [list(row) for row in values],
        "text": [[plain(text) for text in row] for row in texts],
        "texttemplate": "%{text}",
        "customdata": [list(row) for row in hover],
        "hovertemplate": "%{customdata}<extra></extra>",
        "colorscale": [[0.0, "#e6f0f3"], [0.5, "#79b0c4"], [1.0, "#1d5f7a"]],
        "showscale": False,
        "hoverongaps": False,
        "xgap": 3,
        "ygap": 3,
        **scale,
    }
    return _figure(
        [trace],
        x_axis={"type": "category", "title_text": plain(axis_names[0])},
        y_axis={
            "type": "category",
            "title": {"text": plain(axis_names[1]), "standoff": 12},
            "showgrid": False,
        },
    )


def judged_weeks(
    weeks: Sequence[date],
    model: Series,
    low: Sequence[float | None],
    high: Sequence[float | None],
    baseline: Series,
) -> str:
    """A measure of a model over weeks with its interval, and the naive rule beside it."""
    interval = {
        "type": "data",
        "symmetric": False,
        "array": _distances(high, model.values),
        "arrayminus": _distances(model.values, low),
        "color": model.colour,
        "thickness": 1,
        "width": 3,
    }
    rule = _line(weeks, baseline)
    rule["line"] |= {"dash": "dash"}
    rule["marker"] |= {"symbol": "diamond"}
    return _figure(
        [_line(weeks, model) | {"error_y": interval}, rule], x_axis=TIME_AXIS, y_axis={"tickformat": ".2f"}
    )


def _line(weeks: Sequence[date], series: Series) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(series.name),
        "x": _days(weeks),
        "y": list(series.values),
        "line": {"color": series.colour, "width": 2.5},
        "marker": {"size": 6},
        **_hover(series),
    }


def _bars(
    series: Series, *, x: Sequence[str | float] | None = None, y: Sequence[str] | None = None
) -> dict[str, Any]:
    """Upright bars over `x`, or lying ones beside `y`."""
    places = {"x": list(x), "y": list(series.values)} if x is not None else {}
    if y is not None:
        places = {"x": list(series.values), "y": list(y), "orientation": "h"}
    texts = {} if series.texts is None else {"text": [plain(text) for text in series.texts]}
    return {
        "type": "bar",
        "name": plain(series.name),
        "marker": {"color": series.colour},
        **places,
        **texts,
        **_hover(series),
    }


def _hover(series: Series) -> dict[str, Any]:
    return {"customdata": list(series.hover), "hovertemplate": "%{customdata}<extra></extra>"}


def _figure(
    traces: Sequence[dict[str, Any]],
    *,
    x_axis: dict[str, Any],
    y_axis: dict[str, Any],
    layout: dict[str, Any] | None = None,
) -> str:
    """The figure as JSON in which nothing can end the script element that holds it.

    Plotly checks every name and value in it (ValueError on a wrong one).
    """
    has_legend = len(traces) > 1 or bool(layout and layout.get("showlegend"))
    axis = {"fixedrange": True, "automargin": True, "zeroline": False, "title_font_size": 13}
    figure = graph_objects.Figure(
        data=list(traces),
        layout={
            "autosize": True,
            "margin": {"l": 8, "r": 16, "t": 36 if has_legend else 14, "b": 8},
            "showlegend": has_legend,
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "separators": ".,",
            "dragmode": False,
            "hovermode": "closest",
            "xaxis": {**axis, "showgrid": False, **x_axis},
            "yaxis": {**axis, **y_axis},
            **(layout or {}),
        },
    )
    content = figure.to_plotly_json()
    content["layout"].pop("template", None)  # a theme of 7 KB that the page's own style replaces
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # Escapes for non-ASCII characters already cover the line separators U+2028 and U+2029.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _days(days: Sequence[date]) -> list[str]:
    return [day.isoformat() for day in days]


def _distances(upper: Sequence[float | None], lower: Sequence[float | None]) -> list[float]:
    return [
        0.0 if top is None or bottom is None else max(0.0, top - bottom)
        for top, bottom in zip(upper, lower, strict=True)
    ]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.12)"
