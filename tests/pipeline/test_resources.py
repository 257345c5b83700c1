"""Memory and disk that do not suffice: said before a run where that can be known, and in a sentence later."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import duckdb
import pandas
import pyarrow
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import BrokenPromiseError, SettingsError, VitalsError
from pipeline.resources import check_resources, least_memory_gigabytes, shortage
from pipeline.runlog import RunLog
from pipeline.settings import Warehouse as WarehouseSettings
from pipeline.warehouse import Warehouse
from pipeline.workspace import WORKSPACES_FOLDER, Workspace
from tests.business import Business, copy_business

LARGE_SORT = """
    create table sorted as
    select i, hash(i)::varchar || repeat('x', 40) as s from range(2000000) as numbers(i) order by s
"""


def _workspace(folder: Path, warehouse: str) -> Workspace:
    """A workspace with two threads and these lines in its section [warehouse]; it has no data."""
    folder.mkdir(exist_ok=True)
    for file in ("events.csv", "playbook.csv"):
        shutil.copyfile(WORKSPACES_FOLDER / "demo" / file, folder / file)
    shutil.copytree(WORKSPACES_FOLDER / "demo" / "features", folder / "features")
    text = (WORKSPACES_FOLDER / "demo" / "review.toml").read_text(encoding="utf-8")
    before, heading, _ = text.partition("[warehouse]")
    (folder / "review.toml").write_text(f"{before}{heading}\nthreads = 2\n{warehouse}\n", encoding="utf-8")
    return Workspace(folder, folder / "data")


def _sorted_with(warehouse: Warehouse) -> int:
    warehouse.run(f"drop table if exists sorted; {LARGE_SORT}")
    return warehouse.value("select count(*) from sorted")


def test_too_little_memory_is_said_before_anything_is_built(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "shop", "memory_limit_gigabytes = 0.05")
    result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder)])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "warehouse.memory_limit_gigabytes is 0.05" in said
    assert f"need at least {least_memory_gigabytes(2):g}" in said
    assert "review.toml" in said
    assert not workspace.build.exists()


def test_more_threads_and_customers_need_more_memory(tmp_path: Path) -> None:
    assert least_memory_gigabytes(1) < least_memory_gigabytes(2) < least_memory_gigabytes(16)
    assert least_memory_gigabytes(2) < least_memory_gigabytes(2, 50_000) < least_memory_gigabytes(2, 100_000)
    assert least_memory_gigabytes(2, 200_000) == least_memory_gigabytes(2, 3_000_000)
    enough = f"memory_limit_gigabytes = {least_memory_gigabytes(2)}"
    check_resources(_workspace(tmp_path / "shop", enough))


def test_the_customers_of_the_last_run_count(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "shop", f"memory_limit_gigabytes = {least_memory_gigabytes(2)}")
    log = RunLog(workspace.run_log, "first")
    log.write("step_finished", step="features", seconds=1.0, details={"customers": 100_000})
    with pytest.raises(SettingsError, match=r"2 threads and 100,000 customers need at least 0\.7\."):
        check_resources(workspace)


def test_the_spill_folder_is_absolute_or_below_the_data(tmp_path: Path) -> None:
    default = _workspace(tmp_path / "default", "memory_limit_gigabytes = 1")
    assert default.spill_folder == default.build / "spill"
    below = _workspace(tmp_path / "below", 'memory_limit_gigabytes = 1\nspill_folder = "elsewhere"')
    assert below.spill_folder == below.data / "elsewhere"
    disk = tmp_path / "fast disk"
    absolute = _workspace(tmp_path / "absolute", f'memory_limit_gigabytes = 1\nspill_folder = "{disk}"')
    check_resources(absolute)
    assert absolute.spill_folder == disk
    assert not disk.exists()


def test_a_spill_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given = f'memory_limit_gigabytes = 1\nspill_folder = "{tmp_path / "file" / "spill"}"'
    with pytest.raises(SettingsError, match=r"warehouse\.spill_folder is .*Not a directory"):
        check_resources(_workspace(tmp_path / "shop", given))


@pytest.mark.parametrize(
    ("folder", "said"), [("x" * 5000, "File name too long"), ("~nobody-here/x", "no home of that user")]
)
def test_a_spill_folder_that_cannot_be_is_bad_usage(tmp_path: Path, folder: str, said: str) -> None:
    workspace = _workspace(tmp_path / "shop", f'memory_limit_gigabytes = 1\nspill_folder = "{folder}"')
    with pytest.raises(SettingsError, match=r"warehouse\.spill_folder is ") as raised:
        check_resources(workspace)
    assert said in str(raised.value)


def test_what_does_not_fit_into_memory_is_spilled(tmp_path: Path) -> None:
    settings = WarehouseSettings(memory_limit_gigabytes=0.08, threads=1)
    with Warehouse(tmp_path / "build.duckdb", settings, tmp_path / "spill") as warehouse:
        assert _sorted_with(warehouse) == 2_000_000
        assert (tmp_path / "spill").is_dir()
        limits = "select current_setting('memory_limit'), current_setting('temp_directory')"
        # dbt and the gate work on cursors of the same instance.
        assert warehouse.connection.cursor().execute(limits).fetchone() == (
            "76.2 MiB",
            str(tmp_path / "spill"),
        )


def test_what_one_transaction_writes_is_not_held_until_its_end(tmp_path: Path) -> None:
    settings = WarehouseSettings(memory_limit_gigabytes=0.5, threads=1)
    with Warehouse(tmp_path / "build.duckdb", settings) as warehouse:
        warehouse.run("create table numbers (number bigint, name varchar)")
        before = pyarrow.total_allocated_bytes()
        with warehouse.transaction():
            for _ in range(3):
                names = pyarrow.array(
                    [f"a name too long to be kept within {number}" for number in range(9000)]
                )
                rows = pyarrow.table({"name": names, "number": range(9000)})
                assert warehouse.write_from(rows, "insert into numbers by name from given_rows") == 9000
                warehouse.append("numbers", rows)
                del rows, names
                assert pyarrow.total_allocated_bytes() == before
        warehouse.append("numbers", pandas.DataFrame({"name": ["one"], "number": [1]}))
        assert warehouse.value("select count(*) from numbers") == 6 * 9000 + 1


def test_a_full_spill_folder_is_a_sentence_and_the_next_run_goes_on(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "shop", "memory_limit_gigabytes = 0.08\nspill_gigabytes_at_most = 0.01")
    path, given = workspace.build_database, workspace.settings.warehouse
    with Warehouse(path, given, workspace.spill_folder) as warehouse:
        warehouse.run("create table kept as select 1 as one")
        with pytest.raises(duckdb.Error) as raised:
            _sorted_with(warehouse)
    said = str(shortage(raised.value, "features", workspace))
    assert said.startswith(
        f"features ended because what does not fit into memory filled {workspace.spill_folder}"
    )
    assert "spill_gigabytes_at_most allows 0.01 GB" in said
    assert "Nothing was published" in said
    assert said.endswith("run `vitals run --from features`.")
    more = given.model_copy(update={"spill_gigabytes_at_most": 1.0})
    with Warehouse(path, more, workspace.spill_folder) as warehouse:
        assert warehouse.value("select one from kept") == 1
        assert _sorted_with(warehouse) == 2_000_000


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            # As dbt hands it on.
            VitalsError("the model customers could not be built: Out of Memory Error: failed to pin block"),
            "marts ran out of memory: the engine may use 1.2 GB with 2 threads. Nothing was published. "
            "Set warehouse.memory_limit_gigabytes in {folder}/review.toml to about 2.4, or threads to 1; "
            "then run `vitals run --from marts`.",
        ),
        (
            # As the gate hands it on.
            BrokenPromiseError("marts.customers could not be checked: Out of Memory Error: no block."),
            "marts ran out of memory",
        ),
        (
            duckdb.IOException('Could not write file "{folder}/data/x.duckdb": No space left on device'),
            "marts ended because there is no room to write {folder}/data/x.duckdb (",
        ),
        (
            duckdb.IOException(
                'IO Error: Could not write file "{folder}/data/build/spill/a.tmp": No space left on device'
            ),
            "marts ended because what does not fit into memory filled {folder}/data/build/spill (",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "{folder}/data/page.html"),
            "marts ended because there is no room to write {folder}/data/page.html (",
        ),
        (MemoryError(), "marts ran out of the machine's memory"),
    ],
)
def test_shortages_are_known_by_whichever_way_they_come(tmp_path: Path, error: Exception, said: str) -> None:
    workspace = _workspace(tmp_path / "shop", "memory_limit_gigabytes = 1.2")
    folder = str(workspace.folder)
    if isinstance(error, OSError):
        error = OSError(error.errno, error.strerror, error.filename.replace("{folder}", folder))
    else:
        error = type(error)(str(error).replace("{folder}", folder))
    assert said.replace("{folder}", folder) in str(shortage(error, "marts", workspace))


def test_what_customers_wrote_is_no_shortage(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "shop", "memory_limit_gigabytes = 1.2")
    quoted = BrokenPromiseError("raw.events.event_name is not known in 1 row: 'Out of Memory Error'.")
    assert shortage(quoted, "load", workspace) is None
    assert shortage(VitalsError("the file is no JSON"), "load", workspace) is None


def test_what_the_dead_spilled_is_removed(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    left, of_somebody = spill / "duckdb_temp_4194305_0_storage.tmp", spill / "notes.txt"
    left.touch()
    of_somebody.touch()
    settings = WarehouseSettings(memory_limit_gigabytes=0.5, threads=1)
    Warehouse(tmp_path / "build.duckdb", settings, spill).close()
    assert not left.exists()
    assert of_somebody.exists()


def test_a_week_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    week = pandas.Timestamp("2025-01-06").date()
    rows = pandas.DataFrame({"customer_id": ["b"], "review_week": [week]})

    def batches(fail: bool):
        yield {"scores.one": rows}
        if fail:
            raise RuntimeError("in the second batch")

    settings = WarehouseSettings(memory_limit_gigabytes=0.5, threads=1)
    with Warehouse(tmp_path / "build.duckdb", settings) as warehouse:
        warehouse.run(
            "create table scores.one as select 'a' as customer_id, date '2025-01-06' as review_week"
        )
        with pytest.raises(RuntimeError):
            warehouse.replace_week(["scores.one"], batches(True), week)
        assert warehouse.rows("select customer_id from scores.one") == [("a",)]
        assert warehouse.replace_week(["scores.one"], batches(False), week) == {"scores.one": 1}
        assert warehouse.rows("select customer_id from scores.one") == [("b",)]


def test_scores_do_not_depend_on_the_size_of_batches(
    reviewed: Business, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    whole = again.fingerprints("scores")
    monkeypatch.setattr("pipeline.warehouse.ROWS_AT_ONCE", 64)
    result = CliRunner().invoke(app, ["score", "--workspace", str(again.folder)])
    assert result.exit_code == 0, result.output
    assert again.fingerprints("scores") == whole


def test_a_disk_that_is_full_at_publication_leaves_the_last_release(
    reviewed: Business, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copy_business(reviewed, tmp_path / "demo")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("pipeline.release.shutil.copytree", full)
    result = CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)])
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "publish ended because there is no room to write" in said
    assert "Nothing was published" in said
    assert again.current.resolve().name == "first"
    assert {path.name for path in (again.data / "serving" / "releases").iterdir()} == {"first"}
    monkeypatch.undo()
    result = CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)])
    assert result.exit_code == 0, result.output


def test_a_release_that_cannot_be_linked_leaves_nothing_behind(
    reviewed: Business, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copy_business(reviewed, tmp_path / "demo")

    def refuse(link: Path, release: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(link))

    monkeypatch.setattr("pipeline.release.swap_link", refuse)
    result = CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)])
    assert result.exit_code == 1
    assert "the release could not be written: Permission denied" in " ".join(result.output.split())
    for folder in (again.data / "history", again.data / "serving" / "releases"):
        assert {path.name for path in folder.iterdir()} == {"first"}


def test_a_release_that_was_linked_stays_whatever_fails_after(
    reviewed: Business, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    # As where the data lies on a larger disk: the way to the release leads through a link.
    again.data.rename(tmp_path / "large_disk")
    again.data.symlink_to(tmp_path / "large_disk")

    def swapped_and_failed(link: Path, release: Path) -> None:
        link.unlink()
        link.symlink_to(Path("releases") / release.name)
        raise OSError(errno.EIO, "Input/output error", str(link))

    monkeypatch.setattr("pipeline.release.swap_link", swapped_and_failed)
    assert CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)]).exit_code == 1
    assert (again.current / "warehouse.duckdb").is_file()
    assert (again.data / "history" / again.current.resolve().name).is_dir()


def test_a_folder_in_the_place_of_the_link_is_said(reviewed: Business, tmp_path: Path) -> None:
    again = copy_business(reviewed, tmp_path / "demo")
    released = again.current.resolve()
    again.current.unlink()
    shutil.copytree(released, again.current)
    result = CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)])
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "current is a folder and has to be a link to a release" in said
    assert "Move it away, then run `vitals publish`" in said
    assert {path.name for path in (again.data / "history").iterdir()} == {"first"}
    again.current.rename(tmp_path / "moved_away")
    result = CliRunner().invoke(app, ["publish", "--workspace", str(again.folder)])
    assert result.exit_code == 0, result.output
    assert again.current.is_symlink()
