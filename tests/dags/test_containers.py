"""docker-compose.yml, Dockerfile and .dockerignore, as far as they can be judged without Docker."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.service import PROCESSES

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def image_environment(instructions: list[tuple[str, str]]) -> dict[str, str]:
    pairs = [pair for word, rest in instructions if word == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def test_the_processes_of_airflow_and_their_metadata(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "setup", *PROCESSES}


def test_services_have_no_rights_they_do_not_need(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
        # Airflow runs as the image's user, Postgres as its own: none as root.
        assert service.get("user") == ("postgres" if name == "postgres" else None)
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_to_this_machine_alone(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 1
    assert ports[0].startswith("127.0.0.1:")


def test_volumes_are_declared_or_lie_in_the_project(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source, _ = volume.split(":")
            assert (PROJECT / source).is_dir() if source.startswith("./") else source in compose["volumes"]


def test_volumes_are_mounted_where_the_image_looks(
    compose: dict[str, Any], instructions: list[tuple[str, str]], image_environment: dict[str, str]
) -> None:
    project = next(rest for word, rest in instructions if word == "WORKDIR")
    for name in PROCESSES:
        targets = dict(volume.split(":") for volume in compose["services"][name]["volumes"])
        assert targets == {
            "airflow": image_environment["AIRFLOW_HOME"],
            "./workspaces": f"{project}/workspaces",
        }
    assert image_environment["AIRFLOW__CORE__DAGS_FOLDER"] == f"{project}/dags"


def test_commands_are_programs_of_the_environment(
    compose: dict[str, Any], instructions: list[tuple[str, str]]
) -> None:
    shell, flag, script = compose["services"]["setup"]["command"]
    assert (shell, flag) == ("bash", "-c")
    commands = [shlex.split(command) for command in script.split("&&")]
    assert commands[0] == ["airflow", "db", "migrate"]
    assert commands[1][:5] == ["airflow", "pools", "set", "vitals_warehouse", "1"]
    commands += [compose["services"][name]["command"] for name in PROCESSES]
    assert [command[1] for command in commands[2:]] == list(PROCESSES)
    [image_command] = [ast.literal_eval(rest) for word, rest in instructions if word == "CMD"]
    programs = {command[0] for command in [*commands, image_command]}
    assert programs == {"airflow", "vitals"}
    assert all((BIN / program).is_file() for program in programs)


def test_every_process_has_a_health_check(compose: dict[str, Any]) -> None:
    for name in ("postgres", *PROCESSES):
        kind, program, *arguments = compose["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        assert program in {"airflow", "pg_isready", "python"}
        if program == "python":
            compile(arguments[1], "healthcheck", "exec")


def test_processes_start_when_the_database_is_ready(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["setup"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in PROCESSES:
        assert services[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}


def test_secrets_are_read_from_files(compose: dict[str, Any], tmp_path: Path) -> None:
    declared = {f"/run/secrets/{name}" for name in compose["secrets"]}
    environment = compose["services"]["scheduler"]["environment"]
    assert {name for name in environment if name.endswith("_CMD")} == {
        f"AIRFLOW__{name}_CMD"
        for name in (
            "DATABASE__SQL_ALCHEMY_CONN",
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC",
            "API__SECRET_KEY",
            "API_AUTH__JWT_SECRET",
        )
    }
    (tmp_path / "postgres").write_text("the word\n", encoding="utf-8")
    for name, command in environment.items():
        if not name.endswith("_CMD"):
            continue
        assert set(re.findall(r"/run/secrets/\w+", command)) <= declared
        if "SQL_ALCHEMY" in name:
            _, *arguments = shlex.split(command.replace("/run/secrets", str(tmp_path)))
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60)
            assert done.stdout == "postgresql+psycopg://airflow:the word@postgres/airflow", done.stderr
    assert compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] in declared


def test_the_secrets_of_the_page_are_those_that_are_read(compose: dict[str, Any], tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "airflow.md").read_text(encoding="utf-8")
    [commands] = [block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if "urandom" in block]
    subprocess.run(["bash", "-ec", commands], cwd=tmp_path, check=True, timeout=60)
    default = r"\$\{VITALS_SECRETS:-(.*?)\}"
    for secret in compose["secrets"].values():
        path = tmp_path / re.sub(default, r"\1", secret["file"])
        assert re.fullmatch(r"[0-9a-f]{48}", path.read_text(encoding="utf-8"))
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_image_is_built_from_the_lock_and_runs_without_rights(instructions: list[tuple[str, str]]) -> None:
    words = [word for word, _ in instructions]
    runs = [rest for word, rest in instructions if word == "RUN"]
    assert any(re.search(r"uv pip sync .*requirements\.lock$", run) for run in runs)
    users = [rest for word, rest in instructions if word == "USER"]
    assert len(users) == 1
    assert users[0] not in ("root", "0")
    assert "RUN" not in words[words.index("USER") :]
    # The uv of the image is that of the Makefile.
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    [version] = [rest.split("=")[1] for word, rest in instructions if rest.startswith("UV_VERSION=")]
    assert f"UV_VERSION := {version}\n" in makefile


def test_telemetry_is_off(image_environment: dict[str, str]) -> None:
    assert image_environment["DO_NOT_TRACK"] == "1"
    for name in ("DBT_SEND_ANONYMOUS_USAGE_STATS", "GX_ANALYTICS_ENABLED", "SCARF_ANALYTICS"):
        assert image_environment[name] == "false"


def test_what_runs_goes_into_the_image_and_data_does_not() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert all((PROJECT / name).exists() for name in let_in)
    rooms = {"dags", "dbt_project", "expectations", "ml", "pipeline", "report", "simulation", "workspaces"}
    assert let_in == rooms | {"LICENSE", "README.md", "pyproject.toml", "requirements.lock"}
    # A later line wins over an earlier one.
    assert lines.index("workspaces/*/data") > lines.index("!workspaces")
