"""A business worked with the command, as a user does, for the tests that need one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bench.chaos_comparison import OF_ONE_BUILD
from bench.forked import begin_vitals, exit_code_of
from pipeline.workspace import WORKSPACES_FOLDER


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it said on both streams."""

    code: int
    said: str


@dataclass(frozen=True)
class Business:
    """A workspace outside the project, worked with the command as a user does."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def landing(self) -> Path:
        return self.data / "landing"

    @property
    def current(self) -> Path:
        return self.data / "serving" / "current"

    def vitals(self, *arguments: str, **environment: str) -> Outcome:
        """Run the command in a process of its own, forked from one that has imported what it needs."""
        with tempfile.TemporaryDirectory() as folder:
            said, complained = Path(folder, "said.txt"), Path(folder, "complained.txt")
            process = begin_vitals(
                [*arguments, "--workspace", str(self.folder)],
                {**os.environ, **environment},
                said,
                complained,
            )
            code = exit_code_of(process)
            text = "".join(path.read_text(encoding="utf-8") for path in (said, complained) if path.exists())
        assert "Traceback" not in text, text
        assert code >= 0, f"ended by signal {-code}, as a command that hangs is: {text}"
        return Outcome(code, text)

    def published(self, sql: str) -> list[tuple]:
        """Rows of the published warehouse."""
        with duckdb.connect(str((self.current / "warehouse.duckdb").resolve()), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def built(self, sql: str) -> list[tuple]:
        """Rows of the build database, between runs."""
        path = self.data / "build" / "build.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def fingerprints(self, *schemas: str, database: Path | None = None) -> dict[str, tuple]:
        """Rows and content of every table of some schemas that stays from build to build, in any order.

        Columns that name a run or a moment of the machine's clock are left out.
        """
        path = database or self.data / "build" / "build.duckdb"
        ignored = {"run_id", "load_id", "loaded_at", "seconds", "modified_at", "started_at", "finished_at"}
        found = {}
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name from information_schema.tables"
                " where list_contains(?, table_schema) and table_type = 'BASE TABLE' order by all",
                [list(schemas)],
            ).fetchall()
            for schema, table in tables:
                if OF_ONE_BUILD.fullmatch(f"{schema}.{table}"):
                    continue
                described = connection.execute(f"describe {schema}.{table}").fetchall()
                columns = [name for name, *_ in described if name not in ignored]
                row = "hash(" + ", ".join(f'"{name}"' for name in columns) + ")"
                found[f"{schema}.{table}"] = connection.execute(
                    f"select count(*), sum({row}::hugeint), {columns!r} from {schema}.{table}"
                ).fetchone()
        return found


def copy_workspace(folder: Path, name: str = "demo") -> Business:
    """A workspace like one of the project's, with an empty landing."""
    (folder / "data" / "landing").mkdir(parents=True)
    for file in ("review.toml", "events.csv", "playbook.csv"):
        shutil.copyfile(WORKSPACES_FOLDER / name / file, folder / file)
    own_features = WORKSPACES_FOLDER / name / "features"
    if own_features.is_dir():
        shutil.copytree(own_features, folder / "features")
    # Two judged weeks and small fits show what eight and large ones do, in a fraction of the time.
    review = folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    for full, small in (
        ("judged_weeks = 8", "judged_weeks = 2"),
        ("sample_rows = 60000", "sample_rows = 6000"),
    ):
        assert full in text
        text = text.replace(full, small)
    review.write_text(text, encoding="utf-8")
    return Business(folder)


def copy_business(business: Business, folder: Path) -> Business:
    """The same business in another folder, with all of its data."""
    shutil.copytree(business.folder, folder, symlinks=True)
    return Business(folder)


def run_log(business: Business) -> list[dict]:
    """The lines of the run log."""
    text = (business.data / "build" / "runs.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
