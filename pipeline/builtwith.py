"""What is built, and what is published, depends on: a change of it means doing it again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pipeline.catalogue import read_events, read_workspace_playbook
from pipeline.dbt import project_files

if TYPE_CHECKING:
    from pipeline.review import Review


def built_with(review: Review) -> str:
    """Hash of the settings that decide what is built, of events.csv, and of all models, own ones too."""
    digest = hashlib.sha256(review.settings.build_hash().encode())
    digest.update(json.dumps(read_events(review.workspace.events_file)).encode())
    for path in project_files():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    digest.update(review.extension.models_digest().encode())
    return digest.hexdigest()[:16]


def sorted_with(review: Review) -> str:
    """Hash of the own segments and of the rows that they sort."""
    return hashlib.sha256((review.settings.segments_hash() + built_with(review)).encode()).hexdigest()[:16]


def published_with(review: Review) -> str:
    """Hash of all settings, catalogues and models: what a published week depends on, beside raw."""
    digest = hashlib.sha256(review.settings.publication_hash().encode())
    digest.update(built_with(review).encode())
    digest.update(json.dumps(read_workspace_playbook(review.workspace)).encode())
    return digest.hexdigest()[:16]
