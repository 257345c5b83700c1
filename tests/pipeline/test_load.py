"""Load: what becomes of good files. Ledger, duplicates, lateness, and that a file is loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

import pipeline.load
from pipeline.errors import UsageError, VitalsError
from pipeline.load import load_landing, undo_loads
from tests.pipeline.loading import CSV_SOURCE, Shop, call, copy_of, json_lines, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "demo") as opened:
        yield opened


def test_every_column_of_a_segment_call_arrives(shop: Shop) -> None:
    event = call(
        1,
        type="Track",
        event="Order Completed",
        userId=" user-7 ",
        anonymousId="",
        receivedAt="2025-03-04 11:10:13+01",
        context={
            "groupId": 17841,
            "channel": "browser",
            "os": {"name": "iOS"},
            "device": {"type": "mobile"},
            "page": {"path": "/checkout", "referrer": "https://example.com/"},
            "campaign": {"source": "letter", "medium": "email", "name": "spring"},
        },
        properties={"order_id": "o-1", "revenue": 19.99, "currency": "EUR", "products": [{"price": 1}]},
        traits={"plan": "team"},
    )
    shop.put("day.jsonl", [event])

    report = shop.load()

    assert (report.files_loaded, report.rows_read, report.events_loaded, report.load_ids) == (1, 1, 1, (1,))
    assert report.notices == ()
    columns = [name for (name, *_) in shop.rows("describe raw.events")]
    assert dict(zip(columns, shop.event("*"), strict=True)) == {
        "event_id": "message-1",
        "event_type": "track",
        "event_name": "order_completed",
        "user_id": "user-7",
        "anonymous_id": None,
        "account_id": "17841",
        "session_id": None,
        "occurred_at": datetime(2025, 3, 4, 10, 1, 12, 123000),
        "received_at": datetime(2025, 3, 4, 10, 10, 13),
        "channel": "browser",
        "platform": "iOS",
        "device": "mobile",
        "page_path": "/checkout",
        "referrer": "https://example.com/",
        "utm_source": "letter",
        "utm_medium": "email",
        "utm_campaign": "spring",
        "feature": None,
        "revenue": Decimal("19.9900"),
        "currency": "EUR",
        "properties": '{"order_id":"o-1","revenue":19.99,"currency":"EUR","products":[{"price":1}]}',
        "traits": '{"plan":"team"}',
        "source": "collector",
        "load_id": 1,
        "is_late": False,
    }


def test_event_names_become_snake_case(shop: Shop) -> None:
    names = {
        "Order Completed": "order_completed",
        "orderCompleted": "order_completed",
        "order-completed!": "order_completed",
        "ORDER COMPLETED": "order_completed",
        "HTTPRequest": "http_request",
        "__order__completed__": "order_completed",
        "step2Done": "step2_done",
        "Größe Gewählt": "größe_gewählt",
        "order_completed": "order_completed",
    }
    shop.put("day.jsonl", [call(number, event=name) for number, name in enumerate(names)])
    shop.load()
    assert shop.rows("select event_name from raw.events order by event_id") == [
        (name,) for name in names.values()
    ]


def test_calls_without_a_name_are_named_by_their_type(shop: Shop) -> None:
    expected = {
        "page": ("page", "page_viewed"),
        "screen": ("page", "screen_viewed"),
        "identify": ("identify", "identify"),
        "group": ("group", "group"),
        "alias": ("alias", "alias"),
    }
    shop.put("day.jsonl", [call(number, type=type_, event=None) for number, type_ in enumerate(expected)])
    shop.load()
    found = shop.rows("select event_type, event_name from raw.events order by event_id")
    assert found == list(expected.values())


def test_the_ledger_says_what_became_of_every_row(shop: Shop) -> None:
    path = shop.put("a.jsonl", [call(1), call(1), call(2), call(3, timestamp="soon")])
    shop.put(
        "b.jsonl", [call(2), call(4, timestamp="2025-01-01T00:00:00Z", receivedAt="2025-03-04T00:00:00Z")]
    )

    report = shop.load()

    assert (report.rows_read, report.rows_duplicate, report.rows_rejected) == (6, 2, 1)
    assert (report.events_loaded, report.events_late, report.load_ids) == (3, 1, (1, 2))
    ledger = shop.rows(
        """
        select load_id, source, file_name, rows_read, rows_duplicate, rows_rejected, rows_grouped,
            events_loaded, events_late
        from raw.loads
        order by load_id
        """
    )
    assert ledger == [
        (1, "collector", "a.jsonl", 4, 1, 1, 0, 2, 0),
        (2, "collector", "b.jsonl", 2, 1, 0, 0, 1, 1),
    ]
    size, modified_at, digest_length, seconds = shop.one(
        "select bytes, modified_at, length(sha256), seconds from raw.loads where load_id = 1"
    )
    assert size == path.stat().st_size
    assert abs(modified_at.timestamp() - datetime.utcfromtimestamp(path.stat().st_mtime).timestamp()) < 0.001
    assert digest_length == 64
    assert seconds > 0


def test_a_file_is_loaded_once(shop: Shop) -> None:
    path = shop.put("a.jsonl", [call(1)])
    shop.load()

    again = shop.load()
    assert (again.files_loaded, again.files_skipped, again.rows_read, again.load_ids) == (0, 1, 0, ())

    os.utime(path, (1_700_000_000, 1_700_000_000))
    touched = shop.load()
    assert (touched.files_loaded, touched.files_skipped) == (0, 1)
    assert shop.one("select modified_at from raw.loads") == (datetime(2023, 11, 14, 22, 13, 20),)

    path.unlink()
    assert shop.load().files_skipped == 0
    assert shop.one("select count(*) from raw.events") == (1,)


def test_a_file_that_changed_is_an_error_with_its_remedy(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1)])
    shop.load()
    shop.put("b.jsonl", [call(3)])
    # Longer than before; and as long as before, where only the content tells.
    for changed in ([call(1), call(2)], [call(2)]):
        shop.put("a.jsonl", changed)
        with pytest.raises(VitalsError, match=r"a\.jsonl in landing changed after .* a name of its own"):
            shop.load()
    assert shop.one("select count(*) from raw.loads") == (1,)


def test_the_same_content_under_another_name_is_all_duplicates(shop: Shop) -> None:
    copy_of(shop.put("a.jsonl", [call(1), call(2)]), "b.jsonl")
    shop.load()
    copy_of(shop.landing / "a.jsonl", "0.jsonl")
    report = shop.load()
    assert (report.rows_read, report.rows_duplicate, report.events_loaded) == (2, 2, 0)
    assert shop.one("select max(load_id), count(*) from raw.events") == (1, 2)


def test_duplicates_are_found_on_all_the_days_of_a_file(shop: Shop) -> None:
    days = [f"{2005 + place}-{month:02d}-28" for place in range(10) for month in (1, 2, 7)]
    rows = [
        call(number, timestamp=f"{day}T23:59:59Z", receivedAt=f"{day}T23:59:59Z")
        for number, day in enumerate(days)
    ]
    shop.put("a.jsonl", rows)
    shop.load()
    # Few days are looked up each on its own, many together.
    for name, some in (("b", rows[::7]), ("c", rows)):
        shop.put(f"{name}.jsonl", some)
        report = shop.load()
        assert (report.rows_read, report.rows_duplicate) == (len(some), len(some))


def test_of_equal_ids_the_one_received_first_stands(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1, userId="late", receivedAt="2025-03-04T12:00:00Z")])
    shop.load()
    shop.put("b.jsonl", [call(1, userId="early", receivedAt="2025-03-04T11:00:00Z")])
    report = shop.load()

    assert (report.rows_duplicate, report.events_loaded) == (1, 0)
    # The event that was replaced counts as changed: it has the number of the new load.
    assert shop.event("user_id, load_id") == ("early", 2)
    assert shop.one("select user_id, load_id, replaced_by_load_id from raw.replaced_events") == ("late", 1, 2)


def test_of_equal_ids_and_receipts_the_smaller_content_stands(tmp_path: Path) -> None:
    stands = set()
    for order in (("x", "y"), ("y", "x")):
        with open_shop(tmp_path / "-".join(order)) as shop:
            for place, user in enumerate(order):
                shop.put(f"{place}.jsonl", [call(1, userId=user)])
                shop.load()
            stands.add(shop.event("user_id"))
    assert len(stands) == 1


def test_an_id_may_return_on_another_day(shop: Shop) -> None:
    other_day = {"timestamp": "2025-03-05T00:00:00Z", "receivedAt": "2025-03-05T00:00:00Z"}
    shop.put("a.jsonl", [call(1), call(1, **other_day)])
    assert shop.load().events_loaded == 2


def test_undoing_a_load_leaves_what_was_there_before(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1, userId="late", receivedAt="2025-03-04T12:00:00Z"), call(2)])
    shop.load()
    before = {table: shop.rows(f"from raw.{table}") for table in ("events", "rejected_events", "loads")}
    shop.put("b.jsonl", [call(1, userId="early", receivedAt="2025-03-04T11:00:00Z"), call(3)])
    shop.put("c.jsonl", [call(1, userId="earlier", receivedAt="2025-03-04T10:30:00Z"), call(4, event=None)])

    report = shop.load()
    assert shop.rows("select user_id from raw.events where event_id = 'message-1'") == [("earlier",)]
    undo_loads(shop.warehouse, report.load_ids)

    assert sorted(shop.rows("from raw.events")) == sorted(before["events"])
    assert shop.rows("from raw.rejected_events") == before["rejected_events"]
    assert shop.rows("from raw.loads") == before["loads"]
    assert not shop.rows("from raw.replaced_events")
    assert shop.load().files_loaded == 2


def test_undoing_several_batches_returns_the_event_of_before(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", 1)
    for name, hour in (("a", 14), ("b", 13), ("c", 12)):
        shop.put(f"{name}.jsonl", [call(1, userId=name, receivedAt=f"2025-03-04T{hour}:00:00Z")])
        if name == "a":
            shop.load()
    assert shop.load().load_ids == (2, 3)
    assert shop.event("user_id") == ("c",)
    undo_loads(shop.warehouse, (2, 3))
    assert shop.event("user_id, load_id") == ("a", 1)


def test_late_is_received_after_the_limit_of_14_days(shop: Shop) -> None:
    occurred_at = "2025-03-04T10:00:00Z"
    received = ["2025-03-18T10:00:00Z", "2025-03-18T10:00:00.000001Z"]
    shop.put("a.jsonl", [call(n, timestamp=occurred_at, receivedAt=at) for n, at in enumerate(received)])
    assert shop.load().events_late == 1
    assert shop.rows("select is_late from raw.events order by received_at") == [(False,), (True,)]


def test_an_event_without_a_time_of_receipt_was_received_when_it_occurred(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1, receivedAt=None)])
    shop.load()
    assert shop.event("received_at = occurred_at") == (True,)


def test_progress_rises_to_one_and_names_the_files(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1)])
    shop.put("b.jsonl", [call(2)])
    told: list[tuple[str, float]] = []
    load_landing(shop.warehouse, shop.workspace, lambda text, share: told.append((text, share)))
    assert {text for text, _ in told} == {"a.jsonl", "b.jsonl"}
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# -- which files ---------------------------------------------------------------------------------------------


def test_landing_without_files_is_an_error_with_its_remedy(shop: Shop) -> None:
    for _ in ("empty", "missing"):
        with pytest.raises(
            VitalsError, match=r"nothing to load: .*landing .*Put files into it; .*vitals simulate"
        ):
            shop.load()
        if shop.landing.exists():
            shop.landing.rmdir()


def test_hidden_and_unfinished_files_do_not_count(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1)])
    for name in (".b.jsonl", "c.jsonl.tmp", "d.jsonl.part", ".hidden/e.jsonl"):
        shop.put(name, "not to be read")
    report = shop.load()
    assert (report.files_loaded, report.notices) == (1, ())


def test_files_of_no_source_are_named(shop: Shop) -> None:
    shop.put("a.jsonl", [call(1)])
    shop.put("readme.md", "hello")
    shop.put("archive/b.jsonl", [call(2)])
    os.mkfifo(shop.landing / "pipe.jsonl")
    report = shop.load()
    assert report.files_loaded == 1
    assert report.notices == (
        "not loaded, for no source in review.toml has a pattern for it: archive/b.jsonl, readme.md",
        "not loaded, for it is no regular file: pipe.jsonl",
    )


def test_patterns_reach_into_folders_only_where_they_say_so(tmp_path: Path) -> None:
    edits = {'patterns = ["*.jsonl", "*.jsonl.gz"]': 'patterns = ["shop/*.jsonl", "all/**/*.jsonl"]'}
    with open_shop(tmp_path / "demo", edits=edits) as shop:
        for number, name in enumerate(["shop/a", "shop/x/b", "all/c", "all/x/y/d", "e"]):
            shop.put(f"{name}.jsonl", [call(number)])
        shop.load()
        loaded = [name for (name,) in shop.rows("select file_name from raw.loads order by load_id")]
    assert loaded == ["all/c.jsonl", "all/x/y/d.jsonl", "shop/a.jsonl"]


def test_a_file_of_two_sources_is_bad_usage(tmp_path: Path) -> None:
    twice = CSV_SOURCE + CSV_SOURCE.replace('"orders"', '"refunds"')
    with open_shop(tmp_path / "demo", sources=twice) as shop:
        shop.put("a.csv", "id,customer,at,amount\n")
        with pytest.raises(
            UsageError, match=r"a\.csv in landing is claimed by two sources, orders and refunds"
        ):
            shop.load()


def test_landing_may_be_a_link_and_its_files_may_not_lead_outside(shop: Shop, tmp_path: Path) -> None:
    shop.put("a.jsonl", [call(1)])
    shop.landing.rename(tmp_path / "large_disk")
    shop.landing.symlink_to(tmp_path / "large_disk")
    assert shop.load().events_loaded == 1
    assert shop.load().files_skipped == 1
    outside = tmp_path / "outside.jsonl"
    outside.write_text(json_lines([call(2)]))
    (shop.landing / "b.jsonl").symlink_to(outside)
    with pytest.raises(VitalsError, match="leads outside landing: put the file itself there"):
        shop.load()


def test_links_stay_inside_landing(shop: Shop, tmp_path: Path) -> None:
    shop.put("a.jsonl", [call(1)])
    (shop.landing / "b.jsonl").symlink_to(shop.landing / "a.jsonl")
    assert shop.load().rows_duplicate == 1
    outside = tmp_path / "outside.jsonl"
    outside.write_text(json_lines([call(2)]))
    for target, said in ((outside, "leads outside landing"), (tmp_path / "none", "a link to nothing")):
        (shop.landing / "c.jsonl").symlink_to(target)
        with pytest.raises(VitalsError, match=said):
            shop.load()
        (shop.landing / "c.jsonl").unlink()
    (shop.landing / "folder").symlink_to(tmp_path)
    with pytest.raises(VitalsError, match="leads outside landing"):
        shop.load()


def test_any_file_name_is_only_a_name(shop: Shop) -> None:
    names = ["it's", "a*b?", "[a]", "100%", "a;drop table raw.loads--", 'q"uote $1', "ä b", "a\nb"]
    for number, name in enumerate(names):
        shop.put(f"{name}.jsonl", [call(number), call(number, event=None)])
    shop.put("a1b2.jsonl", [call(len(names))])
    shop.load()
    found = shop.rows("select file_name from raw.rejected_events order by all")
    assert found == sorted((f"{name}.jsonl",) for name in names)
    assert shop.one("select count(*), sum(rows_read) from raw.loads") == (len(names) + 1, 2 * len(names) + 1)


def test_a_file_name_that_is_no_text_is_said(shop: Shop) -> None:
    (shop.landing / os.fsdecode(b"caf\xe9.jsonl")).write_text(json_lines([call(1)]))
    with pytest.raises(VitalsError, match="is not valid UTF-8: rename the file"):
        shop.load()
