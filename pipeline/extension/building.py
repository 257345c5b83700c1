"""Own features and segments, built after the engine's rows: features.own_features and .own_segments."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipeline.display import StepDisplay
from pipeline.errors import BrokenPromiseError, VitalsError
from pipeline.extension.reading import READABLE, Extension, OwnColumn, OwnModel
from pipeline.warehouse import Warehouse
from pipeline.weeks import WEEK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.review import Review

_ONE_WEEK = "one_week"
# What values do to SQL that is sound, such as a text that is no number; not a full disk.
_OF_VALUES = (duckdb.DataError, duckdb.ProgrammingError)


def write_models(extension: Extension, folder: Path) -> None:
    """Write the own models, and the tables that are made of them, where dbt reads them as models.

    A file that is the same is left as it was, so that dbt does not read it again.
    """
    wanted: dict[Path, str] = {}
    for model in extension.models:
        wanted[folder / "own_models" / f"{model.name}.sql"] = model.sql
        wanted[folder / "own_models" / f"{model.name}.yml"] = model.yml
    if extension.models:
        columns = extension.columns
        wanted[folder / "own_features" / "own_features.sql"] = _own_features_sql(extension.models)
        wanted[folder / "own_features" / "own_features.yml"] = _yml(
            "own_features",
            "One row per customer and review week: the columns that the workspace adds.",
            columns,
        )
        wanted[folder / "own_marts" / "marts_own_features.sql"] = _MARTS_SQL
        wanted[folder / "own_marts" / "marts_own_features.yml"] = _yml(
            "marts_own_features",
            "One row per customer: the workspace's own columns at the newest review.",
            columns,
        )
    if folder.is_dir():
        for path in folder.rglob("*"):
            if path.is_file() and path not in wanted:
                path.unlink()
    for path, text in wanted.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if not wanted:
        shutil.rmtree(folder, ignore_errors=True)


def build_features(
    review: Review,
    display: StepDisplay,
    weeks: tuple[date, ...],
    *,
    is_rebuild: bool,
    is_first_pass: bool = True,
    is_last_pass: bool = True,
) -> int:
    """Build staging, intermediate and features for some weeks, own features among them; how many nodes ran.

    Where weeks are built in several passes, a later one builds only what depends on them, and the last one
    the labels. Where everything is built anew, the unit tests of own features run too. Raises
    BrokenPromiseError where a test fails, where an own model has more than one row for a customer and week
    or rows of customers that are not there, or where a week's own features depend on another week.
    """
    models = review.extension.models
    try:
        nodes = review.dbt.build(
            "staging",
            "intermediate",
            "features",
            own=("own_models", "own_features") if models else (),
            full_refresh=is_rebuild and is_first_pass,
            that_follow="" if is_first_pass else "source:ops.weeks_to_build",
            without=() if is_last_pass else ("customer_week_labels",),
        )
    except VitalsError:
        # A broken grain makes several tests fail; this says what it is.
        check_grain(review)
        raise
    if models:
        check_grain(review)
        if len(weeks) > 1:
            display.update("checking that own features keep to their week")
            # Every one: what looks ahead at rare events differs in the few weeks before them.
            check_that_weeks_are_apart(review, weeks)
        if is_rebuild and is_first_pass:
            nodes += review.dbt.try_own_models()
    return nodes


def sort_into_segments(review: Review, weeks: Iterable[date] | None) -> None:
    """Write features.own_segments for some weeks, or for all that are kept (None).

    Raises BrokenPromiseError where a customer is twice in a segment of a week, and VitalsError where a
    condition cannot be worked out for a row; then nothing is written.
    """
    warehouse = review.warehouse
    given = None if weeks is None else list(weeks)
    chosen = "($weeks::date[] is null or list_contains($weeks::date[], review_week))"
    with warehouse.transaction():
        warehouse.run(f"delete from features.own_segments where {chosen}", {"weeks": given})
        for segment in review.extension.segments:
            try:
                warehouse.run(
                    f"""
                    insert into features.own_segments
                    select customer_id, review_week, $name
                    from ({feature_rows(warehouse)}) as feature_row
                    where {chosen} and (
                    {segment.condition}
                    )
                    """,
                    {"weeks": given, "name": segment.name},
                )
            except _OF_VALUES as error:
                raise VitalsError(
                    f"the condition of the segment {segment.name} in review.toml cannot be worked out for "
                    f"every row: {_in_a_line(error)}. Compare without a cast, or use try_cast."
                ) from None
        for customer, week, segment, times in warehouse.rows(
            """
            select customer_id, review_week, segment, count(*) as times from features.own_segments
            group by all having times > 1 order by all limit 1
            """
        ):
            raise BrokenPromiseError(
                f"the segment {segment} has customer {customer} {times} times in the week of {week}, where "
                "once belongs. Look at its condition in review.toml, and at features.own_features."
            )


def feature_rows(warehouse: Warehouse) -> str:
    """A query of the feature rows, with the workspace's own columns where it has any."""
    if not warehouse.has_table("features.own_features"):
        return "select * from features.customer_weeks"
    return (
        "select * from features.customer_weeks "
        "left join features.own_features using (customer_id, review_week)"
    )


def check_grain(review: Review) -> None:
    """Raises BrokenPromiseError for an own model that is not at most a row for each row of customer_weeks."""
    warehouse = review.warehouse
    if not warehouse.has_table("features.customer_weeks"):
        return
    for model in review.extension.models:
        table, file = f"intermediate.{model.name}", f"features/{model.name}.sql"
        if not warehouse.has_table(table):
            continue
        for customer, week, times in warehouse.rows(
            f"""
            select customer_id, review_week, count(*) as times from {table}
            group by all having times > 1 order by all limit 1
            """
        ):
            raise BrokenPromiseError(
                f"{file} changes the grain: it has {times} rows for customer {customer} in the week of "
                f"{week}, where one belongs. Group by customer_id and review_week, or join on both."
            )
        for customer, week in warehouse.rows(
            f"""
            select own.customer_id, own.review_week
            from {table} as own
            left join features.customer_weeks as weeks
                on own.customer_id = weeks.customer_id and own.review_week = weeks.review_week
            where
                weeks.customer_id is null
                and (
                    own.review_week is null
                    or own.review_week in (select review_week from features.customer_weeks)
                )
            order by all limit 1
            """
        ):
            raise BrokenPromiseError(
                f"{file} changes the grain: it has a row for customer {customer} in the week of {week}, but "
                "features.customer_weeks has none. Take customer_id and review_week from the view unchanged."
            )


def check_that_weeks_are_apart(review: Review, weeks: Iterable[date]) -> None:
    """Raises BrokenPromiseError where the rows of a week differ when an own model sees that week alone."""
    warehouse = review.warehouse
    for week in sorted(weeks):
        with _views_of_one_week(warehouse, week):
            for model in review.extension.models:
                differs = " or ".join(_differs(each) for each in model.columns)
                query = f"""
                    select coalesce(alone.customer_id, together.customer_id) as customer_id
                    from (
                        select *, true as is_there from ({model.reading_from(_ONE_WEEK)}
                        ) as rows_of_week
                    ) as alone
                    full outer join (
                        select *, true as is_there from intermediate.{model.name}
                        where review_week = date '{week}'
                    ) as together
                        on alone.customer_id = together.customer_id
                    where alone.is_there is distinct from together.is_there or {differs}
                    order by all limit 1
                    """
                try:
                    differing = warehouse.rows(query)
                except _OF_VALUES as error:
                    raise VitalsError(
                        f"features/{model.name}.sql cannot be run over the week of {week} alone: "
                        f"{_in_a_line(error)}. Use try_cast where a value may not convert."
                    ) from None
                if differing:
                    raise BrokenPromiseError(
                        f"features/{model.name}.sql looks beyond its week: the row of customer "
                        f"{differing[0][0]} in the week of {week} differs when the other weeks are away. "
                        "Partition windows by review_week, join on it, and count days_before_end."
                    )


def _in_a_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".!")


def _differs(column: OwnColumn) -> str:
    """Doubles are sums in no fixed order: what they err by is no difference."""
    one, other = f"alone.{column.name}", f"together.{column.name}"
    if column.data_type != "double":
        return f"{one} is distinct from {other}"
    return (
        f"({one} is null) <> ({other} is null) "
        f"or abs({one} - {other}) > 1e-9 * greatest(1, abs({one}), abs({other}))"
    )


@contextmanager
def _views_of_one_week(warehouse: Warehouse, week: date) -> Iterator[None]:
    warehouse.run(f"create schema if not exists {_ONE_WEEK}")
    try:
        for name, (moment, days) in READABLE.items():
            # The bounds, a day more on both sides, spare reading all history for each week.
            warehouse.run(
                f"create or replace view {_ONE_WEEK}.{name} as "
                f"select * from intermediate.{name} where review_week = date '{week}' "
                f"and {moment} >= date '{week + WEEK - timedelta(days=days + 1)}' "
                f"and {moment} < date '{week + WEEK + timedelta(days=1)}'"
            )
        yield
    finally:
        warehouse.run(f"drop schema {_ONE_WEEK} cascade")


def _own_features_sql(models: tuple[OwnModel, ...]) -> str:
    imports = "".join(
        f"{model.name} as (\n\n    select * from {{{{ ref('{model.name}') }}}}\n\n),\n\n" for model in models
    )
    columns = ",\n".join(
        f"        cast({model.name}.{column.name} as {column.data_type}) as {column.name}"
        for model in models
        for column in model.columns
    )
    joins = "\n".join(
        f"    left join {model.name}\n        on\n"
        f"            customer_weeks.customer_id = {model.name}.customer_id\n"
        f"            and customer_weeks.review_week = {model.name}.review_week"
        for model in models
    )
    return f"""with

weeks_to_build as (

    select * from {{{{ source('ops', 'weeks_to_build') }}}}

),

customer_weeks as (

    select * from {{{{ ref('customer_weeks') }}}}

),

{imports}final as (

    select
        customer_weeks.customer_id,
        customer_weeks.review_week,
{columns}
    from customer_weeks
    inner join weeks_to_build
        on customer_weeks.review_week = weeks_to_build.review_week
{joins}

)

select * from final
"""


_MARTS_SQL = """{{ config(alias='own_features') }}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

own_features as (

    select * from {{ ref('own_features') }}

),

final as (

    select own_features.*
    from own_features
    inner join run_parameters
        on own_features.review_week = run_parameters.newest_review_week

)

select * from final
"""


def _yml(name: str, description: str, columns: tuple[OwnColumn, ...]) -> str:
    import yaml

    keys = (
        OwnColumn("customer_id", "string", "Customer, by the id of the business."),
        OwnColumn("review_week", "date", "Monday on which the reviewed week starts."),
    )
    model = {
        "name": name,
        "description": description,
        "config": {"contract": {"enforced": True}},
        "data_tests": [{"unique_combination": {"arguments": {"columns": ["customer_id", "review_week"]}}}],
        "columns": [
            {"name": each.name, "data_type": each.data_type, "description": each.description}
            for each in (*keys, *columns)
        ],
    }
    return yaml.safe_dump({"version": 2, "models": [model]}, sort_keys=False, allow_unicode=True)
