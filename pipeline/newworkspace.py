"""A new workspace, from one that is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.workspace import WORKSPACES_FOLDER, Workspace, check_path

FILES = ("review.toml", "events.csv", "playbook.csv")


def make_workspace(name_or_path: str, source: Workspace) -> Path:
    """Copy review.toml, events.csv, playbook.csv and own features into a new folder; its path.

    Raises UsageError where the folder is there already or the name is none.
    """
    is_name = "/" not in name_or_path and not name_or_path.startswith((".", "~"))
    if is_name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name_or_path):
        raise UsageError(
            f"{name_or_path!r} is no name for a workspace; give letters, digits, '-' and '_', or a path."
        )
    folder = WORKSPACES_FOLDER / name_or_path if is_name else Path(name_or_path).expanduser()
    check_path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not empty; give another name, or remove it.")
    try:
        (folder / "data" / "landing").mkdir(parents=True)
        for file in FILES:
            shutil.copyfile(source.folder / file, folder / file)
        if source.features_folder.is_dir():
            shutil.copytree(source.features_folder, folder / source.features_folder.name)
        (folder / ".gitignore").write_text("data/\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made: {error.strerror}. Give a path you may write to."
        ) from None
    return folder
