"""events.csv and playbook.csv of a workspace: validated, and handed to dbt as seeds."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.settings import REVIEW_FILE
from pipeline.workspace import Workspace

EVENT_FIELDS = ("event_name", "category", "feature", "is_activity", "is_core", "activation_step")
PLAYBOOK_FIELDS = (
    "action_id",
    "title",
    "applies_to",
    "channel",
    "cost",
    "assumed_uplift",
    "cooldown_days",
    "owner_team",
    "message",
)
# A day's features are bits of one 64-bit whole number, and so are its activation steps.
FEATURES_AT_MOST = 62
ACTIVATION_STEPS_AT_MOST = 62
ROWS_AT_MOST = 10_000
SEGMENTS = {
    "churn_band": ("low", "medium", "high"),
    "health_band": ("high_touch", "automated", "advocacy"),
    "lifecycle_stage": (
        "churned",
        "dormant",
        "onboarding",
        "at_risk",
        "adopting",
        "power_user",
        "established",
    ),
    "engagement_level": (
        "disengaged",
        "highly_engaged",
        "moderately_engaged",
        "lightly_engaged",
        "barely_engaged",
    ),
    "rfm_segment": (
        "champions",
        "loyal",
        "potential_loyalists",
        "new_customers",
        "cant_lose_them",
        "at_risk",
        "hibernating",
        "lost",
        "need_attention",
        "lapsed",
        "no_orders",
    ),
}
# The event that ends a subscription.
CANCELLATION = "subscription_cancelled"
# The scheme of the workspace's own segments.
OWN_SCHEME = "own"
# Digits of a whole number, leading zeros among them.
LONGEST_NUMBER = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_events(path: Path) -> list[dict[str, str]]:
    """The event taxonomy: one row per event name. Raises SettingsError naming file, line and value."""
    rows = _read(path, EVENT_FIELDS)
    seen: dict[str, int] = {}
    features = set()
    for line, row in rows:
        fail = _failure(path, line)
        name = row["event_name"]
        if not _NAME.fullmatch(name):
            raise fail(f"event_name is {name!r}; give it in snake_case, such as order_completed")
        if name in seen:
            raise fail(f"event_name {name} stands already in line {seen[name]}; list it once")
        seen[name] = line
        if not _NAME.fullmatch(row["category"]):
            raise fail(f"category is {row['category']!r}; give one word in snake_case, such as usage")
        for field in ("is_activity", "is_core"):
            row[field] = row[field].lower()
            if row[field] not in ("true", "false"):
                raise fail(f"{field} is {row[field]!r}; give true or false")
        if row["is_core"] == "true" and row["is_activity"] == "false":
            raise fail(f"{name} is core but no activity; a core event is something the customer did")
        if row["feature"] and not _NAME.fullmatch(row["feature"]):
            raise fail(f"feature is {row['feature']!r}; give one word in snake_case, or nothing")
        features.add(row["feature"])
        step = row["activation_step"]
        if step and not _is_whole_number(step, 1, ACTIVATION_STEPS_AT_MOST):
            raise fail(
                f"activation_step is {step!r}; "
                f"give a whole number from 1 to {ACTIVATION_STEPS_AT_MOST}, or nothing"
            )
    if len(features - {""}) > FEATURES_AT_MOST:
        raise SettingsError(
            f"{path} names {len(features - {''})} features; at most {FEATURES_AT_MOST} are told apart. "
            "Group some under one name."
        )
    if not any(row["is_activity"] == "true" for _, row in rows):
        raise SettingsError(f"{path} lists no activity: set is_activity to true for what customers do.")
    return [row for _, row in rows]


def read_events_of(workspace: Workspace) -> list[dict[str, str]]:
    """The event taxonomy of a workspace, with which its churn can be observed. Raises SettingsError."""
    events = read_events(workspace.events_file)
    definition = workspace.settings.churn.definition
    if definition == "cancellation":
        is_observed = any(row["event_name"] == CANCELLATION for row in events)
        missing, remedy = f"does not list {CANCELLATION}", "List it"
    else:
        is_observed = any(row["is_core"] == "true" for row in events)
        missing, remedy = "lists no core event", "Set is_core to true for what customers live on"
    if not is_observed:
        raise SettingsError(
            f"{workspace.folder / REVIEW_FILE}: churn.definition is {definition!r}, and "
            f"{workspace.events_file} {missing}, so nobody's churn could be told. {remedy}, or choose the "
            "other definition."
        )
    return events


def read_playbook(path: Path, own_segments: Collection[str] = ()) -> list[dict[str, str]]:
    """The actions, in the order in which they are preferred. Raises SettingsError.

    `own_segments`: the names of the workspace's own segments, which `own:NAME` applies to.
    """
    rows = _read(path, PLAYBOOK_FIELDS)
    seen: dict[str, int] = {}
    for line, row in rows:
        fail = _failure(path, line)
        action = row["action_id"]
        if not _NAME.fullmatch(action):
            raise fail(f"action_id is {action!r}; give one word in snake_case, such as win_back")
        if action in seen:
            raise fail(f"action_id {action} stands already in line {seen[action]}; list it once")
        seen[action] = line
        for field in ("title", "channel", "owner_team"):
            if not row[field]:
                raise fail(f"{field} is empty; give a text")
        scheme, colon, segment = row["applies_to"].partition(":")
        if scheme == "cluster_name" and segment:
            pass
        elif scheme == OWN_SCHEME:
            if segment not in own_segments:
                known = ", ".join(own_segments) or "none"
                raise fail(
                    f"applies_to is {row['applies_to']!r}, and review.toml has no such segment; give one of "
                    f"its [[segments]] ({known}), or add it there"
                )
        elif not colon or scheme not in SEGMENTS or segment not in SEGMENTS[scheme]:
            example = f"{scheme}:{SEGMENTS[scheme][0]}" if scheme in SEGMENTS else "churn_band:high"
            raise fail(
                f"applies_to is {row['applies_to']!r}; give SCHEME:SEGMENT with a scheme of "
                f"{', '.join(SEGMENTS)}, cluster_name or {OWN_SCHEME}, such as {example}"
            )
        _number(row, "cost", fail, 0, 1e9)
        _number(row, "assumed_uplift", fail, 0, 1)
        if not _is_whole_number(row["cooldown_days"], 0, 3650):
            raise fail(f"cooldown_days is {row['cooldown_days']!r}; give whole days, such as 28")
    return [row for _, row in rows]


def read_workspace_playbook(workspace: Workspace) -> list[dict[str, str]]:
    """The actions of a workspace, which may apply to its own segments. Raises SettingsError."""
    return read_playbook(workspace.playbook_file, [segment.name for segment in workspace.settings.segments])


def write_seeds(workspace: Workspace, folder: Path) -> None:
    """Write the validated catalogues where dbt reads them as seeds."""
    events = read_events(workspace.events_file)
    playbook = read_workspace_playbook(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "events.csv", EVENT_FIELDS, events)
    numbered = [{"position": str(number), **row} for number, row in enumerate(playbook, start=1)]
    _write(folder / "playbook.csv", ("position", *PLAYBOOK_FIELDS), numbered)


def _read(path: Path, fields: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != fields:
                raise SettingsError(
                    f"{path} has the columns {', '.join(reader.fieldnames or ()) or '(none)'}; "
                    f"give exactly {', '.join(fields)}."
                )
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise SettingsError(
                        f"{path}, line {reader.line_num}: the number of fields differs from the header's "
                        f"{len(fields)}; put texts with commas in double quotes."
                    )
                if len(rows) == ROWS_AT_MOST:
                    raise SettingsError(f"{path} has more than {ROWS_AT_MOST} lines; that is no catalogue.")
                rows.append((reader.line_num, {key: value.strip() for key, value in row.items()}))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is missing; `vitals init NAME --from demo` shows how it looks."
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is no UTF-8 text; save it as UTF-8 (in Excel: CSV UTF-8).") from None
    except (OSError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read as CSV: {error}.") from None
    if not rows:
        raise SettingsError(f"{path} has no rows; list at least one.")
    return rows


def _failure(path: Path, line: int) -> Callable[[str], SettingsError]:
    return lambda message: SettingsError(f"{path}, line {line}: {message}.")


def _is_whole_number(text: str, least: int, most: int) -> bool:
    # Python refuses to read a number of thousands of digits.
    return text.isdecimal() and len(text) <= LONGEST_NUMBER and least <= int(text) <= most


def _number(
    row: dict[str, str], field: str, fail: Callable[[str], SettingsError], least: float, most: float
) -> None:
    try:
        inside = least <= float(row[field]) <= most
    except ValueError:
        inside = False
    if not inside:
        raise fail(f"{field} is {row[field]!r}; give a number from {least:g} to {most:g}")


def _write(path: Path, fields: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
