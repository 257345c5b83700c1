"""dbt, in this process: importing it costs seconds, so it is imported once and when first needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import BrokenPromiseError, VitalsError
from pipeline.workspace import PROJECT_FOLDER, Workspace

DBT_FOLDER = PROJECT_FOLDER / "dbt_project"


class DbtProject:
    """The models, pointed at the build database and the seeds of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.seeds = workspace.build / "seeds"
        # Relative, because dbt takes no absolute folder for seeds.
        self.seeds_from_project = os.path.relpath(self.seeds, DBT_FOLDER)
        # dbt keeps what it ran below its target at the seed's own path, every ".." included: the target lies
        # as deep as that path climbs, so that nothing is written outside of it.
        climbs = Path(self.seeds_from_project).parts.count("..")
        self.target = workspace.build.joinpath("dbt_target", *["target"] * climbs)
        # Beside the seeds, so that what was said of their depth holds for it, too.
        self.own_models = workspace.build / "own_models"
        self.database = workspace.build_database
        self._manifest: Any = None

    def build(
        self,
        *folders: str,
        own: Sequence[str] = (),
        full_refresh: bool = False,
        that_follow: str = "",
        without: Sequence[str] = (),
    ) -> int:
        """Build the models of some folders and run their tests; the number of nodes that ran.

        `own`: folders of what the workspace adds. `that_follow`: only models that follow from this node;
        `without`: models that are left out. Raises BrokenPromiseError where a test fails, VitalsError
        where a model cannot be built.
        """
        selected = [f"path:models/{folder}" for folder in folders] + [f"fqn:vitals.{each}" for each in own]
        if that_follow:
            selected = [f"{each},{that_follow}+" for each in selected]
        options = ["--indirect-selection", "buildable", "--exclude-resource-type", "unit_test"]
        if without:
            options += ["--exclude", *without]
        if full_refresh:
            options.append("--full-refresh")
        return self._invoke(["build", "--select", *selected, *options])

    def try_own_models(self) -> int:
        """Run the unit tests of what the workspace adds, as `build` runs data tests; their number."""
        return self._invoke(["test", "--select", "fqn:vitals.own_models,test_type:unit"])

    def seed(self) -> int:
        """Load events.csv, playbook.csv and the engine's own seeds."""
        return self._invoke(["seed", "--full-refresh"])

    def manifest(self) -> dict[str, Any]:
        """What dbt knows of all models, seeds and tests, and what each reads: what it calls manifest.json."""
        return self._parsed().writable_manifest().to_dict(omit_none=False)

    def _parsed(self) -> Any:
        """The models as dbt has read them, once: while a review works on them, they stay what they are."""
        os.environ.update(
            VITALS_BUILD_DATABASE=str(self.database),
            VITALS_SEEDS=self.seeds_from_project,
            VITALS_OWN_MODELS=os.path.relpath(self.own_models, DBT_FOLDER),
            DBT_TARGET_PATH=str(self.target),
            DBT_LOG_PATH=str(self.target / "logs"),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            DO_NOT_TRACK="1",
        )
        from dbt.cli.main import dbtRunner

        if self._manifest is None:
            self._manifest = _invoked(dbtRunner(), ["parse"], self.target)
        return self._manifest

    def _run(self, arguments: list[str]) -> tuple[Any, Any]:
        """The result of one command, and dbt's manifest with what it compiled."""
        # A copy for each command: compiling writes into it what the next command would take for its own.
        manifest = self._parsed().deepcopy()
        from dbt.cli.main import dbtRunner

        return _invoked(dbtRunner(manifest=manifest), arguments, self.target), manifest

    def _invoke(self, arguments: list[str]) -> int:
        result, _ = self._run(arguments)
        # What each node took.
        result.write(str(self.target / "run_results.json"))
        failed = [each for each in result.results if each.status in ("error", "fail", "runtime error")]
        errors = [each for each in failed if each.status != "fail"]
        if errors:
            raise VitalsError(
                f"the model {errors[0].node.name} could not be built: {_first_lines(errors[0].message)} "
                f"See {self.target / 'logs'}. Where values of the data are the reason, correct or take out "
                "the file that they came in and move the build database away: "
                "`vitals run` reads landing anew."
            )
        if failed:
            raise BrokenPromiseError(" ".join(_broken(each) for each in failed[:3]))
        return len(result.results)


def _invoked(runner: Any, arguments: list[str], target: Path) -> Any:
    """The result of one dbt command. Raises VitalsError where dbt itself stops."""
    folders = ["--project-dir", str(DBT_FOLDER), "--profiles-dir", str(DBT_FOLDER)]
    # Writing manifest.json, which nobody reads, would be a third of the start-up of a command.
    quietly = ["--quiet", "--log-level", "none", "--no-print", "--no-write-json"]
    result = runner.invoke([*quietly, arguments[0], *folders, *arguments[1:]])
    if result.exception is not None:
        raise VitalsError(
            f"dbt {arguments[0]} stopped: {_first_lines(result.exception)} See {target / 'logs'}."
        )
    return result.result


def _broken(result: Any) -> str:
    node = result.node
    if node.resource_type == "unit_test":
        return f"the unit test {node.name} does not get what it expects: {_first_lines(result.message, 12)}"
    what = (node.description or "").strip() or node.name.replace("_", " ")
    where = ", ".join(name.split(".")[-1] for name in node.depends_on.nodes) or node.name
    return f"{where}: the check '{what}' found {result.failures or 0:,} rows."


def _first_lines(message: Any, lines: int = 3) -> str:
    kept = [line.strip() for line in str(message).splitlines() if line.strip()]
    return " ".join(kept[:lines])[:600]


def project_files() -> list[Path]:
    """The files that decide what the models build."""
    return sorted(
        path
        for folder in ("models", "macros", "seeds")
        for path in (DBT_FOLDER / folder).rglob("*")
        if path.suffix in (".sql", ".csv")
    )
