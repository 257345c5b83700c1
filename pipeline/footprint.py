"""What a step takes of the machine: seconds, bytes that the process read and wrote, the most memory it had.

The numbers are the kernel's own of this process (Linux: /proc/self). Where there are none, they are None.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

_OWN = Path("/proc/self")
# Written into clear_refs, this makes the kernel count the most memory anew, and does nothing else.
_FORGET_THE_PEAK = "5"


@dataclass(frozen=True)
class Measured:
    """One step. Bytes are those of read and write calls, whether the disk or its cache answered them."""

    seconds: float
    bytes_read: int | None
    bytes_written: int | None
    peak_memory_bytes: int | None

    def as_details(self) -> dict[str, float | int | None]:
        """By the names that the run log and ops.runs give them."""
        return asdict(self)


@dataclass
class Footprint:
    """Measures from the moment it is made. One at a time: the peak of memory is that of the process."""

    _started: float = field(init=False)
    _read: int | None = field(init=False)
    _written: int | None = field(init=False)

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self._read, self._written = _bytes_so_far()
        _forget_the_peak()

    def measured(self) -> Measured:
        """What it took until now."""
        read, written = _bytes_so_far()
        return Measured(
            seconds=round(time.monotonic() - self._started, 3),
            bytes_read=_difference(read, self._read),
            bytes_written=_difference(written, self._written),
            peak_memory_bytes=_peak_memory_bytes(),
        )


def _bytes_so_far() -> tuple[int | None, int | None]:
    counted = _numbers("io")
    return counted.get("rchar"), counted.get("wchar")


def _peak_memory_bytes() -> int | None:
    kilobytes = _numbers("status").get("VmHWM")
    return None if kilobytes is None else kilobytes * 1024


def _forget_the_peak() -> None:
    """Where the kernel does not let us, the peak is that of all steps of the process so far."""
    try:
        (_OWN / "clear_refs").write_text(_FORGET_THE_PEAK, encoding="ascii")
    except OSError:
        return


def _numbers(file: str) -> dict[str, int]:
    """The lines `name: number …` of a file of the kernel; none where there is no such file."""
    try:
        lines = (_OWN / file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier
