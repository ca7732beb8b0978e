"""Tries out everything that a backup needs, and says what is wrong and what to do about it.

This is what can be known without a database; `backups_app.doctor` adds the service.
"""

from __future__ import annotations

from datetime import datetime

from worker.engine.doctor import bucket, contents, folders, setup
from worker.engine.doctor.finding import Finding, Report, bad
from worker.engine.errors import StorageError
from worker.engine.settings import Settings
from worker.engine.storage.capabilities import Capabilities

__all__ = ["Finding", "Report", "examine"]


def examine(settings: Settings, *, now: datetime) -> Report:
    """Look at settings, folders and bucket. Raises nothing: what fails is a finding."""
    findings = [*setup.findings(settings, now), *folders.findings(settings.plan)]
    found: Capabilities | None = None
    if not settings.problems:
        try:
            seen, found = bucket.probe(settings.storage, settings.plan, now)
            findings += [*seen, *contents.findings(settings.storage, settings.plan)]
        except StorageError as error:
            findings.append(bad("bucket", error))
    return Report(tuple(findings), found)
