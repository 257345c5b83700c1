"""The pictures of the demo's world are drawn from any world, and equal worlds give equal pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bench.page_figures import MEASURED_BLOCK, PLANTED_ROW, measured_figures, with_measured, with_planted
from bench.pictures import (
    PAGE,
    PICTURES,
    PICTURES_FOLDER,
    SMALLEST_CUSTOMERS,
    SMALLEST_WEEKS,
    draw_all,
    effects_on_leaving,
    main,
    path_to_the_end,
)
from bench.world_in_memory import World, live_through
from simulation.parameters import HazardNumbers, WorldParameters

LARGEST_BYTES = 120_000
PARAMETERS = WorldParameters(customers=400, weeks=20, seed=5)


@pytest.fixture(scope="module")
def world() -> World:
    return live_through(PARAMETERS)


def test_every_picture_is_drawn_and_drawn_again(world: World, tmp_path: Path) -> None:
    first = draw_all(world, tmp_path / "first")
    second = draw_all(live_through(PARAMETERS), tmp_path / "second")
    assert [path.name for path in first] == list(PICTURES)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size < LARGEST_BYTES
        # S314 warns of XML from strangers; this file was written by this test a moment ago.
        assert ElementTree.parse(one).getroot().tag.endswith("svg")  # noqa: S314


def test_another_world_is_another_picture(world: World, tmp_path: Path) -> None:
    first = draw_all(world, tmp_path / "first")
    second = draw_all(live_through(replace(PARAMETERS, seed=6)), tmp_path / "second")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() != other.read_bytes()


def test_the_smallest_world_is_drawn_and_a_smaller_one_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smallest = live_through(WorldParameters(customers=SMALLEST_CUSTOMERS, weeks=SMALLEST_WEEKS, seed=1))
    assert len(draw_all(smallest, tmp_path)) == len(PICTURES)
    assert not [text for _, text in measured_figures(smallest) if not text or "nan" in text]
    with pytest.raises(SystemExit):
        main(["--customers", "3"])
    assert "give at least 100 customers and 8 weeks" in capsys.readouterr().err


def test_the_page_shows_every_picture_and_no_other() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(PICTURES)
    assert sorted(path.name for path in PICTURES_FOLDER.glob("demo-*")) == sorted(PICTURES)
    for name in PICTURES:
        assert (PICTURES_FOLDER / name).stat().st_size < LARGEST_BYTES


def test_the_planted_numbers_of_the_page_are_those_of_the_parameters() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(PLANTED_ROW.findall(page)) > 60
    assert len(PLANTED_ROW.findall(page)) == len(
        re.findall(r"^\|.*`[a-z]+\.[a-z_0-9]+` \|$", page, re.MULTILINE)
    )
    assert with_planted(page, PARAMETERS) == page, "run `make pictures`"


def test_planted_numbers_are_written_as_they_stand_in_the_parameters() -> None:
    rows = (
        "| odds | ? | `activation.invite_odds` |\n"
        "| both |  | `message.fatigue_effect`, `delivery.late_shares` |\n"
    )
    parameters = replace(PARAMETERS, activation=replace(PARAMETERS.activation, invite_odds=0.00004))
    assert with_planted(rows, parameters) == (
        "| odds | 0.00004 | `activation.invite_odds` |\n"
        "| both | −0.3; 0.74, 0.23, 0.03 | `message.fatigue_effect`, `delivery.late_shares` |\n"
    )
    with pytest.raises(AttributeError, match="no_such_number"):
        with_planted("| odds | 1 | `activation.no_such_number` |\n", PARAMETERS)


def test_measured_figures_go_between_their_marks() -> None:
    page = PAGE.read_text(encoding="utf-8")
    new = with_measured(page, [("lines", "12")], PARAMETERS)
    assert (
        "| Simulated: 400 accounts × 20 weeks, seed 5 | measured |\n| --- | --- |\n| lines | 12 |\n<!--"
        in new
    )
    assert MEASURED_BLOCK.sub("", new) == MEASURED_BLOCK.sub("", page)
    with pytest.raises(ValueError, match="no place for measured figures"):
        with_measured("nothing", [], PARAMETERS)


def test_measured_figures_are_of_their_world(world: World) -> None:
    figures = dict(measured_figures(world))
    assert figures["lines that the collector wrote"] == f"{world.deliveries['lines'].sum():,}"
    arrived = int(world.is_new.sum())
    assert figures["accounts that sign up in the world"] == f"{arrived} of 400"
    chance, leaves = world.outcomes()
    assert figures["subscriptions that end within four weeks"].endswith(
        f"{len(chance):,} weeks of subscriptions"
    )
    assert chance.mean() == pytest.approx(leaves.mean(), abs=0.02)


def test_outcomes_by_hand() -> None:
    """Two accounts, six weeks: the second leaves in the fourth; of the last four nothing is known yet."""
    weeks = 6
    known = np.full((2, weeks), 0.1)
    known[1, 3:] = np.nan
    cancelled = np.zeros((2, weeks), dtype=bool)
    cancelled[1, 3:] = True
    nothing = pd.DataFrame()
    small = World(
        parameters=PARAMETERS,
        archetype=np.zeros((2, weeks), dtype=np.int8),
        probability=known,
        is_cancelled=cancelled,
        is_active=~cancelled,
        accounts=pd.DataFrame({"is_test": [False, False], "is_known_at_start": [True, False]}),
        sessions=nothing,
        carts=nothing,
        messages=nothing,
        tickets=nothing,
        upgrades=nothing,
        anomalies=nothing,
        bots=nothing,
        deliveries=nothing,
    )
    chance, leaves = small.outcomes()
    assert chance.tolist() == [0.1] * 4
    assert leaves.tolist() == [False, False, True, True]
    assert small.is_new.tolist() == [False, True]
    assert small.is_active_28d[1].tolist() == [True] * 6  # three silent weeks are still within 28 days
    assert len(path_to_the_end(small)[1]) == 0  # nobody was there for twenty weeks


def test_effects_are_factors_on_the_odds() -> None:
    effects = dict(effects_on_leaving(HazardNumbers(usage_fall=2.0, starter_plan=0.0, quiet_week=0.5)))
    assert effects["usage fell to nothing"] == pytest.approx(np.e**2)
    assert effects["usage fell by half"] == pytest.approx(np.e)
    assert effects["6 weeks of silence"] == pytest.approx(np.e**3)
    assert effects["the starter plan"] == 1.0
    assert list(effects.values()) == sorted(effects.values(), reverse=True)
