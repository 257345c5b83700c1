"""`make up` says in a sentence what keeps it from starting, and leaves nothing half-started."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import service as airflow_service
from pipeline.errors import UsageError, VitalsError
from pipeline.processes import birth_of, is_alive
from pipeline.service import DATABASE_VARIABLE, PROCESSES, Service, check_database, down, service_of, up

needs_driver = pytest.importorskip("psycopg", reason="the driver comes with `make setup`")
HAS_POSTGRES = airflow_service._postgres_programs() is not None


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture
def service() -> Iterator[Service]:
    # Not below tmp_path, into which the user of Postgres cannot look.
    folder = Path(tempfile.mkdtemp(prefix="vitals-airflow-"))
    folder.chmod(0o755)
    made = Service(folder, *free_ports())
    yield made
    down(made)
    shutil.rmtree(folder)


@pytest.fixture
def database(service: Service) -> str:
    """The address of a started metadata database."""
    if not HAS_POSTGRES:
        pytest.skip("Postgres is not installed")
    service.logs.mkdir()
    airflow_service._start_postgres(service)
    return service.environment()[DATABASE_VARIABLE]


def no_airflow(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Calls of Airflow are listed instead of made."""
    called: list[str] = []
    monkeypatch.setattr(airflow_service, "_airflow", lambda *arguments: called.append(arguments[2]))
    return called


def test_a_port_in_use_is_said_and_nothing_is_started(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = no_airflow(monkeypatch)
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.port))
        other.listen()
        with pytest.raises(VitalsError, match=rf"port {service.port} is in use .* AIRFLOW_PORT=\d+ make up"):
            up(service)
    assert called == []
    assert not service.postgres.exists()


def test_the_port_of_postgres_in_use_is_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_POSTGRES:
        pytest.skip("Postgres is not installed")
    no_airflow(monkeypatch)
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.postgres_port))
        other.listen()
        with pytest.raises(VitalsError, match="AIRFLOW_POSTGRES_PORT"):
            up(service)
    assert not (service.postgres / "postmaster.pid").exists()


def test_a_database_that_is_down_is_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    called = no_airflow(monkeypatch)
    address = f"postgresql+psycopg://airflow:x@127.0.0.1:{service.postgres_port}/airflow"
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    with pytest.raises(VitalsError, match="is down or not reachable"):
        up(service)
    assert called == []


def test_a_wrong_and_an_expired_password_are_said(
    service: Service, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_database(database)
    with pytest.raises(VitalsError, match="refuses the password") as refused:
        check_database(database.replace(service.secret("postgres"), "no-such-word"))
    assert "no-such-word" not in str(refused.value)
    with needs_driver.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("alter role airflow valid until '2020-01-01'")
    with pytest.raises(VitalsError, match="expired"):
        check_database(database)
    down(service)
    no_airflow(monkeypatch)
    with pytest.raises(VitalsError, match="that of the cluster of `make up` anew") as refused:
        up(service)
    # What the sentence says to do, as it stands there.
    (command,) = re.findall(r"`(echo .*)`$", str(refused.value))
    subprocess.run(["bash", "-c", command], cwd="/", check=True, capture_output=True)
    airflow_service._start_postgres(service)
    check_database(database)


def test_backup_and_restore_of_the_page_work(service: Service, database: str, tmp_path: Path) -> None:
    page = (airflow_service.PROJECT_FOLDER / "docs" / "airflow.md").read_text(encoding="utf-8")
    commands = [block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if "pg_" in block]
    backup, restore = (
        block.replace(".airflow/secrets", str(service.folder / "secrets"))
        .replace("--port=5439", f"--port={service.postgres_port}")
        .replace("airflow.dump", str(tmp_path / "airflow.dump"))
        for block in commands
    )
    address = database.replace("+psycopg", "")
    with needs_driver.connect(address, autocommit=True) as connection:
        connection.execute("create table runs as select 'kept' as word")
        subprocess.run(["bash", "-ec", backup], check=True, timeout=60)
        connection.execute("drop table runs")
        subprocess.run(["bash", "-ec", restore], check=True, timeout=60)
        assert connection.execute("select word from runs").fetchall() == [("kept",)]


def test_the_unit_of_the_page_calls_what_there_is() -> None:
    page = (airflow_service.PROJECT_FOLDER / "docs" / "airflow.md").read_text(encoding="utf-8")
    (unit,) = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    commands = dict(re.findall(r"^(Exec\w+)=\S+/python -m pipeline\.service (\w+)$", unit, re.MULTILINE))
    assert commands == {"ExecStartPre": "down", "ExecStart": "up", "ExecStop": "down"}
    # Longer than `up` and `down` take at most by themselves.
    limits = dict(re.findall(r"^Timeout(Start|Stop)Sec=(\d+)$", unit, re.MULTILINE))
    assert int(limits["Start"]) > airflow_service.READY_WITHIN_SECONDS
    assert int(limits["Stop"]) > airflow_service.ENDED_WITHIN_SECONDS


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(VitalsError, match=r"postgresql\+psycopg://USER"):
        check_database("nonsense")


def test_a_missing_package_is_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_service, "find_spec", lambda name: None if name == "psycopg" else name)
    with pytest.raises(VitalsError, match=r"package psycopg is missing .* `make setup`"):
        up(service)
    monkeypatch.undo()
    monkeypatch.setattr(airflow_service, "_postgres_programs", lambda: None)
    with pytest.raises(VitalsError, match="apt-get install postgresql"):
        up(service)


def test_a_start_that_fails_leaves_nothing_running(
    service: Service, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise VitalsError("`airflow db migrate` failed.")

    monkeypatch.setattr(airflow_service, "_airflow", fail)
    with pytest.raises(VitalsError, match="migrate"):
        up(service)
    assert not (service.postgres / "postmaster.pid").exists()
    with pytest.raises(VitalsError, match="is down"):
        check_database(database)


def test_down_where_nothing_is_up_is_quiet(service: Service) -> None:
    down(service)
    down(service)


def test_secrets_are_their_owners_alone(service: Service) -> None:
    word = service.secret("jwt")
    assert word == service.secret("jwt")
    assert len(word) >= 32
    assert stat.S_IMODE((service.folder / "secrets" / "jwt").stat().st_mode) == 0o600
    assert stat.S_IMODE((service.folder / "secrets").stat().st_mode) == 0o700


def test_what_is_no_port_is_refused() -> None:
    for text in ("80", "70000", "http", "-1"):
        with pytest.raises(UsageError, match="AIRFLOW_PORT"):
            service_of({"AIRFLOW_PORT": text})
    assert service_of({}).address == "http://127.0.0.1:8080"
    assert service_of({}).folder == Path(airflow_service.PROJECT_FOLDER / ".airflow")
    assert os.environ.get("AIRFLOW_HOME") != str(service_of({}).home)


def test_one_port_for_both_is_refused_with_their_names() -> None:
    with pytest.raises(UsageError, match="AIRFLOW_PORT and AIRFLOW_POSTGRES_PORT are both 5439"):
        service_of({"AIRFLOW_PORT": "5439"})


Start = Callable[..., dict[str, subprocess.Popen[str]]]


@pytest.fixture
def start(service: Service) -> Iterator[Start]:
    """Processes as `up` starts them, noted as it notes them; each has a child, as those of Airflow have."""
    made: list[subprocess.Popen[str]] = []
    work = "import subprocess; child = subprocess.Popen(['sleep', '300']); print(child.pid, flush=True); "

    def begin(*names: str) -> dict[str, subprocess.Popen[str]]:
        begun = {
            name: subprocess.Popen(
                [sys.executable, "-c", f"{work} child.wait()"],
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            for name in names
        }
        made.extend(begun.values())
        noted = {
            name: {"process": process.pid, "birth": birth_of(process.pid)} for name, process in begun.items()
        }
        service.processes_file.write_text(json.dumps(noted), encoding="utf-8")
        return begun

    yield begin
    down(service)
    for process in made:
        process.kill()
        process.communicate()


def test_what_is_missing_of_a_half_is_said_and_down_ends_the_rest(
    service: Service, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql+psycopg://elsewhere/airflow")
    started = start(*PROCESSES)
    children = {name: int(process.stdout.readline()) for name, process in started.items()}
    with pytest.raises(VitalsError, match="is up already"):
        up(service)
    started["scheduler"].kill()
    started["scheduler"].wait()
    with pytest.raises(VitalsError, match=r"not there any more: scheduler .* `make down`, then `make up`"):
        up(service)
    monkeypatch.delenv(DATABASE_VARIABLE)
    with pytest.raises(VitalsError, match="not there any more: scheduler, Postgres"):
        up(service)
    # Its child would hold the slot, or the port.
    assert is_alive(children["scheduler"])
    down(service)
    ends_at = time.monotonic() + 10
    while any(map(is_alive, children.values())) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert not any(map(is_alive, children.values()))
    assert not service.processes_file.exists()


def test_children_alone_are_ended_before_a_new_start(service: Service, start: Start) -> None:
    (process,) = start("api-server").values()
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    with pytest.raises(VitalsError, match="half of Airflow"):
        up(service)
    down(service)
    assert not is_alive(child)


def test_numbers_of_another_start_of_the_machine_are_left_alone(service: Service, start: Start) -> None:
    (process,) = start("api-server").values()
    noted = {"api-server": {"process": process.pid, "birth": "another-start-of-the-machine/12345"}}
    service.processes_file.write_text(json.dumps(noted), encoding="utf-8")
    down(service)
    assert process.poll() is None
    assert not service.processes_file.exists()
    os.killpg(process.pid, signal.SIGKILL)


def test_a_note_of_what_was_started_that_cannot_be_read_is_said(service: Service) -> None:
    for text in ('{"scheduler": 1', '{"scheduler": 12345}', "[]"):
        service.processes_file.write_text(text, encoding="utf-8")
        for action in (up, down):
            with pytest.raises(VitalsError, match=r"processes\.json cannot be read.* remove the file"):
                action(service)
    service.processes_file.unlink()


def test_after_a_restart_of_the_machine_postgres_starts_whoever_has_its_number(
    service: Service, database: str
) -> None:
    noted = service.postgres / "postmaster.pid"
    as_it_was = noted.read_text(encoding="utf-8").split("\n")
    server = int(as_it_was[0])
    os.kill(server, signal.SIGKILL)
    ends_at = time.monotonic() + 20
    while is_alive(server) and time.monotonic() < ends_at:
        time.sleep(0.05)
    other = subprocess.Popen(["sleep", "300"])
    try:
        noted.write_text("\n".join([str(other.pid), *as_it_was[1:]]), encoding="utf-8")
        # Not taken for ours.
        down(service)
        assert other.poll() is None
        airflow_service._start_postgres(service)
        check_database(database)
    finally:
        other.kill()
        other.wait()


def test_a_cluster_of_another_version_is_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_POSTGRES:
        pytest.skip("Postgres is not installed")
    called = no_airflow(monkeypatch)
    service.postgres.mkdir()
    (service.postgres / "PG_VERSION").write_text("11\n", encoding="ascii")
    with pytest.raises(VitalsError, match=r"of Postgres 11, which is not installed.* postgresql-11"):
        up(service)
    assert called == []
    here = airflow_service._postgres_version(airflow_service._postgres_programs())
    assert airflow_service._postgres_programs(here) is not None


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "there is no room to write .* Make room"),
        (errno.EACCES, "no right to .* give the right, or name another folder: VITALS_AIRFLOW_DIR"),
        (errno.EROFS, "no right to .*Read-only file system"),
        (errno.EIO, "cannot be used: Input/output error"),
    ],
)
def test_a_folder_that_cannot_be_written_is_said(
    service: Service, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    called = no_airflow(monkeypatch)

    def refuse(path: Path, **_: bool) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(VitalsError, match=said) as refused:
        up(service)
    assert str(service.folder) in str(refused.value)
    assert called == []


def test_a_file_in_the_place_of_the_folder_is_said(service: Service, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = Service(tmp_path / "file" / "airflow", service.port, service.postgres_port)
    with pytest.raises(VitalsError, match=r"Not a directory\..* name another folder"):
        up(inside)


def test_a_program_that_is_missing_is_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "runuser")

    monkeypatch.setattr(airflow_service, "_check_packages", missing)
    with pytest.raises(VitalsError, match=r"runuser is not there\. .* util-linux"):
        up(service)


def test_a_secret_is_written_whole_or_not_at_all(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def write(self, _: str) -> None: ...

    monkeypatch.setattr(airflow_service.os, "fdopen", lambda *_: Full())
    with pytest.raises(OSError, match="No space left"):
        service.secret("jwt")
    monkeypatch.undo()
    assert len(service.secret("jwt")) >= 32


def test_a_process_that_cannot_be_noted_is_not_left_running(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.logs.mkdir()
    service.home.mkdir()
    begun: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def begin(_: list[str], **options: object) -> subprocess.Popen[bytes]:
        begun.append(real(["sleep", "300"], **options))
        return begun[-1]

    def refuse(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(airflow_service.subprocess, "Popen", begin)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        airflow_service._start_processes(service, dict(os.environ))
    (process,) = begun
    assert process.wait(10) == -signal.SIGKILL
