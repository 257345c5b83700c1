"""The gate at a border: run the promises, keep their results, stop where one that matters is broken."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas

from pipeline.display import StepDisplay
from pipeline.errors import BrokenPromiseError
from pipeline.warehouse import Warehouse

if TYPE_CHECKING:
    from expectations.promise import TablePromises


def check_promises(
    warehouse: Warehouse,
    display: StepDisplay,
    tables: list[TablePromises],
    *,
    border: str,
    run_id: str,
    review_week: date | None,
) -> int:
    """Check one border inside the warehouse and write ops.quality_checks; the number of checks that ran.

    Raises BrokenPromiseError naming what is broken with severity stop; warnings are shown as notes.
    """
    display.update("checking promises")
    from expectations.gate import check_border, engine_over

    results = check_border(
        engine_over(warehouse.connection), tables, border=border, run_id=run_id, review_week=review_week
    )
    rows = pandas.DataFrame([vars(result) for result in results])
    # A run that repeats a border replaces what it said of it.
    warehouse.run(
        """
        delete from ops.quality_checks
        where run_id = ? and border = ? and review_week is not distinct from ?
        """,
        [run_id, border, review_week],
    )
    warehouse.append("ops.quality_checks", rows)
    broken = [result for result in results if not result.passed]
    for result in broken:
        if result.severity == "warn":
            display.notice(result.message)
    stops = [result for result in broken if result.severity == "stop"]
    if stops:
        more = f" ({len(stops) - 3} more in ops.quality_checks)" if len(stops) > 3 else ""
        raise BrokenPromiseError(" ".join(result.message for result in stops[:3]) + more)
    return len(results)
