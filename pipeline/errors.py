"""Errors for people: what, where, remedy. The command prints them in a line or two and never a traceback."""

from __future__ import annotations


class VitalsError(Exception):
    """A step could not be done; nothing was published. The message says what, where and the remedy."""

    exit_code = 1


class UsageError(VitalsError):
    """The command was called in a way that cannot be carried out."""

    exit_code = 2


class SettingsError(UsageError):
    """review.toml, events.csv or playbook.csv cannot be used as they are."""


class BrokenPromiseError(VitalsError):
    """A check of a border, or a test of the warehouse, failed with severity stop."""


class NotYetError(VitalsError):
    """What is waited for has not come yet. Nothing is wrong: the same command, called later, goes on."""

    exit_code = 75


class NothingToDoError(VitalsError):
    """There is nothing to do, and nothing was done."""

    exit_code = 99
