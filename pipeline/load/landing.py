"""Which files of landing are to be loaded: found, matched to a source, held against the ledger.

File names are relative to landing, with `/`; their order is the order in which files are loaded.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pipeline.errors import UsageError, VitalsError
from pipeline.settings import Source
from pipeline.warehouse import Warehouse

UNFINISHED_SUFFIXES = (".tmp", ".part")
FORMAT_OF_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
NAMES_IN_A_NOTICE = 5


@dataclass(frozen=True)
class LandingFile:
    """One file of landing and the source that it belongs to. `modified_at` is UTC without a zone."""

    path: Path
    name: str
    bytes: int
    modified_at: datetime
    source: Source
    format: str


@dataclass(frozen=True)
class Landing:
    """The files that sources claim, in the order of their names, and what is to be said of which others."""

    files: tuple[LandingFile, ...]
    said: dict[str, list[str]]


def find_files(folder: Path, sources: tuple[Source, ...]) -> Landing:
    """The files of landing, but for hidden and unfinished ones (`.tmp`, `.part`); none where it is missing.

    Raises UsageError where two sources claim a file or its format cannot be told, VitalsError where a link
    leads outside landing or something cannot be read.
    """
    files, unclaimed, irregular = [], [], []
    for path in _paths_below(folder):
        name = path.relative_to(folder).as_posix()
        status = _status(path, name, folder)
        if not stat.S_ISREG(status.st_mode):
            irregular.append(name)
            continue
        claiming = [source for source in sources if any(_matches(name, glob) for glob in source.patterns)]
        if not claiming:
            unclaimed.append(name)
            continue
        if len(claiming) > 1:
            raise UsageError(
                f"{name} in landing is claimed by two sources, {claiming[0].name} and {claiming[1].name}: "
                "narrow the patterns of one of them in review.toml."
            )
        files.append(
            LandingFile(
                path=path,
                name=name,
                bytes=status.st_size,
                modified_at=_modified_at(status),
                source=claiming[0],
                format=_format(name, claiming[0]),
            )
        )
    said = {
        "not loaded, for no source in review.toml has a pattern for it": unclaimed,
        "not loaded, for it is no regular file": irregular,
    }
    return Landing(tuple(files), {text: names for text, names in said.items() if names})


def notices(said: dict[str, list[str]]) -> tuple[str, ...]:
    """What is said of files, in a line each: `empty: a.csv, b.csv and 3 more`."""
    lines = []
    for text, names in said.items():
        more = len(names) - NAMES_IN_A_NOTICE
        tail = f" and {more:,} more" if more > 0 else ""
        lines.append(f"{text}: {', '.join(names[:NAMES_IN_A_NOTICE])}{tail}")
    return tuple(lines)


def files_to_load(warehouse: Warehouse, files: tuple[LandingFile, ...]) -> tuple[LandingFile, ...]:
    """The files that the ledger does not have yet.

    Size and time are compared; only where they differ, the content is. Raises VitalsError where a file was
    loaded and then changed.
    """
    ledger = {
        name: (digest, size, modified_at, loaded_at)
        for name, digest, size, modified_at, loaded_at in warehouse.rows(
            "select file_name, sha256, bytes, modified_at, loaded_at from raw.loads"
        )
    }
    new, touched = [], []
    for file in files:
        if file.name not in ledger:
            new.append(file)
            continue
        digest, size, modified_at, loaded_at = ledger[file.name]
        if (size, modified_at) == (file.bytes, file.modified_at):
            continue
        if size != file.bytes or digest != _digest(file):
            raise VitalsError(
                f"{file.name} in landing changed after it was loaded (on {loaded_at:%Y-%m-%d %H:%M} UTC with "
                f"{size:,} bytes; now {file.bytes:,}): give the new content a name of its own and put "
                f"the old file back, or move {warehouse.path} away and run `vitals run`: it loads all anew."
            )
        touched.append(file)
    for file in touched:
        warehouse.run(
            "update raw.loads set modified_at = ? where file_name = ?", [file.modified_at, file.name]
        )
    return tuple(new)


def check_unchanged(file: LandingFile) -> None:
    """Raises VitalsError where a file is no longer what it was when landing was looked through."""
    status = file.path.stat()
    if (status.st_size, _modified_at(status)) != (file.bytes, file.modified_at):
        raise VitalsError(
            f"{file.name} in landing changed while it was read; nothing of it was loaded. Write files under "
            "names that end in .part, rename them when they are finished, and run the command again."
        )


def _paths_below(folder: Path) -> list[Path]:
    if not folder.exists():
        return []

    def complain(error: OSError) -> None:
        raise VitalsError(
            f"landing cannot be looked through: {error.strerror}: {error.filename}. It has to be a folder "
            "that whoever runs `vitals` may read."
        )

    paths = []
    for parent, subfolders, names in os.walk(folder, onerror=complain):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in subfolders:
            # Links to folders are not followed; one that leads out is said, not skipped in silence.
            _check_inside(Path(parent, name), folder)
        paths += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and not name.endswith(UNFINISHED_SUFFIXES)
        ]
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def _status(path: Path, name: str, folder: Path) -> os.stat_result:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise VitalsError(f"the file name {name!r} in landing is not valid UTF-8: rename the file.") from None
    _check_inside(path, folder)
    try:
        return path.stat()
    except OSError as error:
        raise VitalsError(f"{name} in landing cannot be read: {error.strerror}.") from None


def _check_inside(path: Path, folder: Path) -> None:
    if not path.is_symlink():
        return
    name = path.relative_to(folder).as_posix()
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise VitalsError(f"{name} in landing is a link to nothing: remove it.") from None
    if not target.is_relative_to(folder.resolve()):
        raise VitalsError(
            f"{name} in landing is a link that leads outside landing: put the file itself there instead."
        )


def _matches(name: str, pattern: str) -> bool:
    """Whether a relative name fits a pattern, part by part as in a shell; `**` stands for any folders."""
    return _parts_match(PurePosixPath(name).parts, PurePosixPath(pattern).parts)


def _parts_match(names: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(_parts_match(names[skipped:], patterns[1:]) for skipped in range(len(names) + 1))
    if not names or not fnmatch.fnmatchcase(names[0], patterns[0]):
        return False
    return _parts_match(names[1:], patterns[1:])


def _format(name: str, source: Source) -> str:
    if source.format != "auto":
        return source.format
    suffix = PurePosixPath(name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMAT_OF_SUFFIX:
        raise UsageError(
            f"the format of {name} in landing cannot be told from its name: give source {source.name} a "
            "format (jsonl, csv, parquet or xlsx) in review.toml."
        )
    return FORMAT_OF_SUFFIX[suffix]


def _digest(file: LandingFile) -> str:
    try:
        with file.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise VitalsError(f"{file.name} in landing cannot be read: {error.strerror}.") from None


def _modified_at(status: os.stat_result) -> datetime:
    # Whole microseconds, as the ledger keeps them; by integers, because floats would round.
    seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.replace(microsecond=nanoseconds // 1000)
