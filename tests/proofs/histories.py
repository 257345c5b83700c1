"""A small business as it goes on: files arrive, weeks are reviewed, in a warehouse of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow

from bench.chaos_comparison import OF_ONE_BUILD
from pipeline.errors import UsageError
from pipeline.load import load_landing
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.weeks import WEEK, WeekPlan, choose_week, monday_of, week_bounds
from pipeline.workspace import Workspace
from tests.proofs.comparisons import content, tables_of
from tests.proofs.compiled_models import CompiledModels, new_workspace
from tests.proofs.worlds import Business

# Where what is built must equal, whatever the way to it.
BUILT = ("intermediate", "features")
FEATURES, LABELS = "features.customer_weeks", "features.customer_week_labels"
_numbers = itertools.count()


class History:
    """A warehouse with its landing, and what can happen to it."""

    def __init__(self, models: CompiledModels, workspace: Workspace, warehouse: Warehouse) -> None:
        self.models = models
        self.workspace = workspace
        self.warehouse = warehouse
        self._files = itertools.count()

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    def receive(self, *files: Iterable[str]) -> None:
        """Put files of lines into landing, and load them in this order."""
        for lines in files:
            text = "".join(line + "\n" for line in lines)
            (self.workspace.landing / f"{next(self._files):04}.jsonl").write_text(text, encoding="utf-8")
        load_landing(self.warehouse, self.workspace)

    def review(self, week: date) -> WeekPlan | None:
        """Build the week, and with it what is missing or was restated; None where it has no data."""
        try:
            choose_week(self.warehouse, self.settings, week)
        except UsageError:
            return None
        return self.models.review(self.warehouse, self.settings, week)

    def weeks(self) -> list[date]:
        """All weeks from the first event to the last."""
        zone = {"zone": self.settings.time_zone}
        local = "cast(timezone($zone, timezone('UTC', occurred_at)) as date)"
        first, last = self.warehouse.rows(
            f"select min({local}), max({local}) from raw.events where not is_late", zone
        )[0]
        if first is None:
            return []
        first = monday_of(first)
        return [first + number * WEEK for number in range((last - first).days // 7 + 1)]

    def built(self) -> dict[str, pyarrow.Table]:
        """What stays from build to build."""
        tables = content(self.warehouse, *BUILT)
        return {table: rows for table, rows in tables.items() if not OF_ONE_BUILD.fullmatch(table)}

    def weekly(self) -> dict[str, pyarrow.Table]:
        """The tables with a row per week, but the labels, which tell of the weeks after it."""
        return {
            table: rows
            for table, rows in self.built().items()
            if "review_week" in rows.column_names and table != LABELS
        }

    def reviewed_from_what_lay_before_the_end_of(self, week: date) -> _Cut:
        """The same week in a fresh warehouse, from a stream that ends with the week."""
        return _Cut(self, week)


class _Cut:
    """A context: a fresh history that knows nothing from the end of a week on, with the week reviewed."""

    def __init__(self, history: History, week: date) -> None:
        _, ends_at = week_bounds(week, history.settings.time_zone)
        self._week, self._history = week, history
        self._events = history.warehouse.connection.sql(
            "select * from raw.events where occurred_at < $ends_at", params={"ends_at": ends_at}
        ).to_arrow_table()

    def __enter__(self) -> History:
        models, workspace = self._history.models, self._history.workspace
        self._opened = models.new_warehouse(workspace.settings)
        cut = History(models, workspace, self._opened.__enter__())
        cut.warehouse.append("raw.events", self._events)
        cut.warehouse.run("insert into raw.loads by name select max(load_id) as load_id from raw.events")
        # Not History.review: a week in which nothing happened is the last one of this stream nevertheless.
        models.review(cut.warehouse, cut.settings, self._week)
        return cut

    def __exit__(self, *exception: object) -> None:
        self._opened.__exit__(*exception)


@contextmanager
def new_history(
    models: CompiledModels, folder: Path, business: Business, **settings: str
) -> Iterator[History]:
    """A business before its first file; keys of review.toml given here are replaced, too."""
    workspace = new_workspace(folder / str(next(_numbers)), **(business.settings | settings))
    with models.new_warehouse(workspace.settings) as warehouse:
        yield History(models, workspace, warehouse)


def label_differences(whole: History, cut: History, week: date) -> list[str]:
    """Labels of a stream that ends with a week: those matured by then are as they stay, the others NULL."""
    columns = [
        column
        for column in tables_of(cut.warehouse, "features")[LABELS]
        if column not in ("customer_id", "review_week")
    ]
    end = week + WEEK
    rows = whole.warehouse.connection.sql(f"from {LABELS}").to_arrow_table()
    told = []
    with cut.warehouse.registered("labels_of_all", rows):
        for column in columns:
            matures_on = _matures_on(column)
            wanted = f"labels_of_all.{column}"
            if matures_on is not None:
                wanted = f"case when {matures_on} <= $end then {wanted} end"
            found = cut.warehouse.rows(
                f"""
                select customer_id, review_week, labels.{column}, {wanted} as wanted
                from {LABELS} as labels
                full join labels_of_all using (customer_id, review_week)
                where review_week < $end and review_week >= (select min(review_week) from labels_of_all)
                    and (labels.{column} is distinct from wanted or labels.customer_id is null)
                """,
                {"end": end},
            )
            told += [
                f"{LABELS} of {customer}, {of_week}: {column} is {value!r} instead of {as_it_stays!r}"
                for customer, of_week, value, as_it_stays in found
            ]
    return told


def _matures_on(column: str) -> str | None:
    """When a label is known: its name says so, or the row; None for what is no label."""
    if column in ("horizon_days", "matures_on"):
        return None
    days = column.rpartition("_")[2].removesuffix("d")
    if days.isdecimal() and column.endswith("d"):
        return f"review_week + {int(days) + 7}"
    return "labels_of_all.matures_on"
