"""How far the numbers can be trusted: models beside naive rules, promises kept and broken, rows refused."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from report import charts
from report.charts import Series, hover_text
from report.columns import dates, is_observed, is_true, numbers, rows_up_to_week, texts
from report.content import Block, Chart, Column, Section, Sentence, Table, Tone
from report.tables import ReviewHeader, ReviewTables
from report.wording import DASH, amount_of, decimal, is_missing, name_of, percent, short_day, shortened

# Kinds of data and the column of the feature row that is NULL for everyone where a workspace lacks the kind.
KINDS = {
    "orders": "orders_365d",
    "product features": "features_used_28d",
    "support tickets": "tickets_90d",
    "the sentiment of support tickets": "support_sentiment_90d",
    "answers to the NPS question": "nps_last",
    "plans": "plan",
    "team members": "team_size",
}

RANKING_METRICS = ("auroc", "roc_auc")
MOST_MODELS = 6
MOST_MEASURES = 80
MOST_CHECKS = 60
MOST_LOADS = 10
NAME_LENGTH, MESSAGE_LENGTH = 80, 400


def models_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """What the models were worth on weeks they had not seen."""
    title = "How good the predictions are"
    metrics = _of_run(rows_up_to_week(tables.model_metrics, header.review_week), header.run_id)
    if metrics.empty:
        sentence = Sentence("No model was judged for this review.", "absent")
        return Section("models", title, "", (sentence,))
    blocks: list[Block] = []
    names = texts(metrics, "model").fillna("")
    is_ranking = texts(metrics, "metric").isin(RANKING_METRICS)
    for place, model in enumerate(sorted(names[is_ranking].unique())[:MOST_MODELS]):
        ranking = metrics.loc[is_ranking & names.eq(model)]
        blocks.append(_ranking_chart(ranking, model, f"model-{place}"))
        blocks.append(
            _measures_table(
                ranking, f"{shortened(name_of(model), NAME_LENGTH)}: the judged weeks", is_folded=False
            )
        )
    if not is_ranking.any():
        blocks.append(Sentence("No model that ranks customers was judged for this review.", "absent"))
    others = metrics.loc[~is_ranking]
    if len(others):
        blocks.append(_measures_table(others, "All other measures", is_folded=True))
    lead = (
        "AUROC says how well a model orders customers by risk: 1 is perfect, 0.5 is a coin toss. The "
        "baseline is the same measure of a naive rule, for churn the time since the last activity alone."
    )
    return Section("models", title, lead, tuple(blocks))


def _of_run(metrics: pandas.DataFrame, run_id: str) -> pandas.DataFrame:
    """The measures of this run, else those of the run that wrote last: a run may reuse an earlier model."""
    runs = texts(metrics, "run_id")
    if not runs.eq(run_id).any() and len(metrics):
        run_id = runs.iloc[-1]
    return metrics.loc[runs.eq(run_id).astype(bool)]


def _ranking_chart(ranking: pandas.DataFrame, model: str, identifier: str) -> Chart:
    weeks = dates(ranking, "review_week").tolist()
    values, baselines = numbers(ranking, "value"), numbers(ranking, "baseline")
    low, high = numbers(ranking, "low"), numbers(ranking, "high")
    tested = numbers(ranking, "rows_test")

    def hover(name: str, shown: pandas.Series) -> list[str]:
        return [
            hover_text(f"Week of {short_day(week)}", f"{name}: {decimal(value, 3)}", f"{decimal(rows)} rows")
            for week, value, rows in zip(weeks, shown, tested, strict=True)
        ]

    return Chart(
        identifier=identifier,
        title=f"{shortened(name_of(model), NAME_LENGTH)}: AUROC beside the baseline",
        takeaway=_ranking_sentence(ranking, values, baselines),
        figure=charts.judged_weeks(
            weeks,
            Series("Model", _gaps(values), charts.ACCENT, hover("Model", values)),
            _gaps(low),
            _gaps(high),
            Series("Baseline", _gaps(baselines), charts.NEUTRAL, hover("Baseline", baselines)),
        ),
        height="low",
        note="Bars show the 95 % interval.",
    )


def _ranking_sentence(ranking: pandas.DataFrame, values: pandas.Series, baselines: pandas.Series) -> str:
    week, through = (dates(ranking, column).iloc[-1] for column in ("review_week", "trained_through"))
    low, high = (numbers(ranking, column).iloc[-1] for column in ("low", "high"))
    interval = "" if is_missing(low) or is_missing(high) else f" ({decimal(low, 3)} to {decimal(high, 3)})"
    sentence = f"{decimal(values.iloc[-1], 3)}{interval} in the week of {short_day(week)}"
    if through is not None:
        sentence += f", trained through {short_day(through)}"
    both = values.notna() & baselines.notna()
    if not both.any():
        return f"{sentence}; there is no baseline to compare with."
    better = int((values[both] > baselines[both]).sum())
    gain = (values[both] - baselines[both]).mean()
    verdict = "above" if gain > 0 else "below" if gain < 0 else "at"
    return (
        f"{sentence}; on average {decimal(abs(gain), 3)} {verdict} the baseline, and better in {better} of "
        f"{amount_of(int(both.sum()), 'judged week', 'judged weeks')}."
    )


def _measures_table(rows: pandas.DataFrame, caption: str, *, is_folded: bool) -> Table:
    newest_first = rows.iloc[::-1].iloc[:MOST_MEASURES]
    heads = (
        Column("Week of"),
        Column("Model"),
        Column("Measure"),
        Column("Value", is_number=True),
        Column("95 % interval", is_number=True),
        Column("Baseline", is_number=True),
        Column("Horizon, days", is_number=True),
        Column("Rows judged", is_number=True),
        Column("Rows trained on", is_number=True),
        Column("Trained through"),
        Column("Kind"),
    )
    cells = zip(
        dates(newest_first, "review_week"),
        texts(newest_first, "model"),
        texts(newest_first, "metric"),
        numbers(newest_first, "value"),
        numbers(newest_first, "low"),
        numbers(newest_first, "high"),
        numbers(newest_first, "baseline"),
        numbers(newest_first, "horizon_days"),
        numbers(newest_first, "rows_test"),
        numbers(newest_first, "rows_train"),
        dates(newest_first, "trained_through"),
        is_true(newest_first, "is_backtest"),
        strict=True,
    )
    hidden = len(rows) - len(newest_first)
    return Table(
        caption,
        heads,
        tuple(
            (
                short_day(week),
                shortened(name_of(model), NAME_LENGTH),
                shortened(name_of(metric), NAME_LENGTH),
                decimal(value, 3),
                DASH if is_missing(low) or is_missing(high) else f"{decimal(low, 3)} – {decimal(high, 3)}",
                decimal(baseline, 3),
                decimal(horizon),
                decimal(tested),
                decimal(trained),
                short_day(through),
                "back-test" if is_backtest else "test",
            )
            for (
                week,
                model,
                metric,
                value,
                low,
                high,
                baseline,
                horizon,
                tested,
                trained,
                through,
                is_backtest,
            ) in cells
        ),
        note=f"{amount_of(hidden, 'older row is', 'older rows are')} not listed." if hidden else "",
        is_folded=is_folded,
    )


def quality_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """Which promises about the data held, and what was refused on the way in."""
    blocks = [
        *_check_blocks(header, tables.quality_checks),
        *_load_blocks(tables),
        *_unobserved_blocks(tables.customers),
    ]
    lead = "Checks run at each border of the data's way; what cannot be read is put aside, never guessed."
    return Section("quality", "Data quality", lead, tuple(blocks))


def _check_blocks(header: ReviewHeader, quality_checks: pandas.DataFrame) -> list[Block]:
    checks = quality_checks.loc[texts(quality_checks, "run_id").eq(header.run_id).astype(bool)]
    if checks.empty:
        return [Sentence("No data checks are recorded for this run.", "absent")]
    passed = is_true(checks, "passed")
    failed = checks.loc[~passed]
    severities = texts(failed, "severity").fillna("stop")
    total = amount_of(len(checks), "data check", "data checks")
    blocks: list[Block] = []
    if failed.empty:
        blocks.append(Sentence(f"All {total} passed.", "fine"))
    else:
        stopping = int(severities.ne("warn").sum())
        counts = f"{decimal(stopping)} that stop a release, {decimal(len(failed) - stopping)} warnings"
        blocks.append(Sentence(f"{decimal(len(failed))} of {total} failed: {counts}.", "warning"))
        blocks.append(_failed_table(failed.loc[severities.sort_values(kind="stable").index]))
    borders = texts(checks, "border").fillna(DASH)
    summary = pandas.DataFrame({"border": borders, "passed": passed}).groupby("border", sort=False)["passed"]
    rows = tuple(
        (shortened(name_of(border), NAME_LENGTH), decimal(part.sum()), decimal((~part).sum()))
        for border, part in summary
    )
    heads = (Column("Border"), Column("Passed", is_number=True), Column("Failed", is_number=True))
    blocks.append(Table("Checks by border", heads, rows[:MOST_CHECKS]))
    return blocks


def _failed_table(failed: pandas.DataFrame) -> Table:
    shown = failed.iloc[:MOST_CHECKS]
    severities = texts(shown, "severity")
    rows = []
    for severity, table, column, count, message in zip(
        severities,
        texts(shown, "table_name"),
        texts(shown, "column_name"),
        numbers(shown, "unexpected_count"),
        texts(shown, "message"),
        strict=True,
    ):
        place = f"{table}.{column}" if table and column else table
        rows.append(
            (
                "Warning" if severity == "warn" else "Stop",
                shortened(place, NAME_LENGTH),
                shortened(message, MESSAGE_LENGTH),
                decimal(count),
            )
        )
    tones: Sequence[Tone] = ["plain" if severity == "warn" else "warning" for severity in severities]
    hidden = len(failed) - len(shown)
    return Table(
        "Failed checks",
        (Column("Severity"), Column("Where"), Column("What is wrong"), Column("Rows", is_number=True)),
        tuple(rows),
        note=f"{decimal(hidden)} more are in ops.quality_checks." if hidden else "",
        tones=tuple(tones),
    )


def _unobserved_blocks(customers: pandas.DataFrame) -> list[Block]:
    """A sentence on the kinds of data that no customer has: NULL in all rows of the columns of the kind."""
    lacking = [kind for kind, column in KINDS.items() if not is_observed(customers, column)]
    if customers.empty or not lacking:
        return []
    listed = lacking[0] if len(lacking) == 1 else f"{', '.join(lacking[:-1])} and {lacking[-1]}"
    return [Sentence(f"Not observed of any customer, so not part of any number here: {listed}.", "absent")]


def _load_blocks(tables: ReviewTables) -> list[Block]:
    loads = tables.loads
    if loads.empty:
        return [Sentence("No loaded file is on record.", "absent")]
    columns = {
        "Read": numbers(loads, "rows_read"),
        "Duplicate": numbers(loads, "rows_duplicate"),
        "Rejected": numbers(loads, "rows_rejected"),
        "Grouped": numbers(loads, "rows_grouped"),
        "Events": numbers(loads, "events_loaded"),
        "Late": numbers(loads, "events_late"),
    }
    sums = {name: values.sum() for name, values in columns.items()}
    read = sums["Read"]

    def share(name: str) -> str:
        return f" ({percent(sums[name] / read, 2)})" if read > 0 and sums[name] > 0 else ""

    sentence = (
        f"{amount_of(len(loads), 'file', 'files')} with {amount_of(read, 'row', 'rows')} became "
        f"{amount_of(sums['Events'], 'event', 'events')}: "
        f"{decimal(sums['Duplicate'])} duplicates{share('Duplicate')}, "
        f"{decimal(sums['Rejected'])} rejected{share('Rejected')}, "
        f"{decimal(sums['Grouped'])} grouped with another row of the same event."
    )
    # ISO text sorts like time; a timestamp and its text are then read alike.
    loaded_at = texts(loads, "loaded_at").fillna("")
    order = pandas.DataFrame({"at": loaded_at, "name": texts(loads, "file_name").fillna("")})
    newest = order.sort_values(["at", "name"], ascending=False, kind="stable").index[:MOST_LOADS]
    rows = tuple(
        (
            shortened(order.at[place, "name"], NAME_LENGTH),
            f"{order.at[place, 'at'][:16]}{' UTC' if order.at[place, 'at'] else DASH}",
            *(decimal(values.at[place]) for values in columns.values()),
        )
        for place in newest
    )
    heads = (Column("File"), Column("Loaded"), *(Column(name, is_number=True) for name in columns))
    return [
        Sentence(sentence),
        _late_sentence(tables.late_events_daily, sums["Late"]),
        Table(
            f"The newest {amount_of(len(rows), 'file', 'files')}"
            if len(loads) > len(rows)
            else "Loaded files",
            heads,
            rows,
            note="Read = duplicate + rejected + grouped + events. Late events are among the events.",
        ),
    ]


def _late_sentence(late_events_daily: pandas.DataFrame, late_at_load: float) -> Sentence:
    late = numbers(late_events_daily, "late_events")
    total = max(late.sum(), late_at_load)
    if not total > 0:
        return Sentence("No event arrived later than the limit of this workspace.")
    days = dates(late_events_daily, "local_date")[late.gt(0)].nunique()
    over = f", from {amount_of(days, 'day', 'days')}" if days else ""
    return Sentence(
        f"{amount_of(total, 'event', 'events')} arrived later than the limit of this workspace{over}: they "
        "are kept, but the weeks they belong to were final, so no number here counts them.",
        "warning",
    )


def _gaps(values: pandas.Series) -> list[float | None]:
    return [None if is_missing(value) else float(value) for value in values]
