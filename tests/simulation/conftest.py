"""Small worlds, made once per test process."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pytest

from simulation.parameters import WorldParameters
from simulation.world import WorldSlice, simulate_world


@dataclass(frozen=True)
class World:
    parameters: WorldParameters
    slices: list[WorldSlice]
    events: pa.Table
    truth: dict[str, pa.Table]


@pytest.fixture(scope="session")
def world() -> World:
    parameters = WorldParameters(customers=1_200, weeks=30, seed=7)
    slices = list(simulate_world(parameters))
    names = list(slices[0].truth)
    return World(
        parameters=parameters,
        slices=slices,
        events=pa.concat_tables([slice_.events() for slice_ in slices]),
        truth={
            name: pa.concat_tables([slice_.truth[name] for slice_ in slices if name in slice_.truth])
            for name in names
        },
    )
