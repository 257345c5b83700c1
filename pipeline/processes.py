"""Processes of this machine: whether the one that left something behind is still at work."""

from __future__ import annotations

import os


def is_alive(process: int) -> bool:
    """Whether there is a process of that number, whoever it belongs to."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
