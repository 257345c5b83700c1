"""`make up` says in a sentence what keeps it from starting, and leaves nothing half-started."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import service as airflow_service
from pipeline.errors import UsageError, VitalsError
from pipeline.service import DATABASE_VARIABLE, Service, check_database, down, service_of, up

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
