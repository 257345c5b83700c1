"""events.csv and playbook.csv: what is wrong is named with file, line and value."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipeline.catalogue import read_events, read_playbook, write_seeds
from pipeline.errors import SettingsError
from pipeline.workspace import WORKSPACES_FOLDER, Workspace

EVENTS = "event_name,category,feature,is_activity,is_core,activation_step\n"
PLAYBOOK = "action_id,title,applies_to,channel,cost,assumed_uplift,cooldown_days,owner_team,message\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Order Completed,commerce,,true,true,\n", "line 2: event_name is 'Order Completed'"),
        ("ordered,commerce,,yes,true,\n", "is_activity is 'yes'; give true or false"),
        ("ordered,commerce,,false,true,\n", "core but no activity"),
        ("ordered,commerce,,true,true,\nordered,commerce,,true,true,\n", "line 3: .* already in line 2"),
        ("ordered,commerce,,true,true\n", "number of fields"),
        ("ordered,commerce,,true,true,first\n", "activation_step is 'first'"),
        ("ordered,commerce,,true,true,63\n", "activation_step is '63'; give a whole number from 1 to 62"),
        (f"ordered,commerce,,true,true,{'7' * 5000}\n", "activation_step is '777"),
        ("ordered,commerce,,false,false,\n", "lists no activity"),
        ("", "has no rows"),
        ("".join(f"e{n},usage,f{n},true,true,\n" for n in range(63)), "63 features; at most 62"),
    ],
)
def test_bad_events_are_named(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS + lines, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_events(path)


def test_wrong_header_and_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    with pytest.raises(SettingsError, match="is missing"):
        read_events(path)
    path.write_text("event,category\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="give exactly event_name, category"):
        read_events(path)
    path.write_bytes(b"event_name\xff\n")
    with pytest.raises(SettingsError, match="save it as UTF-8"):
        read_events(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("call,Call,churn_band:huge,phone,1,0.1,7,sales,Hi\n", "churn_band:low"),
        ("call,Call,mood:bad,phone,1,0.1,7,sales,Hi\n", "churn_band:high"),
        ("call,Call,own:vips,phone,1,0.1,7,sales,Hi\n", r"no such segment; .* \(big_spenders\)"),
        ("call,Call,churn_band:high,phone,-1,0.1,7,sales,Hi\n", "cost is '-1'"),
        ("call,Call,churn_band:high,phone,1,1.5,7,sales,Hi\n", "assumed_uplift is '1.5'"),
        ("call,Call,churn_band:high,phone,1,nan,7,sales,Hi\n", "assumed_uplift is 'nan'"),
        ("call,Call,churn_band:high,phone,1,0.1,soon,sales,Hi\n", "cooldown_days is 'soon'"),
        (f"call,Call,churn_band:high,phone,1,0.1,{'7' * 5000},sales,Hi\n", "cooldown_days is '777"),
        ("call,Call,churn_band:high,phone,1,0.1,7,,Hi\n", "owner_team is empty"),
        ("../call,Call,churn_band:high,phone,1,0.1,7,sales,Hi\n", "action_id is '../call'"),
    ],
)
def test_a_bad_action_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "playbook.csv"
    path.write_text(PLAYBOOK + line, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_playbook(path, ["big_spenders"])


def test_an_action_can_apply_to_an_own_segment(tmp_path: Path) -> None:
    path = tmp_path / "playbook.csv"
    path.write_text(PLAYBOOK + "call,Call,own:big_spenders,phone,1,0.1,7,sales,Hi\n", encoding="utf-8")
    assert read_playbook(path, ["big_spenders"])[0]["applies_to"] == "own:big_spenders"


@pytest.mark.parametrize("name", ["demo", "online_retail", "complete_journey"])
def test_seeds_keep_the_order_of_the_playbook(tmp_path: Path, name: str) -> None:
    workspace = Workspace(folder=WORKSPACES_FOLDER / name, data=tmp_path)
    write_seeds(workspace, tmp_path / "seeds")
    with (tmp_path / "seeds" / "playbook.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["position"]) for row in rows] == list(range(1, len(rows) + 1))
    assert [row["action_id"] for row in rows] == [
        row["action_id"] for row in read_playbook(workspace.playbook_file)
    ]
