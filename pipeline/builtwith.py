"""What intermediate and features are built with: a change of it forces a rebuild."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pipeline.catalogue import read_events
from pipeline.dbt import project_files

if TYPE_CHECKING:
    from pipeline.review import Review


def built_with(review: Review) -> str:
    """Hash of the settings that decide what is built, of events.csv, and of the models themselves."""
    digest = hashlib.sha256(review.settings.build_hash().encode())
    digest.update(json.dumps(read_events(review.workspace.events_file)).encode())
    for path in project_files():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
