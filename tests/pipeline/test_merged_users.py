"""Users who get another id, where users are the customers: the whole step, with the tests of the models."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from tests.business import copy_workspace


def test_a_review_of_users_who_merge_keeps_its_promises(tmp_path: Path) -> None:
    business = copy_workspace(tmp_path / "users")
    review = business.folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    assert text.count('customer = "account"') == 1
    review.write_text(text.replace('customer = "account"', 'customer = "user"'), encoding="utf-8")
    lines = [
        {
            "type": "track",
            "event": "task_completed",
            "userId": "a",
            "anonymousId": "desk",
            "timestamp": "2025-01-07T10:00:00Z",
        },
        {
            "type": "track",
            "event": "task_completed",
            "userId": "b",
            "anonymousId": "desk",
            "timestamp": "2025-01-07T10:10:00Z",
        },
        {
            "type": "alias",
            "userId": "b",
            "properties": {"previous_id": "a"},
            "timestamp": "2025-01-14T10:00:00Z",
        },
        {"type": "track", "event": "task_completed", "userId": "b", "timestamp": "2025-01-19T10:00:00Z"},
    ]
    told = "".join(
        json.dumps({"messageId": f"m{number}", **line}) + "\n" for number, line in enumerate(lines)
    )
    (business.landing / "events.jsonl").write_text(told, encoding="utf-8")
    done = business.vitals("run", "--to", "features")
    assert done.code == 0, done.said
    assert business.built(
        """
        select customer_id, review_week, activities_90d, sessions_90d
        from features.customer_weeks
        order by all
        """
    ) == [
        ("a", date(2025, 1, 6), 1, 1),
        ("b", date(2025, 1, 6), 1, 1),
        ("b", date(2025, 1, 13), 3, 2),
    ]
    assert business.built("select sum(events), count(*) from intermediate.sessions") == [(3, 2)]
