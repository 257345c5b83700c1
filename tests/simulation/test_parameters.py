from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from simulation.parameters import (
    ARCHETYPES,
    ArchetypeNumbers,
    ArrivalNumbers,
    UsageNumbers,
    WorldParameters,
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"customers": 0}, "customers has to be 1 or more, not 0"),
        ({"weeks": -3}, "weeks has to be 1 or more, not -3"),
        ({"seed": -1}, "seed has to be 0 or more"),
        ({"first_week": date(2024, 7, 2)}, "has to be a Monday; 2024-07-02 is a Tuesday"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone has to be a zone of the IANA database"),
        ({"time_zone": "/Berlin"}, "time_zone has to be a zone of the IANA database"),
    ],
)
def test_a_wrong_value_is_refused_in_words(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WorldParameters(**({"customers": 1, "weeks": 1, "seed": 1} | given))


def test_planted_tables_cover_every_archetype() -> None:
    transitions = np.array(ArchetypeNumbers().transitions)
    subscribed = len(ARCHETYPES) - 1
    assert transitions.shape == (subscribed, subscribed)
    assert (transitions.sum(axis=1) < 1).all()
    assert np.isclose(sum(ArrivalNumbers().archetypes_at_start), 1)
    assert len(UsageNumbers().daily_probability) == len(ARCHETYPES)
    assert len(UsageNumbers().events_per_session) == len(ARCHETYPES)
