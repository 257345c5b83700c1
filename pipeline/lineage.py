"""OpenLineage: which step read and wrote what, as run events in a file, where the environment asks for it.

VITALS_OPENLINEAGE_FILE names the file; without it nothing is written, and nothing ever leaves the machine:
a collector that wants the events reads the file. They are run events of the OpenLineage specification 2-0-2,
a line of JSON each. A review is the parent run, each step of it a run of its own.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.workspace import Workspace

FILE_VARIABLE = "VITALS_OPENLINEAGE_FILE"
# As the OpenLineage clients call it.
NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"
PRODUCER = "urn:vitals"
_SPECIFICATION = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{_SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"

_FEATURES = ("features.customer_weeks", "features.customer_week_labels")
_SCORES = ("scores.churn", "scores.health", "scores.health_contributions", "scores.clusters")
_MARTS = (
    "marts.customers",
    "marts.customer_weeks",
    "marts.segments_weekly",
    "marts.metrics_daily",
    "marts.metrics_weekly",
    "marts.interventions",
)
# What each step reads and writes: tables of the build database, and with a slash folders of the data.
READ_AND_WRITTEN = {
    "load": (("landing/",), ("raw.events", "raw.rejected_events", "raw.loads")),
    "features": (("raw.events",), _FEATURES),
    "train": (_FEATURES, ("build/models/", "ops.models", "ops.model_metrics")),
    "score": (("features.customer_weeks", "build/models/"), _SCORES),
    "marts": ((*_FEATURES, *_SCORES), _MARTS),
    "report": (_MARTS, ("build/candidate/",)),
    "publish": ((*_MARTS, "build/candidate/"), ("serving/current/", "history/")),
}
_EVENT_TYPES = {"step_started": "START", "step_finished": "COMPLETE", "run_failed": "FAIL"}


@dataclass
class Lineage:
    """Hears the lines of one run's log and writes what it hears as OpenLineage run events."""

    file: Path
    namespace: str
    workspace: Workspace
    run_id: str
    _step_run: str | None = field(default=None, init=False)

    def hear(self, line: dict[str, Any]) -> None:
        """A line of the run log. A file that cannot be written spoils no review."""
        step = line.get("step")
        if line["event"] not in _EVENT_TYPES or step not in READ_AND_WRITTEN:
            return
        if line["event"] == "step_started" or self._step_run is None:
            self._step_run = str(uuid.uuid4())
        text = json.dumps(self._run_event(line, step)) + "\n"
        if line["event"] != "step_started":
            self._step_run = None
        with suppress(OSError), self.file.open("a", encoding="utf-8") as file:
            file.write(text)

    def _run_event(self, line: dict[str, Any], step: str) -> dict[str, Any]:
        read, written = READ_AND_WRITTEN[step]
        facets: dict[str, Any] = {"parent": self._parent()}
        if line["event"] == "run_failed":
            facets["errorMessage"] = {
                **_facet("1-0-1", "ErrorMessageRunFacet"),
                "message": line["message"],
                "programmingLanguage": "Python",
            }
        return {
            "eventType": _EVENT_TYPES[line["event"]],
            "eventTime": line["at"],
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": self._step_run, "facets": facets},
            "job": {"namespace": self.namespace, "name": f"{self.workspace.name}.{step}"},
            "inputs": [self._dataset(name) for name in read],
            "outputs": [self._dataset(name) for name in written],
        }

    def _parent(self) -> dict[str, Any]:
        # The same for all processes of a scheduled review, which share its run id.
        name = f"{self.namespace}/{self.workspace.name}/{self.run_id}"
        return {
            **_facet("1-1-0", "ParentRunFacet"),
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, name))},
            "job": {"namespace": self.namespace, "name": f"{self.workspace.name}.review"},
        }

    def _dataset(self, name: str) -> dict[str, str]:
        if name.endswith("/"):
            return {"namespace": "file", "name": str(self.workspace.data / name)}
        return {"namespace": f"duckdb://{self.workspace.build_database}", "name": name}


def lineage_of(workspace: Workspace, run_id: str) -> Lineage | None:
    """Where the environment asks for it; None elsewhere."""
    asked = os.environ.get(FILE_VARIABLE)
    if not asked:
        return None
    namespace = os.environ.get(NAMESPACE_VARIABLE) or "vitals"
    return Lineage(Path(asked).expanduser(), namespace, workspace, run_id)


def _facet(version: str, name: str) -> dict[str, str]:
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}",
    }
