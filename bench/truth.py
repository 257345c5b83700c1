"""How near the product comes to what is planted in the demo's world: `python -m bench.truth`, `make truth`.

Simulates a world, reviews five weeks as they would have been reviewed then (models know nothing of what came
later), and compares what the product says with the truth of the world, which the product never reads. Prints
a table and writes the results as JSON.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from bench.comparisons.activation import compare_activated, compare_steps
from bench.comparisons.business import (
    compare_customers,
    compare_labels,
    compare_messages,
    compare_orders,
    compare_tickets,
)
from bench.comparisons.churn import (
    compare_accuracy,
    compare_calibration,
    compare_health,
    compare_ranking,
)
from bench.comparisons.comparison import TITLES, Comparison
from bench.comparisons.counts import (
    compare_active_customers,
    compare_deliveries,
    compare_rejections,
    compare_sessions,
    compare_sessions_of_weeks,
)
from bench.comparisons.exclusions import compare_programs, compare_test_accounts
from bench.comparisons.groups import compare_agreement, compare_cluster_sizes, recognise_archetypes
from bench.comparisons.identities import (
    compare_changed_ids,
    compare_ids,
    compare_shared_computers,
    compare_visits,
)
from bench.comparisons.preferences import compare_consents, compare_opt_outs, compare_preferences
from bench.comparisons.unanswered import (
    list_activation,
    list_anomalies,
    list_seasons,
    list_shop,
    list_upgrades,
)
from bench.evidence import Evidence, read_evidence
from bench.record import RESULTS_FOLDER, Result, table_text, write_results
from bench.world import (
    CommandFailedError,
    ForeignFolderError,
    Phase,
    WorldSize,
    make_world,
    review_weeks,
    weeks_before_the_last,
)

# Before the last week of the world: the outcomes of the newest one are just known.
REVIEWED_WEEKS_BEFORE_THE_LAST = (20, 16, 12, 8, 4)
SMALLEST_WEEKS = max(REVIEWED_WEEKS_BEFORE_THE_LAST) + 1
LARGEST_CUSTOMERS, LARGEST_WEEKS = 50_000_000, 1_040


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 done, 1 a review failed, 2 bad usage."""
    asked = _parsed(arguments)
    size = WorldSize(asked.customers, asked.weeks, asked.seed)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="vitals-truth-"))
    try:
        results = measure(folder.resolve(), size)
        write_results(asked.results, results)
        _say(f"written: {asked.results}")
    except ForeignFolderError as error:
        return _failed(str(error), 2)
    except CommandFailedError as error:
        return _failed(str(error), 1)
    except OSError as error:
        return _failed(f"{error.strerror or error} ({error.filename})", 1)
    except KeyboardInterrupt:
        return _failed("stopped; nothing was written", 1)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def measure(folder: Path, size: WorldSize) -> list[Result]:
    """Make the world and its reviews in a folder, compare, and print the table."""
    phases = make_world(folder, size, _say)
    phases += review_weeks(folder, weeks_before_the_last(size, REVIEWED_WEEKS_BEFORE_THE_LAST), _say)
    started = time.monotonic()
    comparisons = compare(read_evidence(folder / "demo" / "data"))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    phases.append(Phase("comparison", time.monotonic() - started, megabytes))
    _say(f"comparison: {phases[-1].seconds:,.1f} s, at most {megabytes:,.0f} MB")
    print(table_text(TITLES, [comparison.texts() for comparison in comparisons]), flush=True)
    return [
        *(comparison.result() for comparison in comparisons),
        Result(
            "time of this measurement",
            round(sum(phase.seconds for phase in phases), 1),
            "s",
            detail={"world": asdict(size), "phases": [asdict(phase) for phase in phases]},
        ),
    ]


def compare(evidence: Evidence) -> list[Comparison]:
    """All comparisons, in the order of the table."""
    return [*compare_judgement(evidence), *compare_counts(evidence), *compare_what_is_planted(evidence)]


def compare_judgement(evidence: Evidence) -> list[Comparison]:
    """What is learnt and scored, which can be better or worse."""
    scored, living = evidence.scored, evidence.living
    features = living.drop(columns=["archetype", "cluster_name"])
    return [
        *compare_ranking(scored),
        *compare_accuracy(scored),
        *compare_calibration(scored),
        *compare_health(scored),
        *compare_agreement(living, recognise_archetypes(features, living["archetype"])),
        *compare_cluster_sizes(living),
    ]


def compare_counts(evidence: Evidence) -> list[Comparison]:
    """What is counted, which is right or wrong."""
    identities = evidence.identities
    return [
        *compare_ids(identities.ids),
        *compare_visits(identities.visits),
        *compare_changed_ids(identities.changed_ids),
        *compare_shared_computers(identities.shared_computers),
        *compare_programs(identities.programs, identities.flagged_days),
        *compare_test_accounts(identities.test_accounts),
        *compare_sessions(identities.sessions),
        *compare_sessions_of_weeks(identities.sessions_of_weeks),
        *compare_active_customers(identities.active_customers),
        *compare_deliveries(evidence.deliveries, evidence.late_counted),
        *compare_rejections(evidence.rejections_planted, evidence.rejection_reasons),
        *compare_customers(evidence.customers),
        *compare_labels(evidence.labels),
        *compare_orders(
            evidence.orders,
            evidence.refunded,
            evidence.found_orders,
            evidence.found_gross,
            evidence.found_net,
            evidence.currency,
        ),
        *compare_tickets(evidence.tickets, evidence.found_tickets),
        *compare_messages(evidence.messages_planted, evidence.messages_found),
        *compare_steps(evidence.first_steps.steps),
        *compare_consents(evidence.consents),
        *compare_opt_outs(evidence.opt_outs_loaded, evidence.opt_outs_found),
    ]


def compare_what_is_planted(evidence: Evidence) -> list[Comparison]:
    """What lies in the world for the product to learn from what it counts, most of it not yet."""
    return [
        *compare_activated(evidence.first_steps.activated),
        *list_activation(evidence.activation, evidence.invite_odds),
        *list_anomalies(evidence.anomalies, evidence.weeks),
        *compare_preferences(evidence.readers),
        *list_upgrades(evidence.account_weeks, evidence.upgrades),
        *list_shop(evidence.carts, evidence.affinities),
        *list_seasons(evidence.account_weeks),
    ]


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SystemExit(_failed(message, 2))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _OneLineParser(prog="python -m bench.truth", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument(
        "--customers", type=_whole_number, default=20_000, help="of the world (default: 20000)"
    )
    parser.add_argument(
        "--weeks",
        type=_whole_number,
        default=78,
        help=f"of its history, {SMALLEST_WEEKS} or more (default: 78)",
    )
    parser.add_argument(
        "--seed", type=_whole_number, default=7, help="the same seed makes the same world (default: 7)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where the world lies; kept, and used again while it is the same (default: a temporary one)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS_FOLDER / "truth.json",
        help="where the results are written (default: bench/results/truth.json)",
    )
    asked = parser.parse_args(arguments)
    for name, smallest, largest in (
        ("customers", 1, LARGEST_CUSTOMERS),
        ("weeks", SMALLEST_WEEKS, LARGEST_WEEKS),
        ("seed", 0, 2**63 - 1),
    ):
        value = getattr(asked, name)
        if not smallest <= value <= largest:
            parser.error(f"--{name} is {value}; give a whole number from {smallest:,} to {largest:,}")
    if asked.results.is_dir():
        parser.error(f"--results is the folder {asked.results}; give the path of a file")
    if not os.access(_nearest_folder(asked.results), os.W_OK):
        parser.error(f"--results is {asked.results}, where nothing can be written; give another path")
    if asked.folder is not None and asked.folder.exists() and not asked.folder.is_dir():
        parser.error(f"--folder is the file {asked.folder}; give a folder")
    return asked


def _nearest_folder(path: Path) -> Path:
    """The folder in which something would have to be made first."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _say(line: str) -> None:
    print(line, flush=True)


def _failed(sentence: str, code: int) -> int:
    print(f"truth: {sentence.rstrip('.')}.", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
