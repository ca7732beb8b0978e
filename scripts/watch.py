"""Prints what a running Tarkeep says over its WebSocket, one line a change, until a job ends.

    BACKUP_API_TOKEN=... .venv/bin/python scripts/watch.py [ws://127.0.0.1:8000/ws/backup/]

Ends with code 0 when the job succeeded, 1 when it did not. Jobs that ended earlier are not shown.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from websockets.sync.client import connect

ADDRESS = "ws://127.0.0.1:8000/ws/backup/"
ACTIVE = {"PENDING", "RUNNING"}


def main(address: str = ADDRESS) -> int:
    token = os.environ.get("BACKUP_API_TOKEN", "")
    with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        for message in socket:
            told = json.loads(message)
            fresh = [job for job in told.get("jobs", []) if job["state"] in ACTIVE]
            for job in [told["job"]] if told["type"] == "job" else fresh:
                print(line(job), flush=True)
                if job["state"] not in ACTIVE:
                    return 0 if job["state"] == "SUCCEEDED" else 1
    return 1


def line(job: dict[str, Any]) -> str:
    progress, error = job["progress"], job["error"] or {}
    done = f"{progress['percent'] or 0:3.0f} %  {progress['bytesDone'] or 0:>13,} bytes"
    what = f"{job['kind']} {job['state']:<9} {job['phase'] or '':<11} {done}"
    return f"{what}  {error.get('message') or job['backupKey'] or ''}".rstrip()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
