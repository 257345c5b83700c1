"""Airflow without Docker: `make up` starts what docker-compose.yml starts, `make down` ends it.

A Postgres cluster of the project's own (Debian's package) holds the metadata; the API server, the scheduler,
the DAG processor and the triggerer are processes of this machine. All of it listens on loopback alone and
lies in one folder, `.airflow/` in the project or what VITALS_AIRFLOW_DIR names. What cannot be started is
said in a sentence, and then nothing is left running that this call started. Nothing watches over what was
started: where part of it has ended, `make up` says which, and `make down` ends the rest.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import wraps
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import UsageError, VitalsError
from pipeline.processes import birth_of, is_alive, left_of_session
from pipeline.workspace import PROJECT_FOLDER

FOLDER_VARIABLE = "VITALS_AIRFLOW_DIR"
DATABASE_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
# The processes of Airflow, each with its options. Two of them would serve logs on all addresses of the
# machine; the API server reads them as files.
PROCESSES = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
# Postgres refuses to run as root; Debian's package brings this user.
POSTGRES_USER = "postgres"
READY_WITHIN_SECONDS = 180
ENDED_WITHIN_SECONDS = 30
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Service:
    """Where everything of one Airflow lies, and its two ports."""

    folder: Path
    port: int
    postgres_port: int

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def processes_file(self) -> Path:
        return self.folder / "processes.json"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def secret(self, name: str) -> str:
        """A secret of this installation, made when it is first asked for; only its owner can read it."""
        path = self.folder / "secrets" / name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_for_owner(path, secrets.token_urlsafe(32))
        return path.read_text(encoding="utf-8").strip()

    def environment(self) -> dict[str, str]:
        """What the processes of Airflow are given; what the caller has set wins."""
        database = (
            f"postgresql+psycopg://airflow:{self.secret('postgres')}@127.0.0.1:{self.postgres_port}/airflow"
        )
        database = os.environ.get(DATABASE_VARIABLE, database)
        bin_folder = Path(sys.executable).parent
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_FOLDER / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__API__SECRET_KEY": self.secret("api"),
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secret("jwt"),
            "DO_NOT_TRACK": "1",
            "SCARF_ANALYTICS": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **os.environ,
            DATABASE_VARIABLE: database,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }


def service_of(environment: Mapping[str, str]) -> Service:
    """The service that the environment describes. Raises UsageError for a port that is none."""
    ports = {}
    for name, default in (("AIRFLOW_PORT", "8080"), ("AIRFLOW_POSTGRES_PORT", "5439")):
        text = environment.get(name) or default
        if not text.isdecimal() or not 1024 <= int(text) <= 65535:
            raise UsageError(f"{name} is {text!r}; give a port between 1024 and 65535.")
        ports[name] = int(text)
    if len(set(ports.values())) < len(ports):
        raise UsageError(
            f"{' and '.join(ports)} are both {ports['AIRFLOW_PORT']}; the page and Postgres need a port each."
        )
    folder = Path(environment.get(FOLDER_VARIABLE) or PROJECT_FOLDER / ".airflow").expanduser().resolve()
    return Service(folder, ports["AIRFLOW_PORT"], ports["AIRFLOW_POSTGRES_PORT"])


@dataclass(frozen=True)
class Started:
    """A process of Airflow that `up` started, which leads a session of its own."""

    process: int
    birth: str

    @property
    def is_alive(self) -> bool:
        with suppress(ChildProcessError):
            # One that this process started and that has ended would be counted until it is waited for.
            os.waitpid(self.process, os.WNOHANG)
        return is_alive(self.process, self.birth)

    @property
    def left(self) -> tuple[int, ...]:
        return left_of_session(self.process, self.birth)


def _in_words(action: Callable[[Service], None]) -> Callable[[Service], None]:
    """What the system refuses as a VitalsError: a folder, a full disk, a program that is not there."""

    @wraps(action)
    def wrapped(service: Service) -> None:
        try:
            action(service)
        except OSError as error:
            place = error.filename or service.folder
            elsewhere = f"name another folder: {FOLDER_VARIABLE}=/path/to/folder make up"
            if error.errno in _NO_ROOM:
                said = f"there is no room to write {place}. Make room and call again, or {elsewhere}."
            elif error.errno in _NO_RIGHT:
                said = (
                    f"whoever calls this has no right to {place} ({error.strerror}). Call as the user who "
                    f"started it, give the right, or {elsewhere}."
                )
            elif error.errno == errno.ENOENT:
                said = (
                    f"{place} is not there. Put it back: a program comes with its package (Postgres: apt-get "
                    f"install postgresql; runuser: util-linux), a folder with `make up`."
                )
            else:
                said = f"{place} cannot be used: {error.strerror or error}. Mend that, or {elsewhere}."
            raise VitalsError(said) from None

    return wrapped


@_in_words
def up(service: Service) -> None:
    """Start everything, and return when it is healthy. Raises VitalsError; nothing is left running then."""
    began = time.monotonic()
    _check_nothing_is_up(service)
    _check_packages()
    _check_version_of_cluster(service)
    _check_port_is_free(service.port, "AIRFLOW_PORT")
    for folder in (service.home, service.logs):
        folder.mkdir(parents=True, exist_ok=True)
    environment = service.environment()
    owns_database = DATABASE_VARIABLE not in os.environ
    try:
        if owns_database:
            _start_postgres(service)
        remedy = _remedy_for_own_password(service) if owns_database else None
        check_database(environment[DATABASE_VARIABLE], remedy)
        _airflow(service, environment, "db", "migrate")
        _airflow(
            service, environment, "pools", "set", "vitals_warehouse", "1", "the warehouse has one writer"
        )
        _start_processes(service, environment)
        _wait_until_healthy(service)
    except BaseException:
        down(service)
        raise
    print(f"up        {service.address} after {time.monotonic() - began:.0f} s; `make down` ends it")
    print(
        f"log in    admin, with the password in {service.home}/simple_auth_manager_passwords.json.generated"
    )
    print(f"logs      {service.logs}")


@_in_words
def down(service: Service) -> None:
    """End what `up` started, if anything is left of it."""
    # Children of those that were killed are there still, and may hold the port.
    _signal_all(service, signal.SIGTERM)
    ends_at = time.monotonic() + ENDED_WITHIN_SECONDS
    while _is_anything_left(service) and time.monotonic() < ends_at:
        time.sleep(0.2)
    # Whoever did not listen.
    _signal_all(service, signal.SIGKILL)
    service.processes_file.unlink(missing_ok=True)
    if _postgres_process(service):
        _postgres(service, "pg_ctl", "stop", "--mode=fast", "--silent", "--wait", check=False)


def check_database(address: str, remedy_for_password: str | None = None) -> None:
    """Raises VitalsError, with the remedy, where the metadata database does not let us in."""
    import psycopg

    try:
        with psycopg.connect(re.sub(r"\+\w+", "", address, count=1), connect_timeout=5):
            return
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
    except (psycopg.Error, ValueError) as error:
        raise VitalsError(
            f"{DATABASE_VARIABLE} cannot be used: {str(error).splitlines()[0]}. Give "
            "postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    if "password" in said or "authentication" in said:
        remedy = remedy_for_password or (
            "Set a new one in Postgres with `alter role airflow password '…' valid until 'infinity'`, and "
            f"the same in {DATABASE_VARIABLE}."
        )
        raise VitalsError(f"the metadata database refuses the password (wrong, or expired). {remedy}")
    if "does not exist" in said:
        raise VitalsError(f"the metadata database is not there: {said[:200]}. Make it with `createdb`.")
    # Postgres goes on to ask whether it is running there at all.
    reason = said.partition(" Is the server running")[0][:200]
    raise VitalsError(
        f"the metadata database is down or not reachable: {reason}. Start it, or mend "
        f"{DATABASE_VARIABLE}, and call again."
    )


def _remedy_for_own_password(service: Service) -> str:
    """For a cluster whose only role may not log in any more: Postgres without a server asks for none."""
    as_owner = f"runuser -u {POSTGRES_USER} -- " if os.geteuid() == 0 else ""
    secret = service.folder / "secrets" / "postgres"
    programs = _postgres_programs(_version_of_cluster(service))
    return (
        "Set that of the cluster of `make up` anew, and call again: "
        f"`echo \"alter role airflow password '$(cat {secret})' valid until 'infinity'\" | "
        f"{as_owner}{programs}/postgres --single -D {service.postgres} postgres`"
    )


def _check_nothing_is_up(service: Service) -> None:
    if not _is_anything_left(service):
        return
    started = _started(service)
    missing = [name for name in PROCESSES if name not in started or not started[name].is_alive]
    if DATABASE_VARIABLE not in os.environ and not _postgres_process(service):
        missing.append("Postgres")
    if missing:
        raise VitalsError(
            f"half of Airflow of {service.folder} is up; not there any more: {', '.join(missing)} "
            f"({service.logs} says what they did last). `make down`, then `make up`, bring it back."
        )
    raise VitalsError(f"Airflow of {service.folder} is up already. `make down` ends it.")


def _check_packages() -> None:
    for package in ("airflow", "psycopg"):
        if find_spec(package) is None:
            raise VitalsError(f"the Python package {package} is missing in {sys.prefix}; run `make setup`.")
    if DATABASE_VARIABLE not in os.environ and _postgres_programs() is None:
        raise VitalsError(
            "Postgres is missing, which holds Airflow's metadata; on Debian: apt-get install postgresql. Or "
            f"name a database in {DATABASE_VARIABLE}."
        )


def _check_port_is_free(port: int, variable: str) -> None:
    with socket.socket() as trying:
        # As servers do: a port whose last connections are still fading is free.
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind(("127.0.0.1", port))
        except OSError:
            raise VitalsError(
                f"port {port} is in use by another program. End it, or give another: "
                f"{variable}={port + 1} make up."
            ) from None


def _postgres_programs(version: str = "") -> Path | None:
    """The folder of initdb and pg_ctl, of a major version or the newest: Debian keeps them out of PATH."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = shutil.which("pg_ctl")
    folders += [Path(on_path).resolve().parent] if on_path else []
    found = (folder for folder in folders if (folder / "initdb").is_file())
    return next((folder for folder in found if version in ("", _postgres_version(folder))), None)


def _postgres_version(programs: Path) -> str:
    """The major version, as PG_VERSION of a cluster names it."""
    said = subprocess.run([programs / "pg_ctl", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)(\.\d+)*", said.stdout)
    return found[1] if found else ""


def _version_of_cluster(service: Service) -> str:
    """Empty where there is no cluster yet."""
    try:
        return (service.postgres / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _check_version_of_cluster(service: Service) -> None:
    version = _version_of_cluster(service)
    if DATABASE_VARIABLE in os.environ or _postgres_programs(version) is not None:
        return
    raise VitalsError(
        f"the database in {service.postgres} is of Postgres {version}, which is not installed, and no other "
        f"version can read it. Install it beside the other (Debian: apt-get install postgresql-{version}); "
        "docs/airflow.md says how to bring what it holds to a newer one. Where past runs do not matter, "
        "remove that folder instead."
    )


def _postgres(service: Service, program: str, *arguments: str, check: bool = True) -> bool:
    """Run a program of Postgres on the cluster, as a user that it takes; whether it ended well."""
    programs = _postgres_programs(_version_of_cluster(service))
    if programs is None:
        return False
    command = [str(programs / program), "--pgdata", str(service.postgres), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", POSTGRES_USER, "--", *command]
    with (service.logs / "postgres-setup.log").open("a") as log:
        done = subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", check=False)
    if check and done.returncode != 0:
        raise VitalsError(
            f"Postgres could not be started in {service.postgres} ({program} ended with {done.returncode}): "
            f"{_last_line(service.logs / 'postgres-setup.log')} {service.postgres}/server.log has the rest."
        )
    return done.returncode == 0


def _start_postgres(service: Service) -> None:
    if not (service.postgres / "PG_VERSION").is_file():
        _make_cluster(service)
    # It may be there still, where the processes of Airflow were killed.
    if not _postgres_process(service):
        _check_port_is_free(service.postgres_port, "AIRFLOW_POSTGRES_PORT")
        if is_alive(_noted_postgres_process(service)):
            # Another program's number since a restart of the machine: Postgres would take it for its own.
            (service.postgres / "postmaster.pid").unlink()
        _postgres(
            service,
            "pg_ctl",
            "start",
            "--wait",
            "--silent",
            f"--log={service.postgres}/server.log",
            f"--options=-p {service.postgres_port} -c listen_addresses=127.0.0.1"
            " -c unix_socket_directories=''",
        )
    import psycopg

    # The superuser's database is there from the start; Airflow's is made once.
    login = f"host=127.0.0.1 port={service.postgres_port} user=airflow dbname=postgres connect_timeout=5"
    # A refused password is said by check_database.
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(login, password=service.secret("postgres"), autocommit=True) as connection,
    ):
        found = connection.execute("select 1 from pg_database where datname = 'airflow'").fetchone()
        if found is None:
            connection.execute("create database airflow")


def _make_cluster(service: Service) -> None:
    """A cluster whose only role is ours, with a password, reachable on loopback alone."""
    if service.postgres.exists() and any(service.postgres.iterdir()):
        raise VitalsError(
            f"{service.postgres} has files but is no Postgres cluster, as after a set-up that was cut off. "
            "Remove the folder and run `make up` again."
        )
    service.postgres.mkdir(parents=True, exist_ok=True, mode=0o700)
    password_file = service.folder / "initdb-password"
    password_file.unlink(missing_ok=True)
    _write_for_owner(password_file, service.secret("postgres"))
    try:
        if os.geteuid() == 0:
            _hand_to_postgres(service, password_file)
        _postgres(
            service,
            "initdb",
            "--username=airflow",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        )
    except BaseException:
        shutil.rmtree(service.postgres, ignore_errors=True)
        raise
    finally:
        password_file.unlink(missing_ok=True)


def _postgres_process(service: Service) -> int | None:
    """The server of the cluster. The number in its file may be another program's after a restart."""
    process = _noted_postgres_process(service)
    if not is_alive(process):
        return None
    try:
        is_postgres = b"postgres" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        is_postgres = True
    return process if is_postgres else None


def _noted_postgres_process(service: Service) -> int:
    """The number that a server noted when it started; 0 where none did, or none since it was ended well."""
    try:
        return int((service.postgres / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return 0


def _write_for_owner(path: Path, word: str) -> None:
    """A file that only its owner can read, whole or not at all. Raises OSError where it is there already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(word)
    except BaseException:
        path.unlink()
        raise


def _hand_to_postgres(service: Service, password_file: Path) -> None:
    """As root: the cluster belongs to Debian's user, who also has to be able to get there."""
    try:
        for path in (service.postgres, password_file):
            shutil.chown(path, POSTGRES_USER)
    except LookupError:
        raise VitalsError(
            f"there is no user {POSTGRES_USER}, whom Debian's package makes: apt-get install postgresql. "
            "Or run `make up` as a user other than root."
        ) from None
    seen = ["runuser", "-u", POSTGRES_USER, "--", "test", "-w", str(service.postgres)]
    if subprocess.run(seen, cwd="/", check=False).returncode != 0:
        raise VitalsError(
            f"the user {POSTGRES_USER} cannot get to {service.postgres}. Run `make up` as a user other than "
            f"root, or name a folder that all may enter: {FOLDER_VARIABLE}=/var/lib/vitals-airflow make up."
        )


def _airflow(service: Service, environment: Mapping[str, str], *arguments: str) -> None:
    """One call of the command `airflow` that ends by itself."""
    log_file = service.logs / f"{'-'.join(arguments[:2])}.log"
    with log_file.open("w") as log:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=dict(environment), stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        raise VitalsError(
            f"`airflow {' '.join(arguments[:2])}` failed: {_last_line(log_file)} The rest is in {log_file}."
        )


def _start_processes(service: Service, environment: Mapping[str, str]) -> None:
    started: dict[str, Started] = {}
    for name, options in PROCESSES.items():
        with (service.logs / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", name, *options],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=service.home,
                start_new_session=True,
            )
        started[name] = Started(process.pid, birth_of(process.pid))
        # Written as they start: also of a start that is cut off `make down` knows all.
        written = service.processes_file.with_suffix(".part")
        try:
            written.write_text(
                json.dumps({each: asdict(known) for each, known in started.items()}), encoding="utf-8"
            )
            written.replace(service.processes_file)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _wait_until_healthy(service: Service) -> None:
    ends_at = time.monotonic() + READY_WITHIN_SECONDS
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    while time.monotonic() < ends_at:
        for name in (name for name, each in _started(service).items() if not each.is_alive):
            log = service.logs / f"{name}.log"
            raise VitalsError(f"the {name} ended at once: {_last_line(log)} The rest is in {log}.")
        with suppress(OSError, ValueError, KeyError):
            address = f"{service.address}/api/v2/monitor/health"
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 it is this machine's
                health = json.load(answer)
            if all(health[part]["status"] == "healthy" for part in parts):
                return
        time.sleep(0.5)
    raise VitalsError(
        f"Airflow was not ready after {READY_WITHIN_SECONDS} seconds. {service.logs} says what it was doing."
    )


def _started(service: Service) -> dict[str, Started]:
    """What `up` started, by name, whether it is there still or not."""
    try:
        known = json.loads(service.processes_file.read_text(encoding="utf-8"))
        return {name: Started(**each) for name, each in known.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, TypeError, AttributeError):
        raise VitalsError(
            f"{service.processes_file} cannot be read, which says what was started. End the processes of "
            f"`airflow` that `ps -ef` shows, remove the file, and call again."
        ) from None


def _is_anything_left(service: Service) -> bool:
    return any(each.is_alive or each.left for each in _started(service).values())


def _signal_all(service: Service, number: signal.Signals) -> None:
    for each in _started(service).values():
        for process in each.left:
            with suppress(ProcessLookupError):
                os.kill(process, number)


def _last_line(path: Path) -> str:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return "it left no log."
    said = next((line for line in reversed(lines) if line), "it said nothing")
    return f"{said[:300].rstrip('.')}."


def main() -> int:
    """`python -m pipeline.service up|down`, with the exit codes of `vitals`."""
    actions = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        print("vitals: say up or down.", file=sys.stderr)
        return 2
    try:
        actions[sys.argv[1]](service_of(os.environ))
    except VitalsError as error:
        print(f"vitals: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("vitals: stopped; nothing is left running.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
