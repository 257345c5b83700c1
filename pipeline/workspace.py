"""A workspace: the folder that holds everything that differs between two businesses."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.errors import SettingsError, UnreadableError, UsageError
from pipeline.runlog import RUN_LOG_NAME
from pipeline.settings import REVIEW_FILE, Settings, read_settings

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
WORKSPACES_FOLDER = PROJECT_FOLDER / "workspaces"
DATA_FOLDER_VARIABLE = "VITALS_DATA_DIR"


@dataclass(frozen=True)
class Workspace:
    """Where the files of one business lie. Nothing is created before something is written."""

    folder: Path
    data: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def landing(self) -> Path:
        return self.data / "landing"

    @property
    def build(self) -> Path:
        return self.data / "build"

    @property
    def build_database(self) -> Path:
        return self.build / "build.duckdb"

    @property
    def spill_folder(self) -> Path:
        """Where the engine puts what does not fit into memory. Raises SettingsError as `settings` does."""
        given = self.settings.warehouse.spill_folder
        try:
            return self.data / Path(given).expanduser()
        except RuntimeError:
            raise SettingsError(
                f"{self.folder / REVIEW_FILE}: warehouse.spill_folder is {given[:100]!r}, and this machine "
                "knows no home of that user. Give the folder itself."
            ) from None

    @property
    def run_log(self) -> Path:
        return self.build / RUN_LOG_NAME

    @property
    def models(self) -> Path:
        return self.build / "models"

    @property
    def history(self) -> Path:
        return self.data / "history"

    @property
    def truth(self) -> Path:
        return self.data / "truth"

    @property
    def releases(self) -> Path:
        return self.data / "serving" / "releases"

    @property
    def current_release(self) -> Path:
        return self.data / "serving" / "current"

    @property
    def published_database(self) -> Path:
        return self.current_release / "warehouse.duckdb"

    @property
    def events_file(self) -> Path:
        return self.folder / "events.csv"

    @property
    def playbook_file(self) -> Path:
        return self.folder / "playbook.csv"

    @property
    def features_folder(self) -> Path:
        """Feature columns of the workspace's own; most workspaces have none."""
        return self.folder / "features"

    @cached_property
    def settings(self) -> Settings:
        """Raises SettingsError where review.toml cannot be used."""
        return read_settings(self.folder)


def find_workspace(name_or_path: str) -> Workspace:
    """The workspace of a name (below workspaces/) or of a path.

    `VITALS_DATA_DIR` moves the data of the workspace; by default it lies in the workspace's `data/`.
    Raises UsageError where there is no such folder, UnreadableError where whoever asks may not look into it.
    """
    is_name = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name_or_path) is not None
    folder = WORKSPACES_FOLDER / name_or_path if is_name else _expanded(name_or_path)
    folder = folder.resolve()
    if not is_there(folder / REVIEW_FILE):
        known = ", ".join(sorted(path.parent.name for path in WORKSPACES_FOLDER.glob(f"*/{REVIEW_FILE}")))
        raise UsageError(
            f"there is no workspace {name_or_path!r} ({folder} has no {REVIEW_FILE}). Known here: {known}. "
            "`vitals init NAME --from demo` makes a new one."
        )
    moved_to = os.environ.get(DATA_FOLDER_VARIABLE)
    data = _expanded(moved_to).resolve() if moved_to else folder / "data"
    check_path(data)
    return Workspace(folder=folder, data=data)


def is_there(path: Path) -> bool:
    """Whether there is a file, a folder or a link. Raises UnreadableError where whoever asks may not look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnreadableError(path, error) from None
    return True


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"the path {path!r} begins with a user whose home this machine does not know; give the folder."
        ) from None


def check_path(path: Path) -> None:
    """Raises UsageError for a path that dbt cannot take: it writes paths into its SQL as they are."""
    wrong = sorted(
        {character for character in str(path) if character in "'\"" or not character.isprintable()}
    )
    if wrong:
        raise UsageError(f"the path {str(path)!r} has the character {wrong[0]!r}; choose a path without it.")
