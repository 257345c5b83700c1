"""Errors for people: what, where, remedy. The command prints them in a line or two and never a traceback."""

from __future__ import annotations

from pathlib import Path

# Letters of a message.
LONGEST_MESSAGE = 1_200


class VitalsError(Exception):
    """A step could not be done; nothing was published. The message says what, where and the remedy."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        # What it quotes may be as long as somebody liked it: what and where stand first, the remedy last.
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE // 2]} … {message[-LONGEST_MESSAGE // 2 :]}"
        super().__init__(message)


class UsageError(VitalsError):
    """The command was called in a way that cannot be carried out."""

    exit_code = 2


class SettingsError(UsageError):
    """review.toml, events.csv or playbook.csv cannot be used as they are."""


class BrokenPromiseError(VitalsError):
    """A check of a border, or a test of the warehouse, failed with severity stop."""


class UnreadableError(VitalsError):
    """A file or folder of a workspace is not to be read by whoever asks."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} cannot be read: {error.strerror or error}. Give whoever asks the right to read it and "
            "the folders above it."
        )


class NotYetError(VitalsError):
    """What is waited for has not come yet. Nothing is wrong: the same command, called later, goes on."""

    exit_code = 75


class NothingToDoError(VitalsError):
    """There is nothing to do, and nothing was done."""

    exit_code = 99
