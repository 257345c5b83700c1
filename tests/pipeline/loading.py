"""A small business for the tests of load: review.toml, landing and warehouse, and writers of files."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pipeline.load import LoadReport, load_landing
from pipeline.warehouse import Warehouse
from pipeline.workspace import WORKSPACES_FOLDER, Workspace

# A table of a shop that has ids, local times and amounts.
CSV_SOURCE = """
[[sources]]
name = "orders"
patterns = ["*.csv", "*.parquet", "*.xlsx"]
format = "auto"
time_zone = "Europe/Berlin"
equal_rows_are_duplicates = true
unknown_columns = "error"

[sources.columns]
event_id = "id"
event_name = { value = "order_completed" }
user_id = "customer"
occurred_at = "at"
revenue = "amount"
"""


class Shop:
    """A workspace with an open warehouse. Every load is checked against the rules that always hold."""

    def __init__(self, workspace: Workspace, warehouse: Warehouse) -> None:
        self.workspace = workspace
        self.warehouse = warehouse

    @property
    def landing(self) -> Path:
        return self.workspace.landing

    def put(self, name: str, content: str | bytes | list[dict[str, Any]]) -> Path:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = json_lines(content)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") and isinstance(content, str) else data)
        return path

    def load(self) -> LoadReport:
        try:
            return load_landing(self.warehouse, self.workspace)
        finally:
            if self.warehouse.has_table("raw.loads"):
                self.check_accounts()

    def check_accounts(self) -> None:
        """What holds after every load, also one that failed."""
        sums = self.one(
            """
            select
                coalesce(sum(rows_read), 0),
                coalesce(sum(rows_duplicate + rows_rejected + rows_grouped + events_loaded), 0),
                coalesce(sum(events_loaded), 0), coalesce(sum(rows_rejected), 0),
                count(*) - count(distinct file_name), count(*) - count(distinct load_id)
            from raw.loads
            """
        )
        rows_read, accounted, events_loaded, rows_rejected, names_repeated, ids_repeated = sums
        assert rows_read == accounted
        assert (events_loaded,) == self.one("select count(*) from raw.events")
        assert (rows_rejected,) == self.one("select count(*) from raw.rejected_events")
        assert (names_repeated, ids_repeated) == (0, 0)
        of_a_day = "event_id, cast(occurred_at as date)"
        assert not self.rows(f"select 1 from raw.events group by {of_a_day} having count(*) > 1")
        for table in ("raw.events", "raw.rejected_events"):
            assert not self.rows(f"select 1 from {table} anti join raw.loads using (load_id)")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.warehouse.rows(sql)

    def one(self, sql: str) -> tuple[Any, ...]:
        (row,) = self.warehouse.rows(sql)
        return row

    def event(self, columns: str) -> tuple[Any, ...]:
        """The columns of the only event."""
        return self.one(f"select {columns} from raw.events")

    def rejected(self) -> list[tuple[int, str]]:
        return self.rows("select line_number, reason from raw.rejected_events order by load_id, line_number")

    def content(self) -> list[tuple[Any, ...]]:
        """All of raw.events but what says in which load an event came."""
        return self.rows("select * exclude (load_id) from raw.events order by all")


@contextmanager
def open_shop(
    folder: Path, like: str = "demo", sources: str | None = None, edits: dict[str, str] | None = None
) -> Iterator[Shop]:
    """A shop with the review.toml of a workspace of ours, its [[sources]] replaced or single texts edited."""
    folder.mkdir(parents=True)
    text = (WORKSPACES_FOLDER / like / "review.toml").read_text(encoding="utf-8")
    if sources is not None:
        start, end = text.index("[[sources]]"), text.index("[loading]")
        text = text[:start] + sources + "\n" + text[end:]
    for old, new in (edits or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "review.toml").write_text(text, encoding="utf-8")
    workspace = Workspace(folder=folder, data=folder / "data")
    workspace.landing.mkdir(parents=True)
    with Warehouse(workspace.build_database, workspace.settings.warehouse) as warehouse:
        yield Shop(workspace, warehouse)


def call(number: int, **changes: Any) -> dict[str, Any]:
    """A Segment call; `changes` replace members, None takes one away."""
    event = {
        "messageId": f"message-{number}",
        "type": "track",
        "event": "task_completed",
        "userId": f"user-{number % 3}",
        "timestamp": f"2025-03-04T10:{number % 60:02d}:12.123Z",
        "receivedAt": f"2025-03-04T10:{number % 60:02d}:13.000Z",
        "context": {"groupId": f"account-{number % 2}"},
        "properties": {},
    }
    return {key: value for key, value in {**event, **changes}.items() if value is not None}


def json_lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def copy_of(path: Path, name: str) -> None:
    shutil.copyfile(path, path.with_name(name))


WORKBOOK_PARTS = {
    "[Content_Types].xml": """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
        <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
        <Override PartName="/xl/workbook.xml" ContentType=
"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
        <Override PartName="/xl/worksheets/sheet1.xml" ContentType=
"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>
        <Override PartName="/xl/styles.xml" ContentType=
"application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>""",
    "_rels/.rels": """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
        <Relationship Id="rId1" Target="xl/workbook.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>""",
    "xl/workbook.xml": """<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
        <sheets><sheet name="Orders" sheetId="1" r:id="rId1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": """<Relationships
        xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
        <Relationship Id="rId1" Target="worksheets/sheet1.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/>
        <Relationship Id="rId2" Target="styles.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>""",
    "xl/styles.xml": """<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
        <cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>
        </styleSheet>""",
}


def workbook(path: Path, rows: list[list[Any]], more_cells: str = "") -> None:
    """A workbook as a spreadsheet would write it: numbers as floats, times as days since 1899-12-30."""
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(_cell(f"{chr(65 + place)}{number}", value) for place, value in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f"{''.join(lines)}{more_cells}</sheetData></worksheet>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {**WORKBOOK_PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + part.replace("=\n", "="))


def _cell(reference: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{reference}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime):
        since = value - datetime(1899, 12, 30)
        return f'<c r="{reference}" s="1"><v>{since.days + since.seconds / 86400!r}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{reference}"><v>{float(value)!r}</v></c>'
    text = f'<t xml:space="preserve">{escape(value)}</t>'
    return f'<c r="{reference}" t="inlineStr"><is>{text}</is></c>'
