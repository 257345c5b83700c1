"""With what a run was made: versions of this project and of the libraries that decide, and the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata

from pipeline.workspace import PROJECT_FOLDER

# An image without the repository is told its commit here.
COMMIT_VARIABLE = "VITALS_COMMIT"
DECIDING_PACKAGES = (
    "vitals",
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "great-expectations",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
)


@cache
def versions() -> dict[str, str]:
    """Versions by package; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in DECIDING_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str | None:
    """The commit of the project, `-dirty` behind it where files differ; None where nobody knows."""
    given = os.environ.get(COMMIT_VARIABLE)
    if given:
        return given
    # Without this, the answer might be about a repository that the project only happens to lie in.
    if not (PROJECT_FOLDER / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=PROJECT_FOLDER,
            # A question must not write into the index beside whoever works in the repository.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
