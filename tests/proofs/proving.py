"""How many worlds a proof sees, and how hypothesis is told to draw them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.proofs.worlds import Batch, batches

# VITALS_PROOF_BATCHES=400 lets the slow proofs go on for longer, VITALS_PROOF_SEED=2 elsewhere.
BATCHES_VARIABLE, SEED_VARIABLE = "VITALS_PROOF_BATCHES", "VITALS_PROOF_SEED"


@dataclass(frozen=True)
class Size:
    """How many batches of worlds are drawn, from which seed, and how many worlds that is at least."""

    batches: int
    seed: int
    worlds: int


FEW = Size(batches=3, seed=1, worlds=10)
MANY = Size(
    batches=int(os.environ.get(BATCHES_VARIABLE, "44")),
    seed=int(os.environ.get(SEED_VARIABLE, "2")),
    worlds=200,
)
in_both_sizes = pytest.mark.parametrize(
    "size", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
)


def for_drawn_batches(size: Size, check: Callable[..., None], **more: st.SearchStrategy[Any]) -> int:
    """Run a check on drawn batches, shrink where it fails; the number of worlds that it saw.

    The draws are the same in every run: a seed, and no memory of earlier failures.
    """
    worlds, started = 0, time.monotonic()

    def counted(batch: Batch, **drawn: Any) -> None:
        nonlocal worlds
        worlds += len(batch.worlds)
        check(batch, **drawn)

    drawing = settings(
        max_examples=size.batches,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    seed(size.seed)(drawing(given(batch=batches(), **more)(counted)))()
    seconds = time.monotonic() - started
    print(f"{worlds} worlds in {size.batches} batches, {seconds:.1f} s, {seconds / worlds:.2f} s a world")
    assert worlds >= size.worlds or BATCHES_VARIABLE in os.environ
    return worlds
