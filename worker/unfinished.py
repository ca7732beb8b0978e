"""Uploads that runs wrote down before they began them."""

from __future__ import annotations

from backups_app.models import Job

Uploads = list[tuple[str, str]]


def uploads(job: Job) -> Uploads:
    """Key and id of each upload that this run has begun."""
    return [(one["key"], one["uploadId"]) for one in job.effects if one["effect"] == "upload"]


def of_earlier_attempts(job: Job) -> Uploads:
    """Those of the runs that this one is a new attempt of; most are gone by now."""
    found: Uploads = []
    while (earlier := job.retry_of) is not None:
        found += uploads(earlier)
        job = earlier
    return found
