"""A workspace with a simulated world, reviewed as it would have been week after week.

Everything is done with the command `vitals`, in processes of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from bench.record import PROJECT_FOLDER
from bench.watched import environment_of_commands
from pipeline.newworkspace import FILES
from pipeline.workspace import WORKSPACES_FOLDER
from simulation.parameters import WorldParameters

MARKER = "world.json"
OWN_FEATURES = "features"  # folder of a workspace's own columns


@dataclass(frozen=True)
class WorldSize:
    """What `vitals simulate` is asked for."""

    customers: int
    weeks: int
    seed: int


@dataclass(frozen=True)
class Phase:
    """What a process took: its name, wall-clock seconds, and the most memory that it held."""

    name: str
    seconds: float
    peak_megabytes: float


class CommandFailedError(Exception):
    """`vitals` ended with an error; the message is what it said."""


class ForeignFolderError(Exception):
    """The folder holds what is not ours to remove."""


Say = Callable[[str], None]


def make_world(folder: Path, size: WorldSize, say: Say) -> list[Phase]:
    """Simulate the world into folder/demo, unless the same lies there already.

    Raises ForeignFolderError where the folder holds something else than an earlier world, before anything is
    written.
    """
    marker = folder / MARKER
    workspace = folder / "demo"
    if not marker.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise ForeignFolderError(f"{folder} is not empty and holds no world; give another --folder")
    key = _world_key(size)
    if _marked(marker).get("world") == key:
        say(f"the world in {folder} is the same: kept")
        return []
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text("{}\n", encoding="utf-8")
    shutil.rmtree(workspace, ignore_errors=True)
    _copy_settings(workspace)
    sizes = [f"--{name}={value}" for name, value in asdict(size).items()]
    phase = run_vitals("simulate", f"--workspace={workspace}", *sizes)
    say(_told(phase))
    marker.write_text(json.dumps({"world": key} | asdict(size)) + "\n", encoding="utf-8")
    return [phase]


def review_weeks(folder: Path, weeks: Sequence[date], say: Say) -> list[Phase]:
    """Review the weeks in order, unless this product has reviewed them in this world already."""
    marker = folder / MARKER
    marked = _marked(marker)
    key = _digest(_product_files(), json.dumps([marked["world"], [str(week) for week in weeks]]))
    if marked.get("reviews") == key:
        say("its reviews are those of this product: kept")
        return []
    _copy_settings(folder / "demo")
    phases = []
    for week in weeks:
        phase = run_vitals("run", f"--workspace={folder / 'demo'}", f"--week={week}")
        phases.append(Phase(f"review of {week}", phase.seconds, phase.peak_megabytes))
        say(_told(phases[-1]))
    marker.write_text(json.dumps(marked | {"reviews": key}) + "\n", encoding="utf-8")
    return phases


def weeks_before_the_last(size: WorldSize, distances: Sequence[int]) -> list[date]:
    """The Mondays so many weeks before the last week of the world."""
    first = WorldParameters(customers=1, weeks=1, seed=0).first_week
    return [first + timedelta(weeks=size.weeks - 1 - distance) for distance in distances]


def run_vitals(*arguments: str) -> Phase:
    """Run the command to its end. Raises CommandFailedError with what it said last."""
    environment = environment_of_commands()
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=PROJECT_FOLDER,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            # wait4 knows the memory of this process; Popen.wait does not.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode != 0:
        raise CommandFailedError(f"vitals {arguments[0]} failed: {lines[-1] if lines else 'it said nothing'}")
    return Phase(arguments[0], time.monotonic() - started, usage.ru_maxrss / 1024)


def _told(phase: Phase) -> str:
    return f"{phase.name}: {phase.seconds:,.1f} s, at most {phase.peak_megabytes:,.0f} MB"


def _copy_settings(workspace: Path) -> None:
    """Make the workspace one like the demo is now; its data stays."""
    workspace.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(WORKSPACES_FOLDER / "demo" / name, workspace / name)
    shutil.rmtree(workspace / OWN_FEATURES, ignore_errors=True)
    shutil.copytree(WORKSPACES_FOLDER / "demo" / OWN_FEATURES, workspace / OWN_FEATURES)


def _marked(marker: Path) -> dict[str, str]:
    """What an earlier measurement has left; nothing where it was stopped while it wrote."""
    try:
        return json.loads(marker.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _world_key(size: WorldSize) -> str:
    """Equal for equal worlds: sizes, and all code that makes one."""
    files = [*(PROJECT_FOLDER / "simulation").glob("*.py"), PROJECT_FOLDER / "pipeline" / "simulate.py"]
    return _digest(files, json.dumps(asdict(size)))


def _product_files() -> list[Path]:
    rooms = ("pipeline", "ml", "expectations", "report", "dbt_project", "workspaces/demo")
    kinds = {".py", ".sql", ".yml", ".csv", ".toml"}
    return [
        path
        for room in rooms
        for path in (PROJECT_FOLDER / room).rglob("*")
        if path.suffix in kinds and not {"target", "data"} & set(path.parts)
    ]


def _digest(files: Sequence[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for path in sorted(files):
        digest.update(str(path.relative_to(PROJECT_FOLDER)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
