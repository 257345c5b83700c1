"""Small worlds, made once per test process."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pytest

from simulation.parameters import DeliveryNumbers, WorldParameters
from simulation.world import WorldSlice, simulate_world


@dataclass(frozen=True)
class World:
    parameters: WorldParameters
    slices: list[WorldSlice]
    events: pa.Table
    truth: dict[str, pa.Table]


@pytest.fixture(scope="session")
def world() -> World:
    # some more broken clocks than usual, so that a small world has one
    delivery = DeliveryNumbers(broken_clock_share=0.002)
    parameters = WorldParameters(customers=1_200, weeks=30, seed=7, delivery=delivery)
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
