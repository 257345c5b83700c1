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
    account_weeks: pa.Table
    accounts: pa.Table


@pytest.fixture(scope="session")
def world() -> World:
    parameters = WorldParameters(customers=900, weeks=26, seed=7)
    slices = list(simulate_world(parameters))
    return World(
        parameters=parameters,
        slices=slices,
        events=pa.concat_tables([slice_.events for slice_ in slices]),
        account_weeks=pa.concat_tables([slice_.truth["account_weeks"] for slice_ in slices]),
        accounts=slices[0].truth["accounts"],
    )
