"""Processes of this machine: whether the one that left something behind is still at work."""

from __future__ import annotations

import os
from pathlib import Path

# Fields of /proc/PID/stat, counted from the one behind the command's name, which may hold anything.
_STATE, _SESSION, _STARTED = 0, 3, 19
_ENDED = ("Z", "X")


def is_alive(process: int, birth: str = "") -> bool:
    """Whether there is a process of that number, whoever it belongs to.

    `birth`: what `birth_of` said of the process that is meant, whose number may be another's by now.
    """
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    fields = _fields_of(process)
    # One that ended and that its parent has not asked about yet still has its number.
    if fields and fields[_STATE] in _ENDED:
        return False
    known = birth_of(process) if birth else ""
    return known in ("", birth)


def birth_of(process: int) -> str:
    """When a process began, which no other of its number shares; empty where the system does not tell."""
    fields = _fields_of(process)
    machine = _start_of_the_machine()
    return f"{machine}/{fields[_STARTED]}" if fields and machine else ""


def left_of_session(leader: int, birth: str) -> tuple[int, ...]:
    """The processes that are left of the session which a process began, itself among them.

    Also where that has ended: its children outlive it. `birth`: what `birth_of` said of it. Where the system
    does not tell, the process alone.
    """
    machine = birth.partition("/")[0]
    if not machine:
        return (leader,) if is_alive(leader) else ()
    if machine != _start_of_the_machine() or birth_of(leader) not in ("", birth):
        return ()
    found = []
    for folder in Path("/proc").iterdir():
        fields = _fields_of(int(folder.name)) if folder.name.isdecimal() else []
        if fields and fields[_SESSION] == str(leader) and fields[_STATE] not in _ENDED:
            found.append(int(folder.name))
    return tuple(found)


def _start_of_the_machine() -> str:
    """What no other start of a machine shares: numbers of processes and their times begin anew with it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _fields_of(process: int) -> list[str]:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
