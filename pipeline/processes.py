"""Processes of this machine: whether the one that left something behind is still at work."""

from __future__ import annotations

import os
from pathlib import Path

# Fields of /proc/PID/stat, counted from the one behind the command's name, which may hold anything.
_STATE, _STARTED = 0, 19
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
    try:
        # Counted from the start of the machine: that of another day is another.
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{machine}/{fields[_STARTED]}" if fields else ""


def _fields_of(process: int) -> list[str]:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
