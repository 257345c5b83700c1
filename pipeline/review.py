"""The weekly review: its steps in order, one process, one warehouse, one run id.

load → features → train → score → marts → report → publish. A step begins only when the one before it is
finished for the week, and is finished only when the promises about what it wrote hold.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.builtwith import built_with, published_with, sorted_with
from pipeline.catalogue import read_events_of, read_workspace_playbook
from pipeline.dbt import DbtProject
from pipeline.display import JsonLines, Screen, StepDisplay, show_step
from pipeline.errors import NothingToDoError, NotYetError, UsageError, VitalsError
from pipeline.footprint import Footprint
from pipeline.lineage import lineage_of
from pipeline.metrics import write_metrics
from pipeline.provenance import git_commit, versions
from pipeline.resources import check_resources, shortage
from pipeline.runlog import RunLog, read_runs
from pipeline.settings import Settings
from pipeline.tables import create_tables
from pipeline.underway import ReviewUnderWay, end_review_under_way, find_review_under_way, note_sign_of_life
from pipeline.warehouse import Warehouse
from pipeline.weeks import choose_week
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.extension.reading import Extension

STEPS = ("load", "features", "train", "score", "marts", "report", "publish")
RUN_ID_VARIABLE = "VITALS_RUN_ID"
TRACEBACK_VARIABLE = "VITALS_TRACEBACK"

Step = Callable[["Review", StepDisplay], dict[str, Any]]


@dataclass
class Review:
    """What the steps of one run share. The warehouse is opened when a step first needs it."""

    workspace: Workspace
    asked_week: date | None
    run_id: str
    log: RunLog
    # What each step that is finished said of itself.
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The step that is under way, and what it has taken so far.
    step: str | None = None
    footprint: Footprint | None = None

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    @cached_property
    def warehouse(self) -> Warehouse:
        warehouse = Warehouse(
            self.workspace.build_database, self.settings.warehouse, self.workspace.spill_folder
        )
        create_tables(warehouse)
        return warehouse

    @cached_property
    def extension(self) -> Extension:
        """What the workspace adds to the engine. Raises SettingsError where it cannot be used."""
        # Imported when it runs: it reads YAML and tries SQL, which most commands need not.
        from pipeline.extension.reading import read_extension

        return read_extension(self.workspace)

    @cached_property
    def dbt(self) -> DbtProject:
        return DbtProject(self.workspace)

    @cached_property
    def review_week(self) -> date:
        """Known once something is loaded."""
        if not self.warehouse.has_table("raw.events"):
            raise VitalsError("no event is loaded yet. Run `vitals load` first.")
        return choose_week(self.warehouse, self.settings, self.asked_week)

    def other_review_under_way(self) -> ReviewUnderWay | None:
        """A review of another run that is begun and not yet published."""
        found = find_review_under_way(self.warehouse, self.workspace)
        return found if found is not None and found.run_id != self.run_id else None

    def is_finished(self, step: str) -> bool:
        week = None if step == "load" else self.review_week
        return bool(
            self.warehouse.value(
                """
                select count(*) from ops.finished_steps
                where step = ? and review_week is not distinct from ?
                """,
                [step, week],
            )
        )

    def _mark_started(self, step: str) -> None:
        """What comes after this step for this week is no longer finished."""
        if step == "load":
            self.warehouse.run("delete from ops.finished_steps where step = 'load'")
            return
        later = list(STEPS[STEPS.index(step) :])
        self.warehouse.run(
            "delete from ops.finished_steps where review_week = ? and list_contains(?, step)",
            [self.review_week, later],
        )

    def _mark_finished(self, step: str, details: dict[str, Any]) -> None:
        if step == "load":
            self._mark_loaded(details["files_checked"])
        week = None if step == "load" else self.review_week
        self.warehouse.run("insert into ops.finished_steps values (?, ?, ?)", [step, week, self.run_id])
        if step == "publish":
            self.warehouse.run("delete from ops.published_with where review_week = ?", [week])
            self.warehouse.run("insert into ops.published_with values (?, ?)", [week, published_with(self)])
            end_review_under_way(self.warehouse, self.run_id)

    def check_turn(self, steps: tuple[str, ...]) -> None:
        """Raises VitalsError while another review is under way; one that failed gives way to a new one."""
        note_sign_of_life(self.warehouse, self.run_id)
        other = self.other_review_under_way()
        # Loading alone is held back in its step, which is no error.
        if other is None or steps == ("load",):
            return
        if not other.has_failed:
            raise VitalsError(
                f"{other.in_words()}, and two at once would build over each other. Wait until it is "
                "published and call again; six hours after its last sign of life it is given up."
            )
        end_review_under_way(self.warehouse, other.run_id)

    def _mark_loaded(self, files_checked: int | None) -> None:
        if files_checked is None:
            return
        # Imported when it runs, as the steps are.
        from pipeline.load_step import note_loads_checked

        with self.warehouse.transaction():
            if files_checked:
                # What was built before knows nothing of the new events, this run's or those of one killed.
                self.warehouse.run("delete from ops.finished_steps")
            note_loads_checked(self.warehouse)

    def _check_order(self, step: str) -> None:
        position = STEPS.index(step)
        if position == 0:
            return
        before = STEPS[position - 1]
        if not self.is_finished(before):
            where = "" if before == "load" else f" for the week of {self.review_week}"
            raise VitalsError(
                f"{step} needs the step {before}, which is not finished{where}. "
                f"Run `vitals {before}`, or `vitals run` for all of them."
            )
        self._check_settings(step)

    def _check_settings(self, step: str) -> None:
        """What is there has to be built with the settings that are there."""
        part, builder = ("raw", "load") if step == "features" else ("features", "features")
        wanted = self.settings.load_hash() if part == "raw" else built_with(self)
        hashes = dict(self.warehouse.rows("select part, settings_hash from ops.built_with"))
        changed = hashes.get(part) != wanted
        if step != "features":
            changed = changed or hashes.get("segments") != sorted_with(self)
        if changed:
            raise VitalsError(
                f"{step} would go on with what was built before review.toml, events.csv, the models or "
                f"own features changed. Run `vitals {builder}` first, or `vitals run` for all steps."
            )

    @contextmanager
    def shortages_in_words(self, step: str) -> Iterator[None]:
        """Want of memory or disk is said as what it is, by whichever way the engine's words came."""
        try:
            yield
        except Exception as error:
            published = {run.run_id for run in read_runs(self.workspace.run_log) if run.published}
            short_of = shortage(error, step, self.workspace, is_published=self.run_id in published)
            if short_of is None:
                raise
            if os.environ.get(TRACEBACK_VARIABLE):
                raise short_of from error
            raise short_of from None

    def run_step(self, step: str, function: Step, screen: Screen, *, in_a_line: bool = True) -> None:
        """Run one step; VitalsError where it fails, and then nothing later counts as finished."""
        with show_step(screen, step, in_a_line=in_a_line) as display, self.shortages_in_words(step):
            self.step, self.footprint = step, Footprint()
            self._check_order(step)
            week = None if step == "load" else self.review_week
            self.log.write("step_started", step=step, review_week=week)
            self._mark_started(step)
            details = function(self, display)
            self._mark_finished(step, details)
            self.details[step] = details
            taken = self.footprint.measured().as_details()
            self.log.write(
                "step_finished",
                step=step,
                review_week=week,
                **taken,
                details=details,
                message=display.summary,
            )
            self.step = self.footprint = None

    def note_failure(self, message: str) -> None:
        """Into the run log: why it ended, in which step, and what that had taken."""
        taken = self.footprint.measured().as_details() if self.footprint else {}
        self.log.write_failure(message, self.step, **taken)


def run_review(
    workspace: Workspace,
    steps: tuple[str, ...],
    asked_week: date | None,
    screen: Screen,
    *,
    run_id: str | None = None,
    steps_in_lines: bool = True,
) -> Review:
    """Run some consecutive steps of the review, in order. Raises VitalsError; nothing is published then.

    `run_id`: by default the environment's, else one of the moment. `steps_in_lines`: a line for each step
    that is done; without, only what a step has to note is said.
    """
    run_id = run_id or choose_run_id()
    listeners = [screen.hear] if isinstance(screen, JsonLines) else []
    if lineage := lineage_of(workspace, run_id):
        listeners.append(lineage.hear)
    review = Review(workspace, asked_week, run_id, RunLog(workspace.run_log, run_id, tuple(listeners)))
    check_what_is_given(review, steps)
    try:
        review.log.write(
            "run_started",
            steps=list(steps),
            customer=workspace.settings.customer,
            command=_command_line(),
            versions=versions(),
            git_commit=git_commit(),
        )
    except OSError as error:
        raise VitalsError(
            f"{workspace.build} cannot be written: {error.strerror}. Give whoever runs `vitals` room and "
            "the right to write there, or set VITALS_DATA_DIR to another folder."
        ) from None
    with failures_noted(review):
        review.check_turn(steps)
        for step in steps:
            review.run_step(step, _step_function(step), screen, in_a_line=steps_in_lines)
        # All is done by now; a disk that filled up since must not make a failure of it.
        with suppress(OSError):
            review.log.write("run_finished")
    return review


@contextmanager
def failures_noted(review: Review) -> Iterator[None]:
    """Whatever ends the work is noted in the run log and raised as VitalsError; the warehouse is closed."""
    try:
        yield
    except (NotYetError, NothingToDoError):
        # Nothing failed.
        raise
    except VitalsError as error:
        review.note_failure(str(error))
        raise
    except KeyboardInterrupt:
        review.note_failure("stopped by the user")
        raise VitalsError("stopped. Nothing was published; `vitals run` starts again.") from None
    except Exception as error:
        sentence = _unforeseen(error)
        review.note_failure(sentence)
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        raise VitalsError(sentence) from error
    finally:
        if "warehouse" in review.__dict__:
            review.warehouse.close()
        write_metrics(review.workspace)


def check_what_is_given(review: Review, steps: tuple[str, ...]) -> None:
    """Read settings, catalogues and own features before anything is opened or written.

    Raises VitalsError, which is noted in the run log, where one of them cannot be used.
    """
    try:
        _ = review.settings
        read_events_of(review.workspace)
        read_workspace_playbook(review.workspace)
        _ = review.extension
        check_resources(review.workspace)
    except VitalsError as error:
        # A workspace in which nothing ever ran is left without data.
        if review.log.path.is_file():
            review.log.write_failure(str(error), steps=list(steps), command=_command_line())
            write_metrics(review.workspace)
        raise


def _step_function(step: str) -> Step:
    # Imported when they run: each brings libraries that the others do not need.
    if step == "load":
        from pipeline.load_step import load_step as function
    elif step == "features":
        from pipeline.features import features_step as function
    elif step == "train":
        from pipeline.learning import train_step as function
    elif step == "score":
        from pipeline.learning import score_step as function
    elif step == "marts":
        from pipeline.marts import marts_step as function
    elif step == "report":
        from pipeline.telling import report_step as function
    else:
        from pipeline.release import publish_step as function
    return function


def choose_run_id() -> str:
    """The id that a scheduler gives in the environment, else the moment and the process."""
    given = os.environ.get(RUN_ID_VARIABLE)
    if given:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", given):
            raise UsageError(
                f"{RUN_ID_VARIABLE} is {given!r}; give letters, digits, '-', '_' and '.', at most 100."
            )
        return given
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"


def _command_line() -> str:
    """The command as it was called, for whoever meets it at work; its own name without the path."""
    name = "vitals" if Path(sys.argv[0]).stem in ("vitals", "__main__") else Path(sys.argv[0]).name
    return shlex.join([name, *sys.argv[1:]])


def _unforeseen(error: Exception) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"{type(error).__name__}: {first_line[:400].rstrip('.')}. Nothing was published. "
        f"Set {TRACEBACK_VARIABLE}=1 and run again to see where; please report it."
    )
