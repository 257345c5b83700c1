"""review.toml: what is wrong is named with file, key, value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import read_settings
from pipeline.workspace import WORKSPACES_FOLDER


def _changed(tmp_path: Path, old: str, new: str, workspace: str = "demo") -> Path:
    text = (WORKSPACES_FOLDER / workspace / "review.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "review.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("workspace", ["demo", "online_retail", "complete_journey"])
def test_shipped_workspaces_are_valid_and_frozen(workspace: str) -> None:
    settings = read_settings(WORKSPACES_FOLDER / workspace)
    assert sum(component.weight for component in settings.health.components) == 100
    with pytest.raises(ValueError, match="frozen"):
        settings.customer = "user"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            'customer = "account"',
            'customer = "household"',
            ("customer", "'household'", "'user' or 'account'"),
        ),
        ('time_zone = "Europe/Berlin"', 'time_zone = "Berlin"', ("time_zone", "'Berlin'", "IANA")),
        ('currency = "EUR"', 'currency = "euro"', ("currency", "'euro'")),
        ("timeout_minutes = 30", "timeout_minutes = 0", ("sessions.timeout_minutes", "0", "greater than 0")),
        ("timeout_minutes = 30", 'timeout_minutes = "30"', ("sessions.timeout_minutes", "'30'", "integer")),
        ("weight = 30", "weight = 31", ("health", "101", "sum to 100")),
        ("[loading]", "[loadings]", ("loading", "missing")),
        ("lateness_limit_days = 14", "lateness_days = 14", ("loading.lateness_limit_days", "missing")),
        ("holdout_share = 0.1", "holdout_share = 1.1", ("interventions.holdout_share", "1.1")),
        (
            "dormant_after_quiet_days = 28",
            "dormant_after_quiet_days = 90",
            ("stages", "dormant_after_quiet_days lies below"),
        ),
        ("[0.02, 15]", "[0.02, 45]", ("churn", "must not fall")),
        (
            'patterns = ["*.jsonl", "*.jsonl.gz"]',
            'patterns = ["../*.jsonl"]',
            ("patterns", "below the landing"),
        ),
        ('event_id = "messageId"', 'event_ids = "messageId"', ("event_ids is no column", "event_id")),
        ('occurred_at = "timestamp"', "", ("occurred_at has to be mapped",)),
        ('event_id = "messageId"', "", ("event_id", "id_columns")),
        ('title = "Demo', 'titel = "x"\ntitle = "Demo', ("titel", "no such key")),
        ("seed = 7", "seed = 7\n[", ("cannot be read as TOML",)),
        ("seed = 7", f"seed = {'7' * 5000}", ("a number of thousands of digits",)),
        ("seed = 7", f"seed = 0x{'7' * 5000}", ("training.seed", "a number of thousands of digits")),
        ("seed = 7", "seed = 5000000000", ("training.seed", "5000000000", "4294967295")),
        ('time_zone = "Europe/Berlin"', 'time_zone = "Factory"', ("time_zone", "'Factory'", "IANA")),
        ('time_zone = "Europe/Berlin"', 'time_zone = "localtime"', ("time_zone", "'localtime'", "IANA")),
        (
            "churned_after_quiet_days = 90",
            "churned_after_quiet_days = 1000000000000",
            ("stages.churned_after_quiet_days", "36500"),
        ),
        (
            "capacity_per_owner_team = 200",
            "capacity_per_owner_team = 1000000000000000000000",
            ("interventions.capacity_per_owner_team", "1000000000"),
        ),
        (
            "memory_limit_gigabytes = 1.2",
            "memory_limit_gigabytes = inf",
            ("warehouse.memory_limit_gigabytes", "inf", "finite"),
        ),
        (
            "memory_limit_gigabytes = 1.2",
            "memory_limit_gigabytes = 1.2\nspill_gigabytes_at_most = 1e300",
            ("warehouse.spill_gigabytes_at_most", "1e+300", "1000000"),
        ),
        (
            'spill_folder = "build/spill"',
            'spill_folder = "a\\u0000b"',
            ("warehouse.spill_folder", "pattern"),
        ),
        ("anchors = [[0, ", "anchors = [[-inf, 0], [0, ", ("health.components", "-inf", "finite")),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, old: str, new: str, named: tuple[str, ...]) -> None:
    folder = _changed(tmp_path, old, new)
    with pytest.raises(SettingsError) as caught:
        read_settings(folder)
    message = str(caught.value)
    assert str(folder / "review.toml") in message
    for part in named:
        assert part in message
    assert "\n" not in message


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="vitals init"):
        read_settings(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "review.toml").write_bytes(b"\xff\xfe\x00title")
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        read_settings(tmp_path)


def test_a_mark_of_the_byte_order_is_no_setting(tmp_path: Path) -> None:
    """As some editors write it, and as events.csv may have it."""
    text = (WORKSPACES_FOLDER / "demo" / "review.toml").read_bytes()
    (tmp_path / "review.toml").write_bytes(b"\xef\xbb\xbf" + text)
    assert read_settings(tmp_path) == read_settings(WORKSPACES_FOLDER / "demo")


def test_hashes_follow_what_they_decide(tmp_path: Path) -> None:
    plain = read_settings(WORKSPACES_FOLDER / "demo")
    later = read_settings(_changed(tmp_path, "lateness_limit_days = 14", "lateness_limit_days = 7"))
    assert later.load_hash() != plain.load_hash()
    assert later.build_hash() == plain.build_hash()
    shorter = read_settings(_changed(tmp_path, "timeout_minutes = 30", "timeout_minutes = 20"))
    assert shorter.load_hash() == plain.load_hash()
    assert shorter.build_hash() != plain.build_hash()
    named = read_settings(_changed(tmp_path, 'title = "Demo', 'title = "Another demo'))
    assert (named.load_hash(), named.build_hash()) == (plain.load_hash(), plain.build_hash())
    assert len({each.publication_hash() for each in (plain, later, shorter, named)}) == 4
    larger = read_settings(_changed(tmp_path, "threads = 2", "threads = 4"))
    assert larger.publication_hash() == plain.publication_hash()


def test_a_file_that_may_not_be_read_names_the_right_that_lacks(tmp_path: Path) -> None:
    # A folder in its place is refused by the system in the same way, also to root.
    (tmp_path / "review.toml").mkdir()
    with pytest.raises(SettingsError, match=r"cannot be read: Is a directory\. Give whoever asks the right"):
        read_settings(tmp_path)
