"""The client: one method for each thing to do, and each safe to repeat.

with Tarkeep("http://127.0.0.1:8000", token="tk_…") as tarkeep:
    job = tarkeep.wait(tarkeep.back_up())
    print(job["backupKey"])
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

from tarkeep_client.calls import Calls
from tarkeep_client.errors import JobFailed
from tarkeep_client.manage import Managing
from tarkeep_client.shapes import Backup, Entry, Job

ACTIVE: Final = {"PENDING", "RUNNING"}
PAGE: Final = 200


class Tarkeep(Managing, Calls):
    """Where a backup is named, its key or `latest` is meant. See `Calls` for what is raised."""

    def __enter__(self) -> Tarkeep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def status(self) -> dict[str, Any]:
        return self._get("status")

    def backups(self) -> list[Backup]:
        """Newest first."""
        return cast("list[Backup]", self._get("list")["backups"])

    def jobs(self, **choice: Any) -> Iterator[Job]:
        """All jobs, or those of a `kind`, `state`, `trigger`, `since`, `until`; in pages."""
        offset = 0
        while True:
            page = self._get("jobs", limit=PAGE, offset=offset, **choice)["jobs"]
            yield from page
            if len(page) < PAGE:
                return
            offset += len(page)

    def job(self, job_id: str) -> Job:
        return cast(Job, self._get(f"jobs/{job_id}"))

    def job_log(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Its lines: `at`, `level`, `text`."""
        after: int | None = 0
        while after is not None:
            page = self._get(f"jobs/{job_id}/log", after=after, limit=500)
            yield from page["lines"]
            after = page["next"]

    def days(self, days: int = 90, zone: str = "UTC") -> list[dict[str, Any]]:
        """How many jobs ended how on each day."""
        return cast("list[dict[str, Any]]", self._get("jobs/days", days=days, zone=zone)["days"])

    def series(self, days: int = 90) -> dict[str, Any]:
        """Sizes and durations over time."""
        return self._get("jobs/series", days=days)

    def back_up(self, mode: str = "") -> Job:
        """`mode`: `full` packs all anew, `deep` reads and compares all; else as usual."""
        return self._start("trigger", **({"mode": mode} if mode else {}))

    def dry_run(self) -> dict[str, Any]:
        """What a backup would save."""
        return self._get("dry-run")

    def restore(self, key: str, *, paths: Sequence[str] = (), to: str = "") -> Job:
        """Of the backup `key` all, or `paths` in it; in place, or `to` a new folder."""
        body: dict[str, Any] = {"backupKey": key, "paths": list(paths)}
        return self._start("restore", **body, **({"to": to} if to else {}))

    def preview_restore(
        self, key: str, *, paths: Sequence[str] = (), limit: int = PAGE
    ) -> dict[str, Any]:
        """What such a restore would do to the data folder."""
        return self._post("preview-restore", backupKey=key, paths=list(paths), limit=limit)

    def undo(self) -> Job:
        return self._start("undo")

    def verify(self, key: str) -> Job:
        return self._start("verify", backupKey=key)

    def drill(self, key: str) -> Job:
        return self._start("drill", backupKey=key)

    def cancel(self, job: Job) -> Job:
        return self._start(f"jobs/{job['id']}/cancel")

    def wait(self, job: Job, *, every: float = 1.0) -> Job:
        """Until it has ended. `JobFailed` when that was not well."""
        while job["state"] in ACTIVE:
            time.sleep(every)
            job = self.job(job["id"])
        if job["state"] != "SUCCEEDED":
            raise JobFailed(job)
        return job

    def files(self, key: str, path: str = "") -> Iterator[Entry]:
        """What lies in a folder of a backup."""
        yield from self._pages("files", "entries", backupKey=key, path=path)

    def search(self, pattern: str, key: str | None = None) -> Iterator[Entry]:
        """Names that match, in one backup or in the newest ones."""
        yield from self._pages("search", "matches", q=pattern, backupKey=key)

    def diff(self, old: str, new: str = "latest") -> Iterator[dict[str, Any]]:
        """What was added, removed and changed from one backup to another."""
        yield from self._pages("diff", "changes", **{"from": old, "to": new})

    def download(self, key: str, path: str, to: Path) -> None:
        """One file, or a folder as .tar.gz. `to` appears when it is there whole."""
        self._fetch("download", to, backupKey=key, path=path)

    def _start(self, path: str, /, **body: Any) -> Job:
        return cast(Job, self._post(path, **body)["job"])

    def _pages(self, path: str, field: str, /, **query: Any) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get(path, cursor=cursor, **query)
            yield from page[field]
            cursor = page["next"]
            if cursor is None:
                return
