"""Worlds written by hand: a few events with local times, and what the tables say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import History, new_history
from tests.proofs.worlds import Business, in_json


class HandMade:
    """Events first, then `build`, then questions. Customers are accounts, each with a user and a device."""

    def __init__(self, history: History, zone: str) -> None:
        self._history = history
        self._zone = ZoneInfo(zone)
        self._lines: list[str] = []

    def tell(self, at: str, name: str, customer: str = "a", **properties: Any) -> None:
        """One event, at a local time; write the offset where the clock shows an hour twice."""
        moment = datetime.fromisoformat(at)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        event = {
            "messageId": f"event-{len(self._lines)}",
            "type": "track",
            "event": name,
            "userId": f"{customer}-user",
            "anonymousId": f"{customer}-device",
            "timestamp": in_json(moment),
            "receivedAt": in_json(moment),
            "context": {"groupId": customer},
            "properties": properties,
        }
        self._lines.append(json.dumps(event))

    def build(self, week: date) -> None:
        """Load what was told, and review the week of a day."""
        self._history.receive(self._lines)
        self._history.models.review(self._history.warehouse, self._history.settings, week)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._history.warehouse.rows(sql)

    def week(self, week: date, columns: str) -> list[tuple[Any, ...]]:
        """Columns of all customers of a week, ordered by customer."""
        return self._history.warehouse.rows(
            f"select {columns} from features.customer_weeks where review_week = ? order by customer_id",
            [week],
        )


@contextmanager
def hand_made(
    models: CompiledModels, folder: Path, zone: str = "Europe/Berlin", definition: str = "inactivity"
) -> Iterator[HandMade]:
    business = Business("account", zone, date(2025, 1, 6), 14, definition, 28)
    with new_history(models, folder, business) as history:
        yield HandMade(history, zone)
