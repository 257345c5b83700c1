"""Hostile input is answered with a sentence, in bounded time and memory, and the good lines load.

A process of its own reads the files, so that one that kills it is found, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace import PROJECT_FOLDER
from tests.hostile.hostile_files import KINDS

PEAK_BYTES_AT_MOST = 2_500_000_000
FILES = 10_000


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param(0, 12, id="some"),
        *(
            pytest.param(first, first + 125, id=f"from {first}", marks=pytest.mark.slow)
            for first in range(100, 100 + -(-FILES // len(KINDS)), 125)
        ),
    ],
)
def test_hostile_files_get_a_sentence_and_good_lines_load(tmp_path: Path, first: int, last: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.feed_hostile_files", str(tmp_path), str(first), str(last)],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        timeout=1_200,
    )
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("wrong")]
    assert not wrong, "\n".join(wrong[:20])
    assert done.returncode == 0, f"died at {lines[-1:]} with {done.returncode}: {done.stderr[-2000:]}"
    assert sum(line.startswith("case") for line in lines) == (last - first) * len(KINDS)
    assert int(lines[-1].removeprefix("peak ")) < PEAK_BYTES_AT_MOST
